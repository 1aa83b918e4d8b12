"""What a report shows, as plain data: no HTML, no events. Texts are as they came; making them visible is the page's work."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from sandloop.report.frames import Frame
from sandloop.report.markdown import CellPlace
from sandloop.report.pictures import Picture
from sandloop.report.tables import Table
from sandloop.report.text import Cut

Tone: TypeAlias = Literal["good", "bad", "warn", "plain"]


@dataclass(frozen=True, slots=True)
class Mark:
    """How something ended: a sign, a word and a tone, so that nothing is told by colour alone."""

    sign: str
    word: str
    tone: Tone


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What the model said between its steps."""

    text: Cut
    thinking: bool = False
    kind: Literal["said"] = "said"


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What the loop, the provider or the sandbox had to say."""

    mark: Mark
    text: str
    kind: Literal["note"] = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """What is left out at this place."""

    text: str
    kind: Literal["gap"] = "gap"


@dataclass(frozen=True, slots=True, kw_only=True)
class StepShown:
    """A cell and what came of it."""

    number: int
    anchor: str
    language: str
    origin: str
    mark: Mark
    seconds: str
    code: Cut
    stdout: Cut
    stderr: Cut
    error: str = ""
    """Name and value of the exception, in one line."""
    traceback: Cut | None = None
    notes: tuple[str, ...] = ()
    made: tuple[str, ...] = ()
    """Names of the files it made or changed."""
    open: bool = True
    """Whether it is unfolded at first."""
    kind: Literal["step"] = "step"


Item: TypeAlias = Said | Note | Gap | StepShown


@dataclass(frozen=True, slots=True, kw_only=True)
class FileShown:
    """A file, and what of it is shown."""

    anchor: str
    name: str
    size: str
    mime: str
    sha256: str
    origin: str = ""
    """`new in step 2`."""
    picture: Picture | None = None
    table: Table | None = None
    frame: Frame | None = None
    why: str = ""
    """Why nothing of it is shown, where something could be expected."""

    @property
    def shown(self) -> bool:
        """Whether more than its name stands in the report."""
        return self.picture is not None or self.table is not None or self.frame is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunShown:
    """One run: a report of its own, or a column of a comparison."""

    key: str
    """What its anchors begin with."""
    label: str
    id: str
    at: str
    mark: Mark
    failure: str
    """The sentences of the error that ended it; empty when it answered."""
    answer: Cut
    answered: bool
    """Whether `answer` is one; otherwise it is what the model said last."""
    route: str
    """Route, provider and model in one line; empty when it failed before one was chosen."""
    reason: str
    items: tuple[Item, ...]
    places: Mapping[str, CellPlace]
    """Where the code of the steps shown stands, by its source."""
    step_count: int
    files: tuple[FileShown, ...]
    file_count: int
    inputs: tuple[FileShown, ...]
    input_count: int
    previews: tuple[tuple[str, Cut], ...]
    checks: tuple[tuple[str, str], ...]
    tokens: tuple[tuple[str, str], ...]
    """By kind; empty when nobody told."""
    cost: str
    """Of the tokens; empty for a run that never began."""
    container_cost: str
    """Estimated; empty when there is none to tell."""
    seconds: str
    """Wall time where it is known."""
    code_seconds: str
    sandbox: tuple[tuple[str, str], ...]
    weaknesses: tuple[str, ...]
    """What does not hold in the sandbox, or isn't bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberShown:
    """A number that answers give: each entry's, and whether it is another than most say."""

    what: str
    unit: str
    values: tuple[tuple[str | None, bool], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SameFile:
    """A file that entries made, beside each other."""

    kind: str
    title: str
    mark: Mark
    differences: tuple[str, ...]
    pictures: tuple[tuple[str, FileShown | None, str], ...]
    """Label, file, and its distance to the first one's in words; empty unless it is a picture."""
    names: tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonShown:
    """A comparison: what all agree on, and a column a run."""

    id: str
    at: str
    question: Cut
    inputs: tuple[FileShown, ...]
    input_count: int
    mark: Mark
    verdict: str
    groups: tuple[tuple[str, ...], ...]
    labels: tuple[str, ...]
    """Of all entries that stand in the tables."""
    runs: tuple[RunShown, ...]
    """Those of the tables; the first `columns` of them with all they did."""
    columns: int
    containers: bool
    """Whether the cost of a provider's container is estimated for any run."""
    entry_count: int
    numbers: tuple[NumberShown, ...]
    number_count: int
    files: tuple[SameFile, ...]
    file_count: int
    opinion: tuple[str, Mark, Cut, str] | None
    """The judge's model, what it holds, its words, and what they cost."""
