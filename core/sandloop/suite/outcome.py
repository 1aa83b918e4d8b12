"""What a suite came to, as data: a verdict for each run, and what follows from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal, TypeAlias

Status: TypeAlias = Literal["passed", "failed", "error", "not_run"]
"""`failed`: also without an answer, where a limit ended the run or the model refused. `error`: anything else that left nothing to
judge. `not_run`: it was stopped before."""
WORDS: Mapping[Status, str] = {"passed": "as expected", "failed": "not as expected", "error": "error", "not_run": "not run"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """An expectation held against a run."""

    name: str
    """As the compare file calls it; else empty."""
    kind: str
    expected: str
    """In words."""
    found: str
    """In words: what there is instead, or what fits."""
    passed: bool

    @property
    def sentence(self) -> str:
        """For people: `highest temp_max: expected the number 35.6 ± 0.01, found 35.4`."""
        return f"{f'{self.name}: ' if self.name else ''}expected {self.expected}, found {self.found}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One run of one model on one question."""

    question: str
    """The question's id."""
    model: str
    number: int = 1
    """Which of its repeats."""
    label: str
    """The model, with `#2` where it is repeated."""
    status: Status
    key: str = ""
    """What the run was made of, as a hash; the same key is not asked again."""
    run: str = ""
    """The run's id; empty when there is none."""
    answer: str = ""
    """Its first 50,000 characters."""
    outcomes: tuple[Outcome, ...] = ()
    error: str = ""
    """The class name of the error that ended the run."""
    message: str = ""
    seconds: float = 0.0
    tokens: int = 0
    cost: float | None = None
    """US dollars; None when unknown."""
    route: str = ""
    at: str = ""
    """When it was asked: UTC, ISO 8601."""
    asked: bool = False
    """Whether it was asked this time; else its kept answer was judged."""

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The expectations that were not met."""
        return tuple(outcome for outcome in self.outcomes if not outcome.passed)


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionOutcome:
    """One question: what each model made of it, and whether they agree."""

    id: str
    text: str
    verdicts: tuple[Verdict, ...]
    agreement: str = ""
    """One line; empty where there is nothing to compare."""
    agree: bool | None = None
    compared: str = ""
    """How the answers were compared; empty when they could not be."""
    report: str = ""
    """The comparison's HTML page, relative to the results' folder."""
    expected: str = ""
    """A hash of what is expected: while it stays, so do the verdicts on kept runs."""
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Total:
    """A model over all questions."""

    model: str
    passed: int = 0
    failed: int = 0
    error: int = 0
    not_run: int = 0
    seconds: float = 0.0
    tokens: int = 0
    cost: float | None = None
    """None when any part is unknown."""
    asked: int = 0

    @property
    def runs(self) -> int:
        """All of them."""
        return self.passed + self.failed + self.error + self.not_run


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteOutcome:
    """A suite that was run."""

    name: str
    """Of the compare file."""
    at: str
    """UTC, ISO 8601."""
    version: str
    """Of sandloop."""
    questions: tuple[QuestionOutcome, ...]
    description: str = ""

    @property
    def verdicts(self) -> tuple[Verdict, ...]:
        """Of all questions."""
        return tuple(verdict for question in self.questions for verdict in question.verdicts)

    @property
    def all_as_expected(self) -> bool:
        """Whether every run was made and met all that was expected of it."""
        return all(verdict.status == "passed" for verdict in self.verdicts)

    @property
    def totals(self) -> tuple[Total, ...]:
        """A row a model, in the order of the suite."""
        models = dict.fromkeys(verdict.model for verdict in self.verdicts)
        return tuple(total(model, [v for v in self.verdicts if v.model == model]) for model in models)

    def to_plain(self) -> dict[str, Any]:
        """As plain dictionaries and lists, for JSON."""
        return {
            "version": 1,
            "suite": self.name,
            "description": self.description,
            "at": self.at,
            "sandloop": self.version,
            "models": [asdict(row) for row in self.totals],
            "questions": [asdict(question) for question in self.questions],
        }


def total(model: str, verdicts: Sequence[Verdict]) -> Total:
    """The row of one model. Runs of before count as they were."""
    counted = {status: sum(v.status == status for v in verdicts) for status in WORDS}
    ran = [v for v in verdicts if v.run]
    known = [v.cost for v in ran if v.cost is not None]
    return Total(
        model=model,
        passed=counted["passed"],
        failed=counted["failed"],
        error=counted["error"],
        not_run=counted["not_run"],
        seconds=sum(v.seconds for v in verdicts),
        tokens=sum(v.tokens for v in verdicts),
        cost=sum(known) if known and len(known) == len(ran) else None,
        asked=sum(v.asked for v in verdicts),
    )
