"""The files of a question: found, checked, hashed and named, each as the code will see it. Never changed, never parsed here."""

from __future__ import annotations

import glob
import hashlib
import io
import os
import shutil
import stat
import tempfile
import weakref
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, BinaryIO, TypeAlias

from sandloop.errors import BadFile, UsageError
from sandloop.events import FileMade, InputFile
from sandloop.mime import mime_of
from sandloop.names import clean_component, without_collision
from sandloop.ports import LocalFile
from sandloop.scratch import scratch_folder, writing
from sandloop.sizes import human_size

FileLike: TypeAlias = str | os.PathLike[str] | tuple[str, bytes] | IO[bytes] | LocalFile
"""A path or glob, a name with its bytes, an open binary file, or a file that another session has found and measured."""

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Resolved:
    """The files, and what the user should know about their names."""

    files: tuple[LocalFile, ...]
    notes: tuple[str, ...] = ()


class Inputs:
    """The input files of one session: names stay unique over all its questions, and all sizes count together."""

    def __init__(self, *, input_bytes: int) -> None:
        self.files: list[LocalFile] = []
        self.carried: list[LocalFile] = []
        """Made by the provider's code, for the local sandbox alone."""
        self._seen: set[tuple[str, str]] = set()
        """Name and sum of all that `carry` was given."""
        self._room = input_bytes
        self._limit = input_bytes
        self._spool: Path | None = None

    def add(self, given: Sequence[FileLike]) -> Resolved:
        """Take more files. Raises `BadFile` for one that can't be taken; then none of them is.

        A file given twice with the same content counts once; another file of a taken name gets a number, and a note says so.
        """
        if isinstance(given, str | bytes | os.PathLike):
            raise UsageError(f"files is {given!r}, and must be a list. Write files=[{given!r}].")
        before, room = list(self.files), self._room
        try:
            return self._add(given)
        except BaseException:
            self.files, self._room = before, room
            raise

    def _add(self, given: Sequence[FileLike]) -> Resolved:
        new: list[LocalFile] = []
        notes: list[str] = []
        for wanted, path, known in (each for item in given for each in self._each(item)):
            size, sha256 = self._measured(known) if known is not None else self._measure(wanted, path)
            clean = clean_component(Path(wanted).name if "/" in wanted else wanted)
            same = next((f for f in self.files if f.file.sha256 == sha256 and f.file.name.lower() == clean.lower()), None)
            if same is not None:
                continue
            name = without_collision(clean, self._taken())
            if name != clean:
                notes.append(f"There is already a file {clean!r}; the one from {wanted!r} is called {name!r}.")
            elif clean != Path(wanted).name:
                notes.append(f"The file {wanted!r} is called {clean!r} for the code.")
            self._room -= size
            mime = known.mime if known is not None else mime_of(path, name)
            file = LocalFile(file=InputFile(name=name, size=size, mime=mime, sha256=sha256), path=path)
            self.files.append(file)
            new.append(file)
        return Resolved(files=tuple(new), notes=tuple(notes))

    def carry(self, made: Iterable[tuple[FileMade, Path]]) -> Resolved:
        """Take files that the provider's code made, and where they are, beside the inputs; those taken before are left out."""
        new: list[LocalFile] = []
        notes: list[str] = []
        for file, path in made:
            if (file.name, file.sha256) in self._seen:
                continue
            self._seen.add((file.name, file.sha256))
            if file.size > self._room:
                why = f"over Limits.input_bytes = {human_size(self._limit)} for all input files"
                notes.append(f"{file.name!r} was not put into the local sandbox: it is {human_size(file.size)}, {why}.")
                continue
            self._room -= file.size
            name = without_collision(clean_component(Path(file.name).name), self._taken())
            new.append(LocalFile(file=InputFile(name=name, size=file.size, mime=file.mime, sha256=file.sha256), path=path))
            self.carried.append(new[-1])
        return Resolved(files=tuple(new), notes=tuple(notes))

    def _taken(self) -> set[str]:
        return {f.file.name.lower() for f in [*self.files, *self.carried]}

    def _each(self, item: FileLike) -> Iterator[tuple[str, Path, InputFile | None]]:
        if isinstance(item, LocalFile):
            yield item.file.name, item.path, item.file
        else:
            yield from ((name, path, None) for name, path in self._paths(item))

    def _measured(self, file: InputFile) -> tuple[int, str]:
        if file.size > self._room:
            raise self._too_large(file.name, file.size)
        return file.size, file.sha256

    def _paths(self, item: str | os.PathLike[str] | tuple[str, bytes] | IO[bytes]) -> Iterator[tuple[str, Path]]:
        if isinstance(item, tuple) and [type(part) for part in item] == [str, bytes]:
            name, content = item
            yield name, self._spooled(name, [content])
        elif isinstance(item, str | os.PathLike):
            yield from _found(os.fspath(item))
        elif isinstance(item, tuple | bytes | io.TextIOBase) or not hasattr(item, "read"):
            raise UsageError(
                f"A file was given as {type(item).__name__}, which can't be read as one. "
                "Give a path, (name, bytes), or a file opened with 'rb'."
            )
        else:
            name = Path(str(getattr(item, "name", "file"))).name or "file"
            yield name, self._spooled(name, _pieces(item))

    def _spooled(self, name: str, pieces: Iterable[bytes]) -> Path:
        if self._spool is None:
            self._spool = scratch_folder()
            weakref.finalize(self, shutil.rmtree, self._spool, ignore_errors=True)
        with writing(self._spool.parent):
            handle, path = tempfile.mkstemp(dir=self._spool)
            size = 0
            with os.fdopen(handle, "wb") as file:
                for piece in pieces:
                    size += len(piece)
                    if size > self._room:
                        raise self._too_large(name, size)
                    file.write(piece)
        return Path(path)

    def _measure(self, name: str, path: Path) -> tuple[int, str]:
        size, digest = 0, hashlib.sha256()
        try:
            with path.open("rb") as file:
                if (known := os.fstat(file.fileno()).st_size) > self._room:
                    raise self._too_large(name, known)
                for piece in _pieces(file):
                    size += len(piece)
                    if size > self._room:
                        raise self._too_large(name, size)
                    digest.update(piece)
        except PermissionError:
            raise BadFile(name=name, why="may not be read by this user", do="Change its permissions, or copy it") from None
        except OSError as error:
            raise BadFile(name=name, why=f"can't be read: {error.strerror}", do="Check the disk, or copy the file") from error
        if size == 0:
            raise BadFile(name=name, why="is empty (0 bytes)", do="Give a file with content, or leave it out")
        return size, digest.hexdigest()

    def _too_large(self, name: str, size: int) -> BadFile:
        used = self._limit - self._room
        beside = f" beside {human_size(used)} of other files" if used else ""
        return BadFile(
            name=name,
            why=f"is {human_size(size)}{beside}, over the limit of {human_size(self._limit)} for all input files",
            do="Raise it with SANDLOOP_INPUT_BYTES or Limits(input_bytes=...), or give a part of the file",
        )


