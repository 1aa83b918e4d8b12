"""What kind of file it is, from its content first and its name second, and which module describes it.

A module is imported when its kind is met: pyarrow alone takes longer than a whole preview of a CSV.
"""

from __future__ import annotations

import site
import sys
from collections.abc import Callable
from importlib import import_module

from .preview_page import Page, amount
from .preview_source import Source, look, unpacked

_NAMED = {
    ".xlsx": "Excel", ".xlsm": "Excel", ".xls": "old Excel", ".parquet": "Parquet", ".pdf": "PDF", ".docx": "Word",
    ".pptx": "PowerPoint", ".sqlite": "SQLite", ".zip": "zip", ".csv": "text", ".tsv": "text", ".txt": "text", ".json": "text",
    ".jsonl": "text", ".png": "picture", ".jpg": "picture", ".jpeg": "picture", ".gif": "picture", ".feather": "Arrow",
}  # fmt: skip
"""What a name promises; said when the content is something else."""

_BY_MAGIC: tuple[tuple[int, bytes, str, str], ...] = (
    (0, b"PAR1", "Parquet", "preview_parquet:describe_parquet"),
    (0, b"ARROW1", "Arrow", "preview_parquet:describe_arrow"),
    (0, b"SQLite format 3\0", "SQLite", "preview_sqlite:describe_sqlite"),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel", "preview_excel:describe_xls"),
    (0, b"\x89PNG\r\n\x1a\n", "picture", "preview_pictures:describe_picture"),
    (0, b"\xff\xd8\xff", "picture", "preview_pictures:describe_picture"),
    (0, b"GIF8", "picture", "preview_pictures:describe_picture"),
    (0, b"II*\0", "picture", "preview_pictures:describe_picture"),
    (0, b"MM\0*", "picture", "preview_pictures:describe_picture"),
    (8, b"WEBP", "picture", "preview_pictures:describe_picture"),
    (257, b"ustar", "tar", "preview_packed:describe_tar"),
)
_BY_PART = (
    ("xl/workbook.xml", "Excel", "preview_excel:describe_xlsx"),
    ("word/document.xml", "Word", "preview_documents:describe_word"),
    ("ppt/presentation.xml", "PowerPoint", "preview_documents:describe_slides"),
)
_ONLY_NAMED = (
    (0, b"\x89HDF\r\n\x1a\n", "HDF5 file", "pd.HDFStore or h5py read such files"),
    (0, b"\x93NUMPY", "NumPy array", "read it with numpy.load"),
    (8, b"DUCK", "DuckDB database", "read it with duckdb.connect(NAME, read_only=True)"),
    (0, b"$FL2", "SPSS file", "pd.read_spss reads such files"),
    (0, b"<stata_dta>", "Stata file", "read it with pd.read_stata"),
    (0, b"7z\xbc\xaf'\x1c", "7z archive", ""),
    (0, b"Rar!", "RAR archive", ""),
    (0, b"\x80\x04", "pickle, perhaps", "unpickling runs code from the file"),
    (0, b"\x80\x05", "pickle, perhaps", "unpickling runs code from the file"),
)


def describe(path: str, page: Page) -> None:
    """Put the preview of the file on the page. Raises whatever the libraries raise."""
    packed = look(path)
    if not packed.size and not packed.head:
        page.line("empty file (0 bytes)")
        return
    source = unpacked(packed)
    if not source.head:
        page.line(f"{source.packed}-compressed, with nothing in it")
        return
    kind, work = _find(source)
    promised = _NAMED.get(source.suffix)
    if promised and promised != kind:
        page.line(f"note: the name ends in {source.suffix}, but the content is {kind}; believe the content")
    work(source, page)


def _find(source: Source) -> tuple[str, Callable[[Source, Page], None]]:
    head = source.head
    for at, magic, kind, where in _BY_MAGIC:
        if head[at : at + len(magic)] == magic:
            if source.packed and kind != "tar":
                return kind, _packed_binary(kind)
            if kind == "old Excel" and "EncryptedPackage".encode("utf-16-le") in head:
                return "Excel", _locked_office
            return kind, _load(where)
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _in_zip(source)
    if b"%PDF-" in head[:1024]:
        return "PDF", _packed_binary("PDF") if source.packed else _load("preview_documents:describe_pdf")
    for at, magic, what, how in _ONLY_NAMED:
        if head[at : at + len(magic)] == magic:
            return what, _named(what, how)
    return _as_text(source)


def _in_zip(source: Source) -> tuple[str, Callable[[Source, Page], None]]:
    from .preview_packed import describe_zip, open_zip

    if source.packed:
        return "zip", _packed_binary("zip")
    with open_zip(source) as archive:
        names = set(archive.namelist())
    for part, kind, where in _BY_PART:
        if part in names:
            return kind, _load(where)
    if "xl/workbook.bin" in names:
        return "binary Excel", _named("binary Excel workbook (.xlsb)", "nothing here reads it")
    return ("OpenDocument" if "content.xml" in names and "mimetype" in names else "zip"), describe_zip


def _as_text(source: Source) -> tuple[str, Callable[[Source, Page], None]]:
    from .preview_text import describe_text, read_text

    text = read_text(source)
    if text is None:
        return "binary", _binary

    def work(source: Source, page: Page) -> None:
        from .preview_csv import describe_csv
        from .preview_delimited import find_table
        from .preview_json import describe_json

        if describe_json(source, text, page):
            return
        markup = text.start.lstrip("\ufeff \r\n\t").startswith("<")
        table = None if markup or source.suffix in (".md", ".py", ".sql", ".html", ".xml") else find_table(source, text)
        if table is not None:
            describe_csv(source, text, table, page)
        else:
            describe_text(source, text, page)

    return "text", work


def _load(where: str) -> Callable[[Source, Page], None]:
    module, _, name = where.partition(":")

    def work(source: Source, page: Page) -> None:
        _find_libraries()
        getattr(import_module(f".{module}", __package__), name)(source, page)

    return work


def _find_libraries() -> None:
    """The supervisor is started without a look at where they lie, which takes time."""
    if sys.flags.no_site:
        site.main()


def _named(what: str, how: str) -> Callable[[Source, Page], None]:
    return lambda source, page: page.line(f"{what}, {amount(source.size, 'byte')}{'; ' + how if how else ''}")


def _packed_binary(kind: str) -> Callable[[Source, Page], None]:
    return lambda source, page: page.line(f"{kind} in {source.packed} compression, {amount(source.size, 'byte')}: unpack it first")


def _locked_office(source: Source, page: Page) -> None:
    page.line("Office file protected by a password: it can't be read without it")


def _binary(source: Source, page: Page) -> None:
    page.line(
        f"binary file of unknown kind, {amount(source.size, 'byte')}{', ' + source.packed + '-compressed' if source.packed else ''}"
    )
    page.line("begins with: " + source.head[:32].hex(" "))
