"""One question to several models at once. Each has a session of its own, and nothing that happens to one reaches the others."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

import anyio

from sandloop import codec
from sandloop.comparing.comparison import Agreement, Comparison, Entry, labels
from sandloop.comparing.lanes import AT_ONCE, lane_of
from sandloop.comparing.sameness import check_tolerance
from sandloop.errors import SandloopError, UsageError
from sandloop.events import Event, Failed
from sandloop.files import FileLike, Inputs
from sandloop.limits import Limits
from sandloop.notebook.live import watched
from sandloop.options import SandboxOptions
from sandloop.session import AsyncSession
from sandloop.settings import Route, Settings, resolve

OnEvent: TypeAlias = Callable[[str, Event], None]
"""Told each event with the label of its entry."""
MAX_ENTRIES = 200
CANCELLED = "Cancelled"
STOPPED = "Stopped before it had answered. What it had so far is kept; ask again for the rest."
NOT_BEGUN = "Stopped before it began. Ask again."
NOT_COMPARED = "stopped before the answers were compared"


@dataclass(slots=True)
class _Asked:
    """One entry while it is made."""

    model: str
    number: int
    label: str
    session: AsyncSession | None = None
    lane: str = ""
    began: float | None = None
    entry: Entry | None = None


class Comparing:
    """A comparison as it is made; `acompare` and `compare` are `run` of one.

    Kept by its caller, it has what was done also after it was cancelled. Arguments and errors as in `acompare`.
    """

    def __init__(
        self,
        question: str,
        files: Sequence[FileLike] = (),
        *,
        models: Sequence[str],
        repeat: int = 1,
        route: Route | None = None,
        limits: Limits | None = None,
        packages: Sequence[str] | None = None,
        settings: Settings | None = None,
        concurrency: int | None = None,
        judge: str | None = None,
        tolerance: float | None = None,
        on_event: OnEvent | None = None,
    ) -> None:
        _check(question, models, repeat, concurrency)
        check_tolerance(tolerance)
        self.question = codec.clean_text(question)
        self.comparison: Comparison | None = None
        """All that there is, once `run` has begun to end: also when it was cancelled."""
        self.notes: tuple[str, ...] = ()
        """What the user should know about the files' names."""
        call = settings or Settings()
        self._call = replace(call, route=route or call.route, limits=limits or call.limits)
        self._packages = packages
        self._settings = resolve(self._call, packages=packages)
        self._files = files
        self._inputs = Inputs(input_bytes=(self._settings.limits or Limits()).input_bytes)
        self._concurrency, self._judge, self._tolerance = concurrency, judge, tolerance
        self.on_event = on_event
        self._asked = [_Asked(codec.clean_text(m), n, codec.clean_text(label)) for m, n, label in labels(models, repeat)]
        self._id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        self._at = datetime.now(UTC).isoformat(timespec="seconds")
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._room = asyncio.Semaphore(concurrency or AT_ONCE)

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the entries, in order."""
        return tuple(asked.label for asked in self._asked)

    async def run(self) -> Comparison:
        """Ask all of them and hold their answers against each other. To be called once.

        Cancelled, it stops what still runs, deletes what was uploaded and made, and leaves what was done in `comparison`. In a
        notebook, it is drawn as it happens.
        """
        with watched(self.labels, self._settings.notebook) as drawn:
            self._drawn = drawn
            return await self._run()

    async def _run(self) -> Comparison:
        resolved = await asyncio.to_thread(self._inputs.add, self._files)
        self.notes = resolved.notes
        try:
            self._open()
            async with anyio.create_task_group() as group:
                for asked in self._asked:
                    if asked.session is not None:
                        group.start_soon(self._ask, asked, asked.session)
        finally:
            self.comparison = self._so_far()
            with anyio.CancelScope(shield=True):  # one that was cancelled before its task began
                closing = [asked.session.close() for asked in self._asked if asked.session is not None]
                await asyncio.gather(*closing, return_exceptions=True)
        self.comparison = replace(self.comparison, agreement=await self._agreement(self.comparison.entries))
        return self.comparison

    def _open(self) -> None:
        """All sessions, before any clock runs: what a provider imports must not count as another's time."""
        for asked in self._asked:
            try:
                lane = lane_of(asked.model, self._settings)
                asked.session = AsyncSession(asked.model, packages=self._packages, settings=self._call)
            except Exception as error:
                asked.entry = self._ended(asked, error)
                self._tell(asked.label, Failed(error=asked.entry.error, message=asked.entry.message))
            else:
                asked.lane = lane.name
                self._lanes.setdefault(lane.name, asyncio.Semaphore(self._concurrency or lane.at_once))

    async def _ask(self, asked: _Asked, session: AsyncSession) -> None:
        """One entry, whatever happens to it. Only a cancellation of the whole comes out."""
        async with self._lanes[asked.lane], self._room:
            asked.began = time.monotonic()
            try:
                async with aclosing(session.stream(self.question, self._inputs.files)) as events:
                    async for event in events:
                        self._tell(asked.label, event)
                asked.entry = self._ended(asked, None)
            except Exception as error:
                asked.entry = self._ended(asked, error)
            except BaseException:
                asked.entry = self._stopped(asked)
                raise
            finally:
                with contextlib.suppress(Exception):  # its answer is there, and the others go on
                    await session.close()

    def _tell(self, label: str, event: Event) -> None:
        self._drawn(label, event)
        if self.on_event is not None:
            self.on_event(label, event)

    def _stopped(self, asked: _Asked) -> Entry:
        entry = self._ended(asked, None)
        return entry if entry.answered else replace(entry, error=CANCELLED, message=NOT_BEGUN if asked.began is None else STOPPED)

    def _ended(self, asked: _Asked, error: BaseException | None) -> Entry:
        """What there is of an entry now."""
        result = asked.session.result if asked.session is not None else None
        result = result if result is not None and result.events else None
        failed = codec.scrub(Failed(error=type(error).__name__ if error else "", message=_sentence(error) if error else ""))
        assert isinstance(failed, Failed)  # noqa: S101
        return Entry(
            model=asked.model,
            number=asked.number,
            label=asked.label,
            result=result,
            error=failed.error,
            message=failed.message,
            seconds=0.0 if asked.began is None else time.monotonic() - asked.began,
        )

    def _so_far(self) -> Comparison:
        return Comparison(
            id=self._id,
            question=self.question,
            files=tuple(f.file for f in self._inputs.files),
            entries=tuple(asked.entry or self._stopped(asked) for asked in self._asked),
            agreement=Agreement(verdict=NOT_COMPARED, agree=None),
            at=self._at,
        )

    async def _agreement(self, entries: Sequence[Entry]) -> Agreement:
        """Whatever goes wrong there, the answers stay."""
        more: dict[str, Any] = {} if self._tolerance is None else {"tolerance": self._tolerance}
        try:
            from sandloop.comparing.agreement import agreement

            return await agreement(
                entries,
                options=self._settings.sandbox or SandboxOptions(),
                limits=self._settings.limits or Limits(),
                judge=self._judge,
                settings=self._settings,
                question=self.question,
                **more,
            )
        except Exception as error:
            return Agreement(verdict=codec.clean_text(f"the answers could not be compared: {_sentence(error)}"), agree=None)


def _sentence(error: BaseException) -> str:
    return str(error) if isinstance(error, SandloopError) else f"internal error: {type(error).__name__}: {error}"


def _check(question: str, models: Sequence[str], repeat: int, concurrency: int | None) -> None:
    if not question.strip():
        raise UsageError("The question is empty. Ask something about the files.")
    if isinstance(models, str):
        raise UsageError(f"models is {models!r}, and must be a list. Write models=[{models!r}].")
    if not models or not all(model.strip() for model in models):
        raise UsageError("A comparison needs the names of models, and one is missing. Name them as models=['claude', 'gpt'].")
    for name, number in (("repeat", repeat), ("concurrency", concurrency)):
        if number is not None and number < 1:
            raise UsageError(f"{name} is {number}, and must be at least 1. Leave it out for the usual number.")
    if len(models) * repeat > MAX_ENTRIES:
        raise UsageError(f"{len(models)} models {repeat} times each are over {MAX_ENTRIES} runs. Ask fewer, or less often.")
