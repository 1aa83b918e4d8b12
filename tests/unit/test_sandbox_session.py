"""A session's hand-over between the event loop and its threads, on a container that only the test moves."""

from __future__ import annotations

import threading
from typing import cast

import anyio
import pytest

from sandloop.events import SandboxOpened
from sandloop.limits import Limits
from sandloop_image import frames
from sandloop_sandbox.cage import Cage
from sandloop_sandbox.session import LineSession


class StuckContainer:
    """Its supervisor takes commands and never answers; it can be ended, which wakes nobody."""

    def __init__(self) -> None:
        self.limits = Limits()
        self.reading, self.go_on, self.ended = threading.Event(), threading.Event(), False

    @property
    def line(self) -> StuckContainer:
        return self

    def command(self, **fields: object) -> None:
        """As of a line."""

    def read(self, deadline: float) -> frames.Frame:
        self.reading.set()
        self.go_on.wait(10)
        return frames.ANSWER, frames.record({"op": "get", "n": 1, "refused": ""})

    def end(self) -> None:
        self.ended = True


async def test_a_cancelled_fetch_is_a_cancelled_fetch_while_its_thread_still_reads() -> None:
    stuck = StuckContainer()
    session = LineSession(cast("Cage", stuck), SandboxOpened(sandbox="stuck", id="s"))

    async def fetch() -> None:
        async for _ in session.get("big"):
            pytest.fail("nothing was sent")

    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(fetch)
            await anyio.to_thread.run_sync(stuck.reading.wait, 10)
            tasks.cancel_scope.cancel()
    finally:
        stuck.go_on.set()
    assert stuck.ended