def expanded(text: str) -> Path:
    """The path, with a user's home folder where it begins with one; `~` and a name that no user has stay, as in a shell."""
    return Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib's raises where nobody has that name


def _found(text: str) -> Iterator[tuple[str, Path]]:
    """The file at a path, or the files of a glob; a path that exists is never read as a glob."""
    if not text or "\0" in text:
        raise BadFile(name=text, why="is not a file name", do="Give the path of a file")
    path = expanded(text)
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        if glob.has_magic(text):
            yield from _globbed(text)
            return
        raise BadFile(name=text, why="does not exist", do="Check the path and the folder you are in") from None
    except PermissionError:
        raise BadFile(name=text, why="may not be read by this user", do="Change its permissions, or copy it") from None
    except OSError as error:
        raise BadFile(name=text, why=f"can't be opened: {error.strerror}", do="Check the path") from error
    if stat.S_ISDIR(mode):
        raise BadFile(name=text, why="is a folder", do=f"Name the files in it, for example '{text.rstrip('/')}/*.csv'")
    if not stat.S_ISREG(mode):
        raise BadFile(name=text, why="is not a regular file", do="Copy its content into a file first")
    yield text, path


def _globbed(pattern: str) -> Iterator[tuple[str, Path]]:
    """Regular files only: a folder or a link that a pattern happens to match is not what the user named."""
    matches = sorted(p for p in glob.glob(os.path.expanduser(pattern), recursive=True))  # noqa: PTH207, PTH111 - text in, text out
    taken = [p for p in map(Path, matches) if p.is_file() and not p.is_symlink()]
    if not taken:
        raise BadFile(name=pattern, why="matches no file", do="Check the pattern and the folder you are in")
    yield from ((str(p), p) for p in taken)


def _pieces(file: BinaryIO | IO[bytes]) -> Iterator[bytes]:
    while piece := file.read(_CHUNK):
        yield piece
