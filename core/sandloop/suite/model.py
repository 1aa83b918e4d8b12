"""A compare file as data: the models, the questions, and what is expected of the answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from sandloop.settings import Route

Variable: TypeAlias = "str | int | float | bool"
Kind: TypeAlias = Literal["approx", "contains", "equals", "regex", "python", "makes"]
KINDS: tuple[Kind, ...] = ("approx", "contains", "equals", "regex", "python", "makes")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One thing that has to be true of a run. What is in `of` depends on `kind`."""

    kind: Kind
    of: tuple[str, ...]
    """`contains`, `makes`: any of them will do. The others: one, the number of `approx` as it is written."""
    name: str = ""
    """What it is, for people: `highest temp_max, °C`."""
    tolerance: float | None = None
    """Of `approx`: how far off the number may be, in its own unit."""

    @property
    def wanted(self) -> str:
        """In words, without its name."""
        first = next(iter(self.of), "")
        one = " or ".join(repr(text) for text in self.of[:5]) + (f" or {len(self.of) - 5} more" if len(self.of) > 5 else "")
        match self.kind:
            case "approx":
                return f"the number {first}" + (f" ± {self.tolerance:g}" if self.tolerance else "")
            case "contains":
                return f"an answer that contains {one}"
            case "equals":
                return f"the answer {one}"
            case "regex":
                return f"an answer that matches {first}"
            case "python":
                return f"this to be true: {first.strip().splitlines()[-1].strip()}"
            case "makes":
                return f"a file like {one}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteModel:
    """A model of the suite, and what is its own."""

    model: str
    """A profile's name, `provider:model`, or a provider."""
    route: Route | None = None
    limits: Mapping[str, float] = field(default_factory=dict[str, float])
    """By the names of `Limits`; over those of the suite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question with its variables put in."""

    id: str
    """Unique; one that came of variables ends with them: `hottest-day[year=2014]`."""
    group: str
    """The id in the file, which all that came of it share."""
    text: str
    files: tuple[str, ...] = ()
    """As the file names them: relative to it."""
    expected: tuple[Expectation, ...] = ()
    variables: Mapping[str, Variable] = field(default_factory=dict[str, Variable])
    note: str = ""
    """For people, such as how the right answer was found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A compare file."""

    path: Path
    questions: tuple[Question, ...]
    models: tuple[SuiteModel, ...] = ()
    repeat: int = 1
    """How often each model is asked each question."""
    route: Route | None = None
    limits: Mapping[str, float] = field(default_factory=dict[str, float])
    packages: tuple[str, ...] | None = None
    """For the local sandbox; None: as the settings say."""
    description: str = ""

    @property
    def folder(self) -> Path:
        """Where the names of its files begin."""
        return self.path.parent
