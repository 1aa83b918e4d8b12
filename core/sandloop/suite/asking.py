"""Asking one run of a suite: when its turn comes, whatever comes of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sandloop import codec
from sandloop.comparing.lanes import AT_ONCE, lane_of
from sandloop.errors import BadKey, KeyRefused, MissingExtra, MissingKey, ModelNotFound, ProviderError, SandloopError
from sandloop.events import Event
from sandloop.ports import LocalFile
from sandloop.session import AsyncSession
from sandloop.settings import Settings
from sandloop.suite.kept import Asked
from sandloop.suite.planned import Slot

HOPELESS = (BadKey, MissingKey, MissingExtra, KeyRefused, ModelNotFound)
"""Errors that the next question would meet again."""
MAX_MESSAGE = 5_000
KEPT = 1_000_000
"""Runs in the results' folder: none goes by itself, since each is an answer that was paid for."""


class Asker:
    """Asks the models of a suite, in the lanes of `sandloop.comparing.lanes`.

    Args:
        models: All that will be asked.
        call: The call's layer of settings.
        resolved: All layers.
        runs: Where the runs are kept.
        concurrency: Runs at the same time; None: as a comparison has it.
    """

    def __init__(self, models: Sequence[str], *, call: Settings, resolved: Settings, runs: Path, concurrency: int | None) -> None:
        self._settings = replace(call, runs=str(runs.absolute()), runs_kept=KEPT)
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._lane_of: dict[str, str] = {}
        self._room = asyncio.Semaphore(concurrency or AT_ONCE)
        self._hopeless: dict[str, Exception] = {}
        """Models that no question will reach, and why."""
        for model in models:
            try:
                lane = lane_of(model, resolved)
            except ProviderError as error:  # its kept answers can be judged all the same
                self._hopeless[model] = error
            else:
                self._lane_of[model] = lane.name
                self._lanes.setdefault(lane.name, asyncio.Semaphore(concurrency or lane.at_once))

    async def ask(self, question: str, files: Sequence[LocalFile], slot: Slot, tell: Callable[[Event], None]) -> Asked:
        """How it ended; what it did is in the slot. Only a cancellation comes out."""
        model = slot.way.model
        began, error = time.monotonic(), self._hopeless.get(model)
        at = datetime.now(UTC).isoformat(timespec="seconds")
        if error is None:
            async with self._lanes[self._lane_of[model]], self._room:
                began = time.monotonic()
                error = self._hopeless.get(model) or await self._asked(question, files, slot, tell)
        if isinstance(error, HOPELESS):
            self._hopeless.setdefault(model, error)
        return Asked(
            run=slot.result.id if slot.result is not None else "",
            error=type(error).__name__ if error else "",
            message=codec.clean_text(_sentence(error))[:MAX_MESSAGE] if error else "",
            seconds=round(time.monotonic() - began, 3),
            at=at,
        )

    async def _asked(
        self, question: str, files: Sequence[LocalFile], slot: Slot, tell: Callable[[Event], None]
    ) -> Exception | None:
        """The error that ended it, if one did."""
        way = slot.way
        try:
            session = AsyncSession(way.asked, route=way.route, limits=way.limits, packages=way.packages, settings=self._settings)
        except Exception as error:
            return error
        try:
            async with aclosing(session.stream(question, files)) as events:
                async for event in events:
                    tell(event)
        except Exception as error:
            return error
        finally:
            slot.result = session.result if session.result is not None and session.result.events else None
            with contextlib.suppress(Exception):  # its answer is there, and the others go on
                await session.close()
        return None


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, SandloopError) else f"internal error: {type(error).__name__}: {error}"
