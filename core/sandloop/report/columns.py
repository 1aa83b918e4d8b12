"""What a report shows of a comparison: what all agree on, and each run in a column. Pure but for the reading of made files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sandloop.comparing.comparison import Agreement, Comparison, Entry, FileRow, Judgement, NumberRow, short_label
from sandloop.report.bounds import MAX_COLUMNS, MAX_ROWS, Bounds, bounds
from sandloop.report.figures import moment, money
from sandloop.report.made import input_files
from sandloop.report.shown import ComparisonShown, FileShown, Mark, NumberShown, RunShown, SameFile
from sandloop.report.text import Cut, cut, short
from sandloop.report.view import run_shown
from sandloop.result import Result
from sandloop.store import FileStore

_QUESTION, _VERDICT, _OPINION = 20_000, 600, 20_000
_ENTRIES, _NUMBERS, _FILES, _DIFFERENCES = 60, 100, 40, 20
_LABEL, _VALUE, _DIFFERENCE = 60, 60, 300


def comparison_shown(comparison: Comparison) -> ComparisonShown:
    """What is shown of a comparison."""
    entries = comparison.entries[:_ENTRIES]
    most = max((len(e.result.steps) for e in entries if e.result), default=1)
    limits = bounds(max(2, len(entries)), most)
    runs = tuple(_run(entry, f"m{number}", limits) for number, entry in enumerate(entries, 1))
    labels = tuple(short_label(entry.label or entry.model, _LABEL) for entry in entries)
    agreement = comparison.agreement
    return ComparisonShown(
        id=short(comparison.id, 60),
        at=short(moment(comparison.at), 40),
        question=cut(comparison.question, _QUESTION),
        inputs=input_files(comparison.files, key="q", rows=MAX_ROWS),
        input_count=len(comparison.files),
        mark=verdict_mark(agreement.agree),
        verdict=short(agreement.verdict, _VERDICT),
        groups=tuple(tuple(short_label(label, _LABEL) for label in group[:_ENTRIES]) for group in agreement.groups[:_ENTRIES]),
        labels=labels,
        runs=runs,
        columns=min(len(runs), MAX_COLUMNS),
        containers=any(run.container_cost for run in runs),
        entry_count=len(comparison.entries),
        numbers=tuple(_number(row, len(labels)) for row in agreement.numbers[:_NUMBERS]),
        number_count=len(agreement.numbers),
        files=_same_files(agreement, labels, runs),
        file_count=len(agreement.files),
        opinion=_opinion(agreement.judged),
    )


def _run(entry: Entry, key: str, limits: Bounds) -> RunShown:
    result = entry.result or Result(events=(), store=FileStore(file_bytes=0))
    shown = run_shown(
        result,
        key=key,
        limits=limits,
        label=entry.label or entry.model,
        error=entry.error,
        message=entry.message,
        wall_seconds=entry.seconds or None,
    )
    return shown if entry.result else replace(shown, cost="")


def verdict_mark(agree: bool | None) -> Mark:
    """Whether they agree."""
    if agree is None:
        return Mark("–", "nothing to compare", "plain")
    return Mark("=", "they agree", "good") if agree else Mark("≠", "they differ", "bad")


def _number(row: NumberRow, entries: int) -> NumberShown:
    """A value for each entry, also where the row has too few."""
    pairs = [*zip(row.values, row.differs, strict=False)][:entries]
    pairs += [(None, False)] * (entries - len(pairs))
    return NumberShown(
        what=short(row.what, 120),
        unit=short(row.unit, 30),
        values=tuple((None if value is None else short(value, _VALUE), differs) for value, differs in pairs),
    )


def _same_files(agreement: Agreement, labels: Sequence[str], runs: Sequence[RunShown]) -> tuple[SameFile, ...]:
    return tuple(_same_file(row, labels, runs) for row in agreement.files[:_FILES])


def _same_file(row: FileRow, labels: Sequence[str], runs: Sequence[RunShown]) -> SameFile:
    names = [None if name is None else short(name, 150) for name in row.names[: len(labels)]]
    names += [None] * (len(labels) - len(names))
    pictures = _pictures(row, names, labels, runs) if row.kind == "picture" else ()
    return SameFile(
        kind=row.kind,
        title=next((name for name in names if name is not None), row.kind),
        mark=Mark("?", "for your eye", "plain") if pictures and row.same is None else _file_mark(row.same),
        differences=tuple(short(text, _DIFFERENCE) for text in row.differences[:_DIFFERENCES]),
        pictures=pictures,
        names=tuple(zip(labels, names, strict=True)),
    )


def _file_mark(same: bool | None) -> Mark:
    if same is None:
        return Mark("?", "not compared", "plain")
    return Mark("=", "the same", "good") if same else Mark("≠", "differ", "bad")


def _pictures(
    row: FileRow, names: Sequence[str | None], labels: Sequence[str], runs: Sequence[RunShown]
) -> tuple[tuple[str, FileShown | None, str], ...]:
    """Those that made one; the distances are to the first of them."""
    distances = [*row.distances, *[None] * len(names)]
    made = [
        (label, _found(run, name), distance)
        for label, run, name, distance in zip(labels, runs, names, distances, strict=False)
        if name is not None
    ]
    first = made[0][0] if made else ""
    return tuple(
        (label, found, "" if distance is None or label == first else _distance(distance, first)) for label, found, distance in made
    )


def _distance(distance: float, first: str) -> str:
    return f"looks the same as {first}’s" if distance <= 0 else f"distance {distance:.2f} to {first}’s, of 0 (alike) to 1"


def _found(run: RunShown, name: str) -> FileShown | None:
    return next((file for file in run.files if file.name == name and file.picture), None)


def _opinion(judged: Judgement | None) -> tuple[str, Mark, Cut, str] | None:
    if judged is None:
        return None
    held = {
        True: Mark("=", "holds that they agree", "plain"),
        False: Mark("≠", "holds that they differ", "plain"),
        None: Mark("?", "gave no yes or no", "plain"),
    }
    return short(judged.model, _LABEL), held[judged.agree], cut(judged.text, _OPINION), money(judged.cost)
