"""The runs that have to be there at the end of a suite, known before anything is asked."""

from __future__ import annotations

import glob
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandloop.comparing.comparison import Entry, labels
from sandloop.files import Inputs
from sandloop.ports import LocalFile
from sandloop.result import Result
from sandloop.suite.kept import Asked
from sandloop.suite.model import Question, Suite
from sandloop.suite.new import Way, expected_hash, key_of
from sandloop.suite.outcome import QuestionOutcome, Status, Verdict

NO_RUN = Asked(run="")
MAX_ANSWER = 50_000
"""Characters of an answer in the results; the run has all."""


@dataclass(slots=True, kw_only=True)
class Slot:
    """One run: how it is asked, and what came of it."""

    question: str
    """Its id."""
    way: Way
    number: int
    label: str
    key: str
    verdict: Verdict | None = None
    result: Result | None = None

    def judged(self, status: Status, ended: Asked = NO_RUN, *, asked: bool = False) -> Verdict:
        """A verdict with all that is known beside what was expected."""
        result = self.result
        return Verdict(
            question=self.question,
            model=self.way.model,
            number=self.number,
            label=self.label,
            status=status,
            key=self.key,
            run=ended.run,
            answer=result.text[:MAX_ANSWER] if result is not None and result.answered else "",
            error=ended.error,
            message=ended.message,
            seconds=ended.seconds,
            tokens=result.usage.input_tokens + result.usage.output_tokens if result is not None else 0,
            cost=result.cost if result is not None else None,
            route=result.route.route if result is not None and result.route is not None else "",
            at=ended.at,
            asked=asked,
        )

    def entry(self) -> Entry:
        """As a comparison has it. Only once there is a verdict."""
        verdict = self.verdict
        assert verdict is not None  # noqa: S101 - the run is over
        return Entry(
            model=self.way.model,
            number=self.number,
            label=self.label,
            result=self.result,
            error=verdict.error,
            message=verdict.message,
            seconds=verdict.seconds,
        )


@dataclass(slots=True, kw_only=True)
class Asking:
    """A question while its runs are made."""

    question: Question
    files: Sequence[LocalFile]
    slots: list[Slot]
    before: QuestionOutcome | None
    """What came of it the last time."""
    outcome: QuestionOutcome | None = None
    """Once all its runs are over and compared."""

    def so_far(self) -> QuestionOutcome:
        """What there is now."""
        return self.outcome or QuestionOutcome(
            id=self.question.id,
            text=self.question.text,
            verdicts=tuple(slot.verdict or slot.judged("not_run") for slot in self.slots),
            expected=expected_hash(self.question),
            note=self.question.note,
        )


def _place(folder: Path, name: str) -> Path:
    """Only what the suite wrote can be a pattern."""
    path = folder / name
    return path if path.exists() else Path(glob.escape(str(folder)), name)


def planned(
    suite: Suite, questions: Sequence[Question], ways: Mapping[str, Way], before: Mapping[str, QuestionOutcome]
) -> list[Asking]:
    """All questions with their runs; each set of files is read once. Raises `BadFile`."""
    read: dict[tuple[str, ...], Sequence[LocalFile]] = {}
    named = labels(list(ways), suite.repeat)
    found: list[Asking] = []
    for question in questions:
        if question.files not in read:
            inputs = Inputs(input_bytes=max(way.limits.input_bytes for way in ways.values()))
            read[question.files] = inputs.add([_place(suite.folder, name) for name in question.files]).files
        files = read[question.files]
        keys = {name: key_of(question, [local.file for local in files], way) for name, way in ways.items()}
        slots = [
            Slot(question=question.id, way=ways[name], number=number, label=label, key=keys[name]) for name, number, label in named
        ]
        found.append(Asking(question=question, files=files, slots=slots, before=before.get(question.id)))
    return found
