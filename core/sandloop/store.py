"""Where the bytes of a run are on this machine: a private folder, a file per content, gone with its last result."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
import weakref
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import BinaryIO, Literal

from sandloop.errors import BadFile
from sandloop.events import FileMade
from sandloop.mime import mime_of
from sandloop.names import clean_path
from sandloop.scratch import scratch_folder, writing
from sandloop.sizes import human_size

_LARGE = 1 << 18


class FileStore:
    """Files by the SHA-256 of their content, in a folder that only this user can read.

    The folder goes when the store is no longer referenced, at the latest when the process ends; a `Result` holds its store.
    """

    def __init__(self, *, file_bytes: int, also: Sequence[Path] = ()) -> None:
        self.folder = scratch_folder()
        self.file_bytes = file_bytes
        self.also = list(also)
        """Folders of kept runs, in which the bytes of earlier files are; never written."""
        self._gone = weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)

    def path(self, sha256: str) -> Path:
        """Where the bytes with that sum are, or would be."""
        if len(sha256) != 64 or not set(sha256) <= set("0123456789abcdef"):
            raise ValueError(f"not a SHA-256: {sha256!r}")
        own = self.folder / sha256
        if self.also and not own.exists():
            return next((kept for folder in self.also if _is_file(kept := folder / sha256)), own)
        return own

    def has(self, sha256: str) -> bool:
        """Whether the bytes with that sum are here."""
        try:
            return self.path(sha256).is_file()
        except ValueError:
            return False

    async def add(
        self, name: str, chunks: AsyncIterator[bytes], *, code_id: str | None = None, change: Literal["new", "changed"] = "new"
    ) -> FileMade:
        """Keep the bytes under a cleaned name.

        Raises `BadFile` when there are more than `file_bytes`, `StorageFailed` when this machine has no room for them.
        """
        clean = clean_path(name)
        with writing(self.folder.parent):
            handle, unfinished = tempfile.mkstemp(dir=self.folder)
            try:
                with os.fdopen(handle, "wb") as file:
                    size, sha256 = await self._copy(chunks, file, clean)
                mime = mime_of(Path(unfinished), clean)
                Path(unfinished).replace(self.folder / sha256)
            except BaseException:
                Path(unfinished).unlink(missing_ok=True)
                raise
        return FileMade(name=clean, size=size, mime=mime, sha256=sha256, change=change, code_id=code_id)

    async def _copy(self, chunks: AsyncIterator[bytes], file: BinaryIO, name: str) -> tuple[int, str]:
        size, digest, loop = 0, hashlib.sha256(), asyncio.get_running_loop()
        keeping: asyncio.Future[None] | None = None

        def keep(chunk: bytes) -> None:
            digest.update(chunk)
            file.write(chunk)

        async for chunk in chunks:
            size += len(chunk)
            if size > self.file_bytes:
                raise BadFile(
                    name=name,
                    why=f"was made by the code and is over {human_size(self.file_bytes)}, so it was not brought back",
                    do="Raise Limits.file_bytes, or ask for a smaller file",
                )
            if keeping is not None:
                await keeping
                keeping = None
            if len(chunk) > _LARGE:  # by a thread, while the next one comes
                keeping = loop.run_in_executor(None, keep, chunk)
            else:
                keep(chunk)
        if keeping is not None:
            await keeping
        return size, digest.hexdigest()

    def add_bytes(self, content: bytes, sha256: str) -> None:
        """Keep bytes whose sum is known, as from a stored result. Raises `ValueError` when the sum is another."""
        if hashlib.sha256(content).hexdigest() != sha256:
            raise ValueError(f"content does not have the SHA-256 {sha256}")
        with writing(self.folder.parent):
            (self.folder / sha256).write_bytes(content)


def _is_file(path: Path) -> bool:
    """Whether it is a file of its own: in a folder that others may have made, a link could lead to anything of the user's."""
    return path.is_file() and not path.is_symlink() and not path.parent.is_symlink()
