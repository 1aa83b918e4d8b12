"""A suite being run: what is kept is judged, what is new is asked, and each question's answers are held against each other."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal, TypeAlias

import anyio

from sandloop.comparing.sameness import check_tolerance
from sandloop.errors import SandboxError
from sandloop.events import Event
from sandloop.options import SandboxOptions
from sandloop.settings import Settings, resolve
from sandloop.suite.asking import Asker
from sandloop.suite.chosen import check_size, chosen_models, chosen_questions, page_name, results_folder
from sandloop.suite.judging import judge
from sandloop.suite.kept import Asked, Kept
from sandloop.suite.model import Suite
from sandloop.suite.new import expected_hash, way_of
from sandloop.suite.outcome import QuestionOutcome, SuiteOutcome, Verdict
from sandloop.suite.planned import Asking, Slot, planned
from sandloop.suite.side_by_side import side_by_side

Rerun: TypeAlias = Literal["new", "failed", "all"]
OnEvent: TypeAlias = Callable[[str, str, Event], None]
"""Told the question's id, the label of the run, and what happened."""
OnVerdict: TypeAlias = Callable[[Verdict], None]
OF_THE_MODEL = ("LimitReached", "Refused")
"""Errors that say something about the model: such a run is kept and judged as an answer is. After any other it is made again."""
JUDGED_AT_ONCE = 2
"""Sandboxes that judge and compare, beside those that answer."""


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
        self._rerun, self._judge, self._tolerance = rerun, judge, tolerance
        self._how = json.dumps({"judge": judge, "tolerance": tolerance})
        call = settings or Settings()
        resolved = resolve(call, packages=suite.packages)
        chosen, questions = chosen_models(suite, models, resolved), chosen_questions(suite, only)
        check_tolerance(tolerance)
        check_size(len(chosen), len(questions), self.suite.repeat, concurrency)
        self.models = tuple(model.model for model in chosen)
        self.folder = Path(folder) if folder is not None else results_folder(suite)
        self.on_event: OnEvent = on_event or (lambda question, label, event: None)
        self.on_verdict: OnVerdict = on_verdict or (lambda verdict: None)
        self._settings, self._options = resolved, resolved.sandbox or SandboxOptions()
        self._kept = Kept(self.folder)
        self._judging = asyncio.Semaphore(JUDGED_AT_ONCE)
        self._at = datetime.now(UTC).isoformat(timespec="seconds")
        ways = {model.model: way_of(model, self.suite, call, limits or {}) for model in chosen}
        self._asker = Asker(self.models, call=call, resolved=resolved, runs=self._kept.runs, concurrency=concurrency)
        self._asking = planned(self.suite, questions, ways, self._kept.before())
        self._kept.open()  # once nothing more can be wrong with the call

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

    async def run(self) -> SuiteOutcome:
        """Ask what is new, judge everything, and write `results.json`. To be called once.

        Cancelled, it stops what still runs and keeps what was done: in `outcome`, on the disk, and for the next call.
        """
        try:
            async with anyio.create_task_group() as group:
                for asking in self._asking:
                    group.start_soon(self._question, asking)
        finally:
            self._kept.write(self.outcome)
        return self.outcome

    async def _question(self, asking: Asking) -> None:
        async with anyio.create_task_group() as group:
            for slot in asking.slots:
                group.start_soon(self._slot, asking, slot)
        asking.outcome = await self._compared(asking)

    async def _slot(self, asking: Asking, slot: Slot) -> None:
        kept = None if self._rerun == "all" else self._kept.asked(slot.key, slot.number)
        if kept is not None:
            slot.verdict = await self._again(asking, slot, kept)
        if slot.verdict is None or (self._rerun == "failed" and slot.verdict.status != "passed"):
            slot.verdict = await self._asked(asking, slot)
        self.on_verdict(slot.verdict)

    async def _again(self, asking: Asking, slot: Slot, kept: Asked) -> Verdict | None:
        """The verdict on a kept run; None when that is gone. While nothing else is expected, it is the one of before."""
        if asking.before is not None and asking.before.expected == expected_hash(asking.question):
            same = next((v for v in asking.before.verdicts if (v.run, v.label, v.key) == (kept.run, slot.label, slot.key)), None)
            if same is not None and same.status in ("passed", "failed"):
                return replace(same, asked=False)
        slot.result = await asyncio.to_thread(self._kept.result, kept.run)
        return await self._verdict(asking, slot, kept, asked=False) if slot.result is not None else None

    async def _asked(self, asking: Asking, slot: Slot) -> Verdict:
        """Ask it, and remember the run before anything else is done with it."""
        slot.verdict, slot.result = None, None
        question = asking.question
        ended = await self._asker.ask(
            question.text, asking.files, slot, lambda event: self.on_event(question.id, slot.label, event)
        )
        if slot.result is not None and (slot.result.answered or ended.error in OF_THE_MODEL):
            self._kept.keep(slot.key, slot.number, ended)
        return await self._verdict(asking, slot, ended, asked=True)

    async def _verdict(self, asking: Asking, slot: Slot, ended: Asked, *, asked: bool) -> Verdict:
        """What a run that ended is worth."""
        verdict = slot.judged("error", ended, asked=asked)
        if slot.result is None or (ended.error and ended.error not in OF_THE_MODEL):
            return verdict
        opens = any(e.kind == "python" for e in asking.question.expected)
        try:
            async with self._judging if opens else contextlib.nullcontext():
                outcomes = await judge(
                    asking.question, slot.result, ended.seconds, asking.files, options=self._options, limits=slot.way.limits
                )
        except SandboxError as error:
            return replace(verdict, error=type(error).__name__, message=f"The answer could not be judged. {error}")
        met = slot.result.answered and all(outcome.passed for outcome in outcomes)
        return replace(verdict, status="passed" if met else "failed", outcomes=outcomes)

    async def _compared(self, asking: Asking) -> QuestionOutcome:
        """With what the answers agree on; as it was, where no run is another."""
        outcome, page = asking.so_far(), page_name(asking.question.id)
        before = asking.before
        if before is not None and _same(before, outcome, self._how) and (self.folder / page).is_file():
            return replace(outcome, agreement=before.agreement, agree=before.agree, compared=before.compared, report=before.report)
        for slot in asking.slots:
            if slot.result is None and slot.verdict is not None and slot.verdict.run:
                slot.result = await asyncio.to_thread(self._kept.result, slot.verdict.run)
        async with self._judging:
            compared = await side_by_side(
                asking.question,
                asking.files,
                [slot.entry() for slot in asking.slots],
                self.folder / page,
                options=self._options,
                limits=asking.slots[0].way.limits,
                judge=self._judge,
                tolerance=self._tolerance,
                settings=self._settings,
            )
        for slot in asking.slots:
            slot.result = None  # it holds files
        return replace(
            outcome,
            agreement=compared.verdict,
            agree=compared.agree,
            compared=self._how if compared.compared else "",
            report=page if compared.page else "",
        )


def _same(before: QuestionOutcome, now: QuestionOutcome, how: str) -> bool:
    """Whether there is nothing to compare that was not compared before in the same way."""
    runs = [(v.label, v.run, v.error) for v in now.verdicts]
    there = before.compared == how and bool(before.report) and all(v.run for v in now.verdicts)
    return there and runs == [(v.label, v.run, v.error) for v in before.verdicts]
