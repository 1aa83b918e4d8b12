"""Async driven from sync: plain, inside a running loop, with an error, and with a caller that stops early."""

from __future__ import annotations

from collections.abc import AsyncGenerator

import anyio
import anyio.lowlevel
import pytest
from anyio.from_thread import start_blocking_portal

from sandloop.bridge import iterate


class Source:
    """Counts to `stop`, and remembers whether it was cleaned up."""

    def __init__(self, stop: int, error: Exception | None = None) -> None:
        self.stop, self.error, self.cleaned = stop, error, False

    async def __call__(self) -> AsyncGenerator[int]:
        try:
            for number in range(self.stop):
                await anyio.lowlevel.checkpoint()
                yield number
            if self.error is not None:
                raise self.error
            if self.stop == 3:
                await anyio.sleep_forever()
        finally:
            self.cleaned = True


def test_items_come_in_order() -> None:
    assert list(iterate(Source(5))) == [0, 1, 2, 3, 4]


async def test_it_works_inside_a_running_loop() -> None:
    assert list(iterate(Source(2))) == [0, 1]


def test_an_error_inside_is_raised_outside() -> None:
    source = Source(2, ValueError("inside"))
    with pytest.raises(ValueError, match="inside"):
        list(iterate(source))
    assert source.cleaned


@pytest.mark.parametrize("shared", [False, True])
def test_a_caller_that_stops_early_waits_for_the_clean_up(shared: bool) -> None:
    source = Source(3)
    if shared:
        with start_blocking_portal() as portal:
            for item in iterate(source, portal):
                if item == 2:
                    break
            assert list(iterate(Source(2), portal)) == [0, 1]
    else:
        items = iterate(source)
        assert next(items) == 0
        items.close()
    assert source.cleaned
