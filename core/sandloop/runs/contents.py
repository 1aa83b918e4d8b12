"""The contents of files, kept by their SHA-256: those of inputs once for all runs, those of made files in their run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from sandloop.events import FileMade
from sandloop.names import clean_path
from sandloop.ports import LocalFile
from sandloop.regular import open_regular
from sandloop.runs.place import CONTENT, FILES, KEPT_INPUTS, NEW
from sandloop.sizes import human_size

KEPT_BYTES = 100_000_000
"""An input file above this is kept by its path and its sum alone."""
_PIECE = 1 << 20


def keep_inputs(folder: Path, files: Iterable[LocalFile], *, stopped: Callable[[], bool]) -> list[str]:
    """Copy the contents that are not there yet; returns what could not be kept, in words. An input is never linked: its owner
    may change it.

    Args:
        stopped: Asked between pieces: the caller has no more time.
    """
    notes: list[str] = []
    for file in files:
        target = folder / KEPT_INPUTS / file.file.sha256
        if file.file.size > KEPT_BYTES or target.exists():
            continue
        try:
            target.parent.mkdir(mode=0o700, exist_ok=True)
            kept = _copied(file.path, target, stopped)
        except OSError as error:
            notes.append(f"The content of {file.file.name!r} is not kept with the run: {error.strerror}.")
            continue
        if kept is False:
            notes.append(f"The content of {file.file.name!r} is not kept with the run: it was changed meanwhile.")
        elif kept is None:
            break
    return notes


def _copied(source: Path, target: Path, stopped: Callable[[], bool]) -> bool | None:
    """True when the content has the sum that the target is named for; None when it was stopped."""
    digest = hashlib.sha256()
    handle, unfinished = tempfile.mkstemp(prefix=NEW, dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as out, source.open("rb") as content:
            while piece := content.read(_PIECE):
                if stopped():
                    return None
                digest.update(piece)
                out.write(piece)
        if digest.hexdigest() != target.name:
            return False
        Path(unfinished).replace(target)
        return True
    finally:
        Path(unfinished).unlink(missing_ok=True)


def keep_made(run: Path, made: FileMade, source: Path) -> None:
    """Keep a made file by its content and, for a person, by its name. The source is our own and never written again, so it is
    linked where the disk can. Raises `OSError`."""
    content = run / CONTENT / made.sha256
    if not content.exists():
        content.parent.mkdir(mode=0o700, exist_ok=True)
        _linked(source, content)
    named = run / FILES / clean_path(made.name)
    with contextlib.suppress(OSError):  # a folder where a file of that name is: its content is kept all the same
        for parent in reversed([p for p in named.parents if p.is_relative_to(run / FILES)]):
            parent.mkdir(mode=0o700, exist_ok=True)
        _linked(content, named)


def _linked(source: Path, target: Path) -> None:
    """In one step, also over an older one."""
    new = target.with_name(f"{NEW}{os.getpid()}-{target.name[:100]}")
    new.unlink(missing_ok=True)
    try:
        os.link(source, new)
    except OSError:
        shutil.copyfile(source, new)
        new.chmod(0o600)
    new.replace(target)
    new.unlink(missing_ok=True)  # a rename of two links to one file does nothing


def has_sum(path: Path, sha256: str) -> bool:
    """Whether the file is there and has that content."""
    try:
        with open_regular(path, follow=True) as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def found_input(folder: Path, sha256: str, original: Path | None) -> Path | None:
    """Where an input's content is: among the kept ones, or where it came from; None when it is in neither, or was changed."""
    places = (folder / KEPT_INPUTS / sha256, original)
    return next((path for path in places if path is not None and has_sum(path, sha256)), None)


def why_gone(size: int, original: Path | None) -> str:
    """Why an input's content can't be had, for an error."""
    if original is None:
        return "was given as bytes, and its content is no longer kept"
    kept = f"its {human_size(size)} were too large to keep" if size > KEPT_BYTES else "its content is no longer kept"
    return f"can't be had as it was: {kept}, and {original} is gone or was changed since"
