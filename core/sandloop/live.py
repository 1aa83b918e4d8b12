"""Work that says things while it goes on: what it emits, from any thread, comes out of an async iterator in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

import anyio

STOP_SECONDS = 1.5
"""A little more than a sandbox gives its code between an interrupt and the kill, after which its files are still there."""
ASK_AGAIN_SECONDS = 0.2

T = TypeVar("T")
E = TypeVar("E")


class Live(Generic[E, T]):
    """Runs `work(emit)` as one task while its emitted items are iterated; then `.result` is what it returned.

    An error of the work is raised by the iteration. Leaving the iteration early cancels the work and waits for it.

    Args:
        work: What is to be done.
        stop: Asks the work to end by itself when the iteration is left early; it is cancelled when it has not in time.
        patience: That time, in seconds.
    """

    result: T

    def __init__(
        self,
        work: Callable[[Callable[[E], None]], Awaitable[T]],
        *,
        stop: Callable[[], Awaitable[None]] | None = None,
        patience: float = STOP_SECONDS,
    ) -> None:
        self._work, self._stop, self._patience = work, stop, patience

    async def items(self) -> AsyncGenerator[E]:
        """What the work emits, as it does."""
        loop = asyncio.get_running_loop()
        queue: asyncio.Queue[tuple[E] | None] = asyncio.Queue()

        def emit(item: E) -> None:
            loop.call_soon_threadsafe(queue.put_nowait, (item,))

        async def work() -> T:
            return await self._work(emit)

        task = asyncio.create_task(work())
        task.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (item := await queue.get()) is not None:
                yield item[0]
            self.result = await task
        finally:
            if not task.done():
                with anyio.CancelScope(shield=True):
                    await self._end(task)

    async def _end(self, task: asyncio.Task[T]) -> None:
        if self._stop is not None:
            with contextlib.suppress(Exception):
                self.result = await self._stopped(task, self._stop)
        if not task.done():
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _stopped(self, task: asyncio.Task[T], stop: Callable[[], Awaitable[None]]) -> T:
        """Asked again and again: the work may not have begun to listen. Raises `TimeoutError` when it goes on."""
        async with asyncio.timeout(self._patience):
            while not task.done():
                await stop()
                await asyncio.wait([task], timeout=min(ASK_AGAIN_SECONDS, self._patience))
        return task.result()
