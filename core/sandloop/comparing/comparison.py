"""What a comparison gives: a column for each model's run, and what they agree on. Data only."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sandloop.events import InputFile
from sandloop.printable import printable
from sandloop.result import Result

FileKind: TypeAlias = Literal["table", "workbook", "picture", "other"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One model's run of the question, also when it failed."""

    model: str
    """As the caller named it."""
    number: int = 1
    """Which of its repeats, from 1."""
    label: str = ""
    """What stands over its column; unique within the comparison: the model, with `#2` where it is repeated."""
    result: Result | None = field(default=None, repr=False)
    """All that the run had; None when it failed before it began."""
    error: str = ""
    """The class name of the error that ended it; empty when it answered."""
    message: str = ""
    """The error's sentences."""
    seconds: float = 0.0
    """Wall time, from its start to its end."""

    @property
    def answered(self) -> bool:
        """Whether it has an answer."""
        return self.result is not None and self.result.answered


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberRow:
    """A number that answers give, and who says what."""

    what: str
    """The words around it, shortened: `mean of temp_max`; empty when nothing tells."""
    unit: str
    values: tuple[str | None, ...]
    """As each entry writes it, in the order of the entries; None where it does not say one."""
    differs: tuple[bool, ...]
    """Whether the entry's value is another than most say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRow:
    """A file that entries made, matched by kind and name, and how theirs differ."""

    kind: FileKind
    names: tuple[str | None, ...]
    """The name at each entry, in the order of the entries; None where it made none."""
    same: bool | None
    """Whether all that made it made the same, order and what only one has beside aside; None when only one made it, when that could
    not be found out, for the reason in `differences`, and for pictures that are not the same byte for byte."""
    differences: tuple[str, ...] = ()
    """In words, cell by cell for tables, the first twenty: `gpt: B3 is 11.9, claude has 12.4`."""
    distances: tuple[float | None, ...] = ()
    """Of pictures: the perceptual distance of each entry's to the first one's, from 0 (they look the same) to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the judge model said, word for word; an opinion, not evidence."""

    model: str
    text: str
    agree: bool | None
    """None when its reply could not be read as a yes or a no."""
    cost: float | None = None
    """US dollars of its reply; None when unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Who agrees with whom, and on what evidence."""

    verdict: str
    """One line: `3 of 4 agree: 12.4 %; gemini says 11.9 %`, with a reason only where the record of the runs supports it."""
    agree: bool | None
    """None when there is nothing to compare: fewer than two answers, or answers without numbers and files."""
    groups: tuple[tuple[str, ...], ...] = ()
    """The labels of the entries that say the same, the largest group first."""
    numbers: tuple[NumberRow, ...] = ()
    files: tuple[FileRow, ...] = ()
    judged: Judgement | None = None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One question put to several models side by side."""

    id: str
    question: str
    files: tuple[InputFile, ...]
    entries: tuple[Entry, ...]
    """In the order in which the models were named, the repeats of one behind each other."""
    agreement: Agreement
    at: str = ""
    """UTC, ISO 8601."""

    @property
    def disagree(self) -> bool:
        """Whether at least two answers differ in a number or a table."""
        return self.agreement.agree is False

    def entry(self, label: str) -> Entry:
        """The entry of that label. Raises `KeyError` with the labels there are."""
        found = next((e for e in self.entries if e.label == label), None)
        if found is None:
            raise KeyError(f"{label!r}; the entries are {[e.label for e in self.entries]}")
        return found

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """In a notebook: the verdict, a table, and a column a model."""
        from sandloop.notebook.shown import comparison_bundle

        return dict(comparison_bundle(self))

    def to_plain(self, *, files: bool = False) -> dict[str, Any]:
        """As plain dictionaries and lists; `files=True` puts the made files' bytes in, as base64."""
        return {
            "id": self.id,
            "question": self.question,
            "at": self.at,
            "files": [asdict(file) for file in self.files],
            "agreement": asdict(self.agreement),
            "entries": [_entry_to_plain(entry, files=files) for entry in self.entries],
        }

    def to_json(self, *, files: bool = False) -> str:
        """The whole comparison as JSON; `files=True` puts the made files' bytes in, as base64."""
        return json.dumps(self.to_plain(files=files), ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Comparison:
        """The comparison that `to_json` wrote, with its files when it has them. Raises `UsageError` when it is none."""
        from sandloop.comparing.stored import read

        return read(text)

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write `comparison.json`, `report.html`, and a folder for each entry with its `events.jsonl` and the files it made.

        A folder that holds a comparison already keeps it: this one goes into a folder in it that is called by its id.

        Returns the folder that was written. Raises `UsageError` when it can't be.
        """
        from sandloop.comparing.stored import save

        return save(self, folder)


def _entry_to_plain(entry: Entry, *, files: bool) -> dict[str, Any]:
    plain = {name: getattr(entry, name) for name in ("model", "number", "label", "error", "message", "seconds", "answered")}
    return {**plain, "result": None if entry.result is None else json.loads(entry.result.to_json(files=files))}


def labels(models: Sequence[str], repeat: int) -> list[tuple[str, int, str]]:
    """Model, number and label of each entry, in order; a model that is named twice is numbered on.

    Args:
        repeat: How often each is asked, at least 1.
    """
    counts = {model: models.count(model) * repeat for model in models}
    numbered: dict[str, int] = {}
    found: list[tuple[str, int, str]] = []
    for model in models:
        for _ in range(repeat):
            number = numbered[model] = numbered.get(model, 0) + 1
            found.append((model, number, model if counts[model] == 1 else f"{model} #{number}"))
    return found


def short_label(label: str, length: int = 48) -> str:
    """In one line that is safe to show; of a long one its end, which tells one recording, and one repeat, from another."""
    kept = label[-4 * length :]
    clean = printable(" ".join(kept.split()))
    return clean if len(clean) <= length and kept == label else "…" + clean[1 - length :]
