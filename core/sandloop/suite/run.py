"""A suite being run: what is kept is judged, what is new is asked, and each question's answers are held against each other."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypeAlias

import anyio

from sandloop import codec
from sandloop.comparing.comparison import Entry, labels
from sandloop.comparing.lanes import AT_ONCE, lane_of
from sandloop.errors import KeyRefused, MissingExtra, MissingKey, ModelNotFound, ProviderError, SandboxError, SandloopError
from sandloop.events import Event
from sandloop.files import Inputs
from sandloop.options import SandboxOptions
from sandloop.ports import LocalFile
from sandloop.result import Result
from sandloop.session import AsyncSession
from sandloop.settings import Settings, resolve
from sandloop.suite.chosen import check_size, chosen_models, chosen_questions, page_name, results_folder
from sandloop.suite.judging import judge
from sandloop.suite.kept import Asked, Kept
from sandloop.suite.model import Question, Suite
from sandloop.suite.new import Way, expected_hash, key_of, way_of
from sandloop.suite.outcome import QuestionOutcome, Status, SuiteOutcome, Verdict
from sandloop.suite.side_by_side import side_by_side

Rerun: TypeAlias = Literal["new", "failed", "all"]
OnEvent: TypeAlias = Callable[[str, str, Event], None]
"""Told the question's id, the label of the run, and what happened."""
OnVerdict: TypeAlias = Callable[[Verdict], None]
OF_THE_MODEL = ("LimitReached", "Refused")
"""Errors that say something about the model: such a run is kept and judged as an answer is. After any other it is made again."""
HOPELESS = (MissingKey, MissingExtra, KeyRefused, ModelNotFound)
"""Errors that the next question would meet again."""
JUDGED_AT_ONCE = 2
KEPT = 1_000_000
"""Runs in the results' folder: none goes by itself, since each is an answer that was paid for."""


@dataclass(slots=True, kw_only=True)
class _Slot:
    """A run that has to be there at the end."""

    way: Way
    number: int
    label: str
    key: str
    lane: str
    verdict: Verdict | None = None
    result: Result | None = None


@dataclass(slots=True, kw_only=True)
class _Asking:
    """A question while its runs are made."""

    question: Question
    files: Sequence[LocalFile]
    slots: list[_Slot]
    before: QuestionOutcome | None
    outcome: QuestionOutcome | None = None

    def so_far(self) -> QuestionOutcome:
        verdicts = tuple(slot.verdict or _verdict(self, slot, status="not_run") for slot in self.slots)
        return self.outcome or _outcome(self.question, verdicts)


