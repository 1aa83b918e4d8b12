"""Work that says things while it goes on: what it emits, from any thread, comes out of an async iterator in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")
E = TypeVar("E")


class Live(Generic[E, T]):
    """Runs `work(emit)` as one task while its emitted items are iterated; then `.result` is what it returned.

    An error of the work is raised by the iteration. Leaving the iteration early cancels the work and waits for it.
    """

    result: T

    def __init__(self, work: Callable[[Callable[[E], None]], Awaitable[T]]) -> None:
        self._work = work

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
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
