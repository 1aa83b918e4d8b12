"""A session as core sees it: async, one operation at a time, nothing left behind when it is closed, cancelled or forgotten."""

from __future__ import annotations

import math
import weakref
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from typing import TypeVar

import anyio
from anyio import CapacityLimiter, to_thread
from anyio.lowlevel import RunVar

from sandloop.errors import SandloopError
from sandloop.events import CodeRan, Language, SandboxOpened
from sandloop.ports import Listing, LocalFile, OnOutput
from sandloop_sandbox import operations
from sandloop_sandbox.cage import Cage

T = TypeVar("T")
_threads: RunVar[CapacityLimiter] = RunVar("sandloop_threads")
_BATCH = 1 << 21
"""Bytes of a file that a thread brings at a time: a hop between threads costs as much as 40 kB."""


class LineSession:
    """A `SandboxSession` over a line to a supervisor. Blocking work is done in threads, left alone when the caller is cancelled."""

    def __init__(self, cage: Cage, opened: SandboxOpened) -> None:
        self._cage, self.opened = cage, opened
        self._limits = cage.limits
        self._turn = anyio.Lock()
        self._number = 0
        # The net for a session that nobody closed; also at the end of the interpreter.
        self._net = weakref.finalize(self, cage.end)

    async def put(self, files: Iterable[LocalFile]) -> None:
        for file in files:
            await self._put(file)

    async def _put(self, file: LocalFile) -> None:
        await self._do(lambda number: operations.put(self._cage.line, number, file))

    async def preview(self, name: str) -> str:
        return await self._do(lambda number: operations.preview(self._cage.line, number, name))

    async def run(self, code_id: str, source: str, language: Language, on_output: OnOutput) -> CodeRan:
        limits = self._limits
        return await self._do(lambda number: operations.run(self._cage.line, number, code_id, source, language, limits, on_output))

    async def files(self) -> Listing:
        return await self._do(lambda number: operations.listing(self._cage.line, number))

    async def get(self, name: str) -> AsyncIterator[bytes]:
        async with self._turn:
            self._number += 1
            pieces = operations.get(self._cage.line, self._number, name, self._limits.file_bytes)
            over = False
            try:
                while not over:
                    try:
                        batch, over = await self._in_thread(lambda: _batch(pieces))
                    except BaseException:
                        over = True  # refused, or the cage was ended: there is no rest
                        raise
                    for piece in batch:
                        yield piece
            finally:
                if not over:
                    # The caller wants no more; the rest is on its way, and the next answer comes after it.
                    with anyio.CancelScope(shield=True):
                        await self._in_thread(lambda: _exhaust(pieces))

    async def interrupt(self) -> None:
        number = self._number
        await _run_sync(lambda: self._cage.line.command(op="interrupt", n=number))

    async def close(self) -> None:
        self._net()

    async def _do(self, work: Callable[[int], T]) -> T:
        async with self._turn:
            self._number += 1
            number = self._number
            return await self._in_thread(lambda: work(number))

    async def _in_thread(self, work: Callable[[], T]) -> T:
        """Blocking work, and the end of the cage when it was not done to its end: half an exchange can't be continued."""
        try:
            return await _run_sync(work)
        except SandloopError as error:
            if error.exit_code == 4:
                self._cage.end()
            raise
        except BaseException:
            self._cage.end()
            raise


async def _run_sync(work: Callable[[], T]) -> T:
    """In a thread, however many cells run: each blocks one, and the limiter that everybody shares ends at 40."""
    try:
        limiter = _threads.get()
    except LookupError:
        limiter = CapacityLimiter(math.inf)
        _threads.set(limiter)
    return await to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)


def _batch(pieces: Iterator[bytes]) -> tuple[list[bytes], bool]:
    batch: list[bytes] = []
    size = 0
    for piece in pieces:
        batch.append(piece)
        size += len(piece)
        if size >= _BATCH:
            return batch, False
    return batch, True


def _exhaust(pieces: Iterator[bytes]) -> None:
    for _ in pieces:
        continue
