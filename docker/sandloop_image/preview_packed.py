"""Archives: what is in them, with sizes. Nothing is unpacked."""

from __future__ import annotations

import tarfile
import time
import zipfile
from collections.abc import Iterator
from typing import IO, cast

from .preview_page import Page, amount, cell, quoted
from .preview_source import Odd, Source

_SHOWN = 12
_WALK_SECONDS, _WALK_ENTRIES = 1.0, 2_000
_ARCHIVE_ENTRIES = 100_000
_DIRECTORY_BYTES = 20_000_000


def open_zip(source: Source) -> zipfile.ZipFile:
    """The zip's directory. Raises `Odd` when it is broken or made to be large."""
    with source.open() as file:
        file.seek(max(source.size - 70_000, 0))
        tail = file.read1(70_000)
    record = tail[tail.rfind(b"PK\x05\x06") :][:22]
    if len(record) == 22 and int.from_bytes(record[12:16], "little") > _DIRECTORY_BYTES:
        raise Odd("the zip file's directory is too large")
    try:
        return zipfile.ZipFile(source.path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise Odd(f"it begins like a zip file (or a new Office file), but is broken: {error}") from error


def describe_zip(source: Source, page: Page) -> None:
    """Names and sizes."""
    with open_zip(source) as archive:
        entries = [e for e in archive.infolist()[:_ARCHIVE_ENTRIES] if not e.is_dir()]
    total = sum(e.file_size for e in entries)
    page.line(f"zip archive, {amount(len(entries), 'file')}, {total:,} bytes when unpacked (as it says)")
    if any(e.flag_bits & 1 for e in entries):
        page.line("note: it is protected by a password")
    if len(entries) == 1 and entries[0].filename.lower().endswith((".csv", ".tsv")):
        page.line(f"pd.read_csv({quoted(source.name, 300)}) reads the one file in it without unpacking")
    else:
        page.line(f"read a file in it with: zipfile.ZipFile({quoted(source.name, 300)}).open(NAME)")
    for entry in entries[:_SHOWN]:
        page.line(f"  {quoted(cell(entry.filename, 120), 150)} {entry.file_size:,} bytes")
    if len(entries) > _SHOWN:
        page.line(f"  … and {len(entries) - _SHOWN:,} more files")


def describe_tar(source: Source, page: Page) -> None:
    """Names and sizes, as far as a short walk gets."""
    page.line(f"tar archive{', ' + source.packed + '-compressed' if source.packed else ''}")
    page.line(f"read a file in it with: tarfile.open({quoted(source.name, 300)}).extractfile(NAME)")
    count, total, ended = 0, 0, False
    with source.open() as raw, tarfile.open(fileobj=cast("IO[bytes]", raw), mode="r|") as archive:
        for count, member in enumerate(_walk(archive), 1):
            total += member.size
            if count <= _SHOWN:
                page.line(f"  {quoted(cell(member.name, 120), 150)} {member.size:,} bytes")
        ended = count < _WALK_ENTRIES
    page.line(f"{amount(count, 'entry', 'entries')}{'' if ended else ' or more'}, {total:,} bytes when unpacked")


def _walk(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    end = time.monotonic() + _WALK_SECONDS
    for count, member in enumerate(archive, 1):
        yield member
        if count >= _WALK_ENTRIES or time.monotonic() > end:
            return
