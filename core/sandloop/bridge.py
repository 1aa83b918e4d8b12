"""Async work driven from synchronous code, also where an event loop is already running (a notebook, a web server)."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import ExitStack, aclosing, suppress
from queue import Empty, SimpleQueue
from typing import Literal, TypeAlias, TypeVar

from anyio.from_thread import BlockingPortal, start_blocking_portal

T = TypeVar("T")
_Call: TypeAlias = Callable[[], None]
_Item: TypeAlias = "tuple[Literal['item'], T] | tuple[Literal['call'], _Call] | tuple[Literal['end'], BaseException | None]"


class Background:
    """A thread with an event loop, in which something async lives for its synchronous owner.

    Both end when the owner is dropped, at the latest when the process ends. In a forked child, which has no such thread, nothing
    is ended: all is the parent's.

    Args:
        owner: With its end comes the end of the thread.
        close: What to do before; it must not refer to the owner, or only the end of the process ends it.
    """

    def __init__(self, owner: object, close: Callable[[], Awaitable[None]]) -> None:
        stack = ExitStack()
        self.portal = stack.enter_context(start_blocking_portal())
        """Through which things are done in the thread."""
        stack.callback(_end, self.portal, close)
        self.close = weakref.finalize(owner, _close, stack, self.portal, os.getpid())
        """Ends both now. Idempotent."""


def _end(portal: BlockingPortal, close: Callable[[], Awaitable[None]]) -> None:
    """Also what a KeyboardInterrupt at a bad moment left running, which would keep the thread alive for ever."""
    portal.call(close)
    portal.call(portal.stop, True)


def _close(stack: ExitStack, portal: BlockingPortal, process: int) -> None:
    if os.getpid() == process:
        stack.close()
        return
    with suppress(StopIteration):
        portal.stop().send(None)  # without a thread there is no loop that could; without it, dropping the portal waits for ever
    stack.pop_all()


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
            match _next(items):
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
            while _next(items)[0] != "end":
                pass


def _next(items: SimpleQueue[_Item[T]]) -> _Item[T]:
    """The next item. It looks up once a second, since a signal that came just before the wait would not end it."""
    while True:
        with suppress(Empty):
            return items.get(timeout=1)
