"""Async work driven from synchronous code, also where an event loop is already running (a notebook, a web server)."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator
from contextlib import aclosing
from queue import SimpleQueue
from typing import Literal, TypeAlias, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")
_Item: TypeAlias = "tuple[Literal['item'], T] | tuple[Literal['end'], BaseException | None]"


def iterate(start: Callable[[], AsyncGenerator[T]], portal: BlockingPortal | None = None) -> Generator[T]:
    """The items of an async iterator. It is run in another thread's loop, wholly in one task, since cancel scopes may span it.

    A caller that stops early, and Ctrl-C, cancel the task and wait until it has cleaned up.

    Args:
        portal: The thread to run in, when the caller keeps one; else one is started and ended here.
    """
    if portal is None:
        with start_blocking_portal() as own:
            yield from iterate(start, own)
        return
    items: SimpleQueue[_Item[T]] = SimpleQueue()

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
