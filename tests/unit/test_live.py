"""Work whose items are iterated while it goes on, and what becomes of it when nobody iterates any more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing

import pytest

from sandloop.live import Live


async def left_after_the_first(live: Live[str, str]) -> None:
    async with aclosing(live.items()) as items:
        async for item in items:
            assert item == "begun"
            return


class Work:
    """Goes on until it is asked to end for the `hears`-th time, or is cancelled."""

    def __init__(self, hears: int | None) -> None:
        self.hears, self.asked = hears, 0
        self.cancelled = False
        self._over = asyncio.Event()

    async def __call__(self, emit: Callable[[str], None]) -> str:
        emit("begun")
        try:
            await self._over.wait()
        except asyncio.CancelledError:
            self.cancelled = True
            raise
        return f"ended when asked for the {self.asked}. time"

    async def stop(self) -> None:
        self.asked += 1
        if self.asked == self.hears:
            self._over.set()


async def test_work_left_early_is_asked_to_end_and_gives_its_result() -> None:
    work = Work(hears=1)
    live = Live(work, stop=work.stop)
    await left_after_the_first(live)
    assert live.result == "ended when asked for the 1. time"
    assert not work.cancelled


async def test_it_is_asked_again_as_it_may_not_have_listened_yet() -> None:
    work = Work(hears=2)
    live = Live(work, stop=work.stop)
    await left_after_the_first(live)
    assert live.result == "ended when asked for the 2. time"


@pytest.mark.parametrize("asks", [True, False])
async def test_work_that_does_not_hear_or_can_not_be_asked_is_cancelled(asks: bool) -> None:
    work = Work(hears=None)
    live = Live(work, stop=work.stop if asks else None, patience=0.01)
    await left_after_the_first(live)
    assert work.cancelled
    assert not hasattr(live, "result")


async def test_a_cancelled_iteration_asks_too() -> None:
    work = Work(hears=1)
    live = Live(work, stop=work.stop)
    begun = asyncio.Event()

    async def iterate() -> None:
        async with aclosing(live.items()) as items:
            async for _ in items:
                begun.set()

    task = asyncio.create_task(iterate())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert live.result == "ended when asked for the 1. time"