class SuiteRun:
    """A suite as it is run; `arun_suite` and `run_suite` are `run` of one.

    Kept by its caller, it has what was done also after it was cancelled. Arguments and errors as in `arun_suite`.
    """

    def __init__(
        self,
        suite: Suite,
        *,
        models: Sequence[str] = (),
        only: Sequence[str] = (),
        repeat: int | None = None,
        rerun: Rerun = "new",
        folder: str | Path | None = None,
        limits: Mapping[str, float] | None = None,
        settings: Settings | None = None,
        concurrency: int | None = None,
        judge: str | None = None,
        tolerance: float | None = None,
        on_event: OnEvent | None = None,
        on_verdict: OnVerdict | None = None,
    ) -> None:
        self.suite = suite if repeat is None else replace(suite, repeat=repeat)
        self._rerun, self._judge, self._tolerance, self._limits = rerun, judge, tolerance, limits or {}
        self._call = settings or Settings()
        self._settings = resolve(self._call, packages=suite.packages)
        self._options = self._settings.sandbox or SandboxOptions()
        self._models = chosen_models(suite, models, self._settings)
        self._questions = chosen_questions(suite, only)
        check_size(len(self._models), len(self._questions), self.suite.repeat, concurrency)
        self.folder = Path(folder) if folder is not None else results_folder(suite)
        self._kept = Kept(self.folder)
        self.on_event: OnEvent = on_event or (lambda question, label, event: None)
        self.on_verdict: OnVerdict = on_verdict or (lambda verdict: None)
        self._concurrency = concurrency
        self._lanes: dict[str, asyncio.Semaphore] = {}
        self._room = asyncio.Semaphore(concurrency or AT_ONCE)
        self._judging = asyncio.Semaphore(JUDGED_AT_ONCE)
        self._hopeless: dict[str, SandloopError] = {}
        """Models that no question will reach, and why."""
        self._at = datetime.now(UTC).isoformat(timespec="seconds")
        self._asking = self._planned()

    @property
    def outcome(self) -> SuiteOutcome:
        """What there is now."""
        return SuiteOutcome(
            name=self.suite.path.name,
            description=self.suite.description,
            at=self._at,
            version=version("sandloop"),
            questions=tuple(asking.so_far() for asking in self._asking),
        )

    @property
    def runs(self) -> int:
        """All that have to be there at the end."""
        return sum(len(asking.slots) for asking in self._asking)

    @property
    def models(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(model.model for model in self._models)

    def _planned(self) -> list[_Asking]:
        """All runs, their files read and their keys known, before anything is asked."""
        ways = {model.model: way_of(model, self.suite, self._call, self._limits) for model in self._models}
        lanes = {name: self._lane(name) for name in ways}
        named = labels(list(ways), self.suite.repeat)
        before, read = self._kept.before(), dict[tuple[str, ...], Sequence[LocalFile]]()
        planned: list[_Asking] = []
        for question in self._questions:
            if question.files not in read:
                inputs = Inputs(input_bytes=max(way.limits.input_bytes for way in ways.values()))
                read[question.files] = inputs.add([self.suite.folder / name for name in question.files]).files
            files = read[question.files]
            slots = [
                _Slot(
                    way=ways[name],
                    number=number,
                    label=label,
                    key=key_of(question, [local.file for local in files], ways[name]),
                    lane=lanes[name],
                )
                for name, number, label in named
            ]
            planned.append(_Asking(question=question, files=files, slots=slots, before=before.get(question.id)))
        return planned

    def _lane(self, model: str) -> str:
        """A model that can't be asked has one, too: its kept answers can be judged."""
        try:
            lane = lane_of(model, self._settings)
        except ProviderError as error:
            self._hopeless[model] = error
            return ""
        self._lanes.setdefault(lane.name, asyncio.Semaphore(self._concurrency or lane.at_once))
        return lane.name

    async def run(self) -> SuiteOutcome:
        """Ask what is new, judge everything, and write `results.json`. To be called once.

        Cancelled, it stops what still runs and keeps what was done: in `outcome`, on the disk, and for the next call.
        """
        self._kept.open()
        try:
            async with anyio.create_task_group() as group:
                for asking in self._asking:
                    group.start_soon(self._question, asking)
        finally:
            self._kept.write(self.outcome)
        return self.outcome

    async def _question(self, asking: _Asking) -> None:
        async with anyio.create_task_group() as group:
            for slot in asking.slots:
                group.start_soon(self._slot, asking, slot)
        asking.outcome = await self._compared(asking)

    async def _slot(self, asking: _Asking, slot: _Slot) -> None:
        kept = None if self._rerun == "all" else self._kept.asked(slot.key, slot.number)
        if kept is not None:
            slot.verdict = await self._again(asking, slot, kept)
        if slot.verdict is None or (self._rerun == "failed" and slot.verdict.status != "passed"):
            slot.verdict = await self._asked(asking, slot)
        self.on_verdict(slot.verdict)

    async def _again(self, asking: _Asking, slot: _Slot, kept: Asked) -> Verdict | None:
        """The verdict on a kept run; None when that is gone. While nothing else is expected, it is the one of before."""
        if asking.before is not None and asking.before.expected == expected_hash(asking.question):
            same = next((v for v in asking.before.verdicts if (v.run, v.label, v.key) == (kept.run, slot.label, slot.key)), None)
            if same is not None and same.status in ("passed", "failed"):
                return replace(same, asked=False)
        slot.result = await asyncio.to_thread(self._kept.result, kept.run)
        return await self._verdict(asking, slot, kept, asked=False) if slot.result is not None else None

    async def _asked(self, asking: _Asking, slot: _Slot) -> Verdict:
        """Ask, whatever comes of it. Only a cancellation of the whole comes out."""
        error: Exception | None = self._hopeless.get(slot.way.model)
        began, at = time.monotonic(), datetime.now(UTC).isoformat(timespec="seconds")
        if error is None:
            async with self._lanes[slot.lane], self._room:
                began = time.monotonic()
                error = self._hopeless.get(slot.way.model)
                if error is None:
                    error = await self._ask(asking, slot)
        ended = Asked(
            run=slot.result.id if slot.result is not None else "",
            error=type(error).__name__ if error else "",
            message=codec.clean_text(_sentence(error)) if error else "",
            seconds=round(time.monotonic() - began, 3),
            at=at,
        )
        if slot.result is not None and (slot.result.answered or ended.error in OF_THE_MODEL):
            self._kept.keep(slot.key, slot.number, ended)
        return await self._verdict(asking, slot, ended, asked=True)

    async def _ask(self, asking: _Asking, slot: _Slot) -> Exception | None:
        """The error that ended it. What it did is in the slot."""
        way = slot.way
        settings = replace(self._call, runs=str(self._kept.runs.absolute()), runs_kept=KEPT)
        try:
            session = AsyncSession(way.model, route=way.route, limits=way.limits, packages=way.packages, settings=settings)
        except Exception as error:
            return self._failed(way.model, error)
        try:
            async with aclosing(session.stream(asking.question.text, asking.files)) as events:
                async for event in events:
                    self.on_event(asking.question.id, slot.label, event)
        except Exception as error:
            return self._failed(way.model, error)
        finally:
            slot.result = session.result if session.result is not None and session.result.events else None
            with contextlib.suppress(Exception):  # its answer is there, and the others go on
                await session.close()
        return None

    def _failed(self, model: str, error: Exception) -> Exception:
        if isinstance(error, HOPELESS):
            self._hopeless.setdefault(model, error)
        return error

    async def _verdict(self, asking: _Asking, slot: _Slot, ended: Asked, *, asked: bool) -> Verdict:
        """What a run that ended is worth."""
        facts = _verdict(asking, slot, status="error", ended=ended, asked=asked)
        if slot.result is None or (ended.error and ended.error not in OF_THE_MODEL):
            return facts
        judging = self._judging if any(e.kind == "python" for e in asking.question.expected) else contextlib.nullcontext()
        try:
            async with judging:
                outcomes = await judge(
                    asking.question, slot.result, ended.seconds, asking.files, options=self._options, limits=slot.way.limits
                )
        except SandboxError as error:
            return replace(facts, error=type(error).__name__, message=f"The answer could not be judged. {error}")
        met = slot.result.answered and all(outcome.passed for outcome in outcomes)
        return replace(facts, status="passed" if met else "failed", outcomes=outcomes)

    async def _compared(self, asking: _Asking) -> QuestionOutcome:
        """With what the answers agree on; as it was, where no run is another."""
        outcome = asking.so_far()
        if (before := self._unchanged(asking, outcome)) is not None:
            return replace(outcome, agreement=before.agreement, agree=before.agree, report=before.report)
        for slot in asking.slots:
            if slot.result is None and slot.verdict is not None and slot.verdict.run:
                slot.result = await asyncio.to_thread(self._kept.result, slot.verdict.run)
        entries = [_entry(slot) for slot in asking.slots]
        page = self.folder / page_name(asking.question.id)
        compared = await side_by_side(
            asking.question,
            asking.files,
            entries,
            page,
            options=self._options,
            limits=asking.slots[0].way.limits,
            judge=self._judge,
            tolerance=self._tolerance,
        )
        for slot in asking.slots:
            slot.result = None  # it holds files
        return replace(
            outcome, agreement=compared.verdict, agree=compared.agree, report=compared.page and page_name(asking.question.id)
        )

    def _unchanged(self, asking: _Asking, outcome: QuestionOutcome) -> QuestionOutcome | None:
        before = asking.before
        if before is None or not before.report or not (self.folder / page_name(asking.question.id)).is_file():
            return None
        runs = [(v.label, v.run, v.error) for v in before.verdicts]
        return (
            before
            if runs == [(v.label, v.run, v.error) for v in outcome.verdicts] and all(v.run for v in outcome.verdicts)
            else None
        )


def _verdict(asking: _Asking, slot: _Slot, *, status: Status, ended: Asked | None = None, asked: bool = False) -> Verdict:
    """With all that is known beside how it is judged."""
    result, ended = slot.result, ended or Asked(run="")
    return Verdict(
        question=asking.question.id,
        model=slot.way.model,
        number=slot.number,
        label=slot.label,
        status=status,
        key=slot.key,
        run=ended.run,
        answer=result.text if result is not None and result.answered else "",
        error=ended.error,
        message=ended.message,
        seconds=ended.seconds,
        tokens=result.usage.input_tokens + result.usage.output_tokens if result is not None else 0,
        cost=result.cost if result is not None else None,
        route=result.route.route if result is not None and result.route is not None else "",
        at=ended.at,
        asked=asked,
    )


def _outcome(question: Question, verdicts: tuple[Verdict, ...]) -> QuestionOutcome:
    return QuestionOutcome(
        id=question.id, text=question.text, verdicts=verdicts, expected=expected_hash(question), note=question.note
    )


def _entry(slot: _Slot) -> Entry:
    verdict = slot.verdict
    assert verdict is not None  # noqa: S101 - all runs of the question are over
    return Entry(
        model=slot.way.model,
        number=slot.number,
        label=slot.label,
        result=slot.result,
        error=verdict.error,
        message=verdict.message,
        seconds=verdict.seconds,
    )


def _sentence(error: Exception) -> str:
    return str(error) if isinstance(error, SandloopError) else f"internal error: {type(error).__name__}: {error}"
