"""Events up to a moment."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from sandloop.errors import LimitReached
from sandloop.events import Event


async def in_time(events: AsyncGenerator[Event], seconds: float, began: float) -> AsyncGenerator[Event]:
    """The events, until `seconds` after `began` are over. The clock is set around each one, never across a yield.

    Raises `LimitReached`.
    """
    async with aclosing(events) as open_events:
        while True:
            try:
                async with asyncio.timeout(max(0.0, seconds - (time.monotonic() - began))):
                    event = await anext(open_events)
            except StopAsyncIteration:
                return
            except TimeoutError:
                raise LimitReached(limit="seconds", value=seconds) from None
            yield event
