"""Async work driven from synchronous code, also where an event loop is already running (a notebook, a web server)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from queue import SimpleQueue
from typing import Literal, TypeAlias, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")
_Call: TypeAlias = Callable[[], None]
_Item: TypeAlias = "tuple[Literal['item'], T] | tuple[Literal['call'], _Call] | tuple[Literal['end'], BaseException | None]"


class Caller:
    """The thread that iterates, for async work that must have something done there: asking a person, who may press Ctrl-C."""

    def __init__(self) -> None:
        self.put: Callable[[_Call], None] | None = None
        """Set while somebody iterates."""

    async def call(self, function: Callable[[], T]) -> T:
        """What the function gives, run by the thread that iterates. An error that it raises is raised there."""
        put, loop = self.put, asyncio.get_running_loop()
        if put is None:
            raise RuntimeError("nobody iterates")
        answer: asyncio.Future[T] = loop.create_future()

        def settle(given: T) -> None:
            if not answer.cancelled():
                answer.set_result(given)

        def work() -> None:
            loop.call_soon_threadsafe(settle, function())

        put(work)
        return await answer


def iterate(
    start: Callable[[], AsyncGenerator[T]], portal: BlockingPortal | None = None, caller: Caller | None = None
) -> Generator[T]:
    """The items of an async iterator. It is run in another thread's loop, wholly in one task, since cancel scopes may span it.

    A caller that stops early, and Ctrl-C, cancel the task and wait until it has cleaned up.

    Args:
        portal: The thread to run in, when the caller keeps one; else one is started and ended here.
        caller: Through which the async side has things done in this thread.
    """
    if portal is None:
        with start_blocking_portal() as own:
            yield from iterate(start, own, caller)
        return
    items: SimpleQueue[_Item[T]] = SimpleQueue()
    if caller is not None:
        caller.put = lambda work: items.put(("call", work))

    async def pump() -> None:
        try:
            async with aclosing(start()) as source:
                async for item in source:
                    items.put(("item", item))
        except BaseException as error:
            items.put(("end", error))
            if not isinstance(error, Exception):
                raise
        else:
            items.put(("end", None))

    task = portal.start_task_soon(pump)
    over = False
    try:
        while True:
            match items.get():
                case ("item", item):
                    yield item
                case ("call", work):
                    work()
                case ("end", error):
                    over = True
                    if error is not None:
                        raise error
                    return
    finally:
        if not over:
            task.cancel()
            while items.get()[0] != "end":
                pass
