"""A comparison read from its JSON, and saved as a folder: the report, and a folder for each entry."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandloop import codec
from sandloop.comparing.comparison import Agreement, Comparison, Entry
from sandloop.errors import UsageError
from sandloop.events import InputFile
from sandloop.names import clean_component, without_collision
from sandloop.result import Result

MAIN = "comparison.json"
REPORT = "report.html"
EVENTS = "events.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """An entry in JSON."""

    model: str
    number: int
    label: str
    error: str
    message: str
    seconds: float
    result: dict[str, Any] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Whole:
    """A comparison in JSON."""

    id: str
    question: str
    at: str
    files: tuple[InputFile, ...]
    agreement: Agreement
    entries: tuple[_Row, ...]


def read(text: str | bytes) -> Comparison:
    """The comparison that `Comparison.to_json` wrote, with its made files when it has them. Raises `UsageError`."""
    from pydantic import TypeAdapter, ValidationError

    try:
        whole = TypeAdapter(_Whole).validate_json(text)
        _check(whole)
        entries = tuple(_entry(row) for row in whole.entries)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise _not_ours(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}".lstrip(": ")) from error
    except (ValueError, RecursionError, UsageError) as error:
        raise _not_ours(str(error)) from error
    return Comparison(
        id=whole.id, question=whole.question, at=whole.at, files=whole.files, entries=entries, agreement=whole.agreement
    )


def _check(whole: _Whole) -> None:
    """What the types can't say. Raises `ValueError`."""
    count = len(whole.entries)
    if len({row.label for row in whole.entries}) < count:
        raise ValueError("two entries have the same label")
    if not all(math.isfinite(row.seconds) and row.seconds >= 0 for row in whole.entries):
        raise ValueError("an entry's seconds are no time")
    rows: list[Sequence[object]] = [values for row in whole.agreement.numbers for values in (row.values, row.differs)]
    rows += [row.names for row in whole.agreement.files]
    rows += [row.distances for row in whole.agreement.files if row.distances]
    if any(len(row) != count for row in rows):
        raise ValueError("a row of the agreement has not one value for each entry")


def _entry(row: _Row) -> Entry:
    return Entry(
        model=row.model,
        number=row.number,
        label=row.label,
        error=row.error,
        message=row.message,
        seconds=row.seconds,
        result=None if row.result is None else Result.from_json(json.dumps(row.result)),
    )


def _not_ours(why: str) -> UsageError:
    return UsageError(f"This is not a comparison that sandloop wrote: {why[:300]}. Give the output of Comparison.to_json().")


def save(comparison: Comparison, folder: str | os.PathLike[str]) -> Path:
    """Write `comparison.json`, `report.html`, and a folder for each entry with its `events.jsonl` and the files it made.

    A folder that holds a comparison already keeps it: this one then goes into a folder in it that is called by its id.

    Returns:
        The folder that was written.

    Raises:
        UsageError: It can't be written.
    """
    target = Path(folder)
    try:
        target.mkdir(parents=True, exist_ok=True)
        if (target / MAIN).exists():
            target = target / clean_component(comparison.id)
            target.mkdir(mode=0o700)
        _write(target / MAIN, comparison.to_json())
        taken = {entry.name.lower() for entry in target.iterdir()}
        for entry in comparison.entries:
            if entry.result is not None:
                name = without_collision(folder_name(entry), taken)
                taken.add(name.lower())
                _save_entry(entry.result, target / name)
        _write_report(comparison, target / without_collision(REPORT, taken))
    except OSError as error:
        raise UsageError(f"The comparison can't be saved in {target}: {error.strerror}. Choose another folder.") from error
    return target


def folder_name(entry: Entry) -> str:
    """What its folder is called: `claude-2` for `claude #2`."""
    return clean_component(entry.label.replace(" #", "-"))


def _save_entry(result: Result, folder: Path) -> None:
    folder.mkdir(mode=0o700)
    _write(folder / EVENTS, "".join(codec.lines(result.events)))
    for made in result.files:
        if made.path.exists():  # a comparison that was loaded without its files has only their names
            made.save(folder)


def _write_report(comparison: Comparison, path: Path) -> None:
    from sandloop.report import comparison_report, write_report

    write_report(path, comparison_report(comparison))


def _write(path: Path, text: str) -> None:
    """A new file that only this user can read; where one is, or a link, it is refused."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600), "wb") as file:
        file.write(text.encode())
