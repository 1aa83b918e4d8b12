"""The tables and workbooks that entries made, and how they differ, in words."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import replace

from sandloop.comparing.comparison import Entry, FileRow, short_label
from sandloop.comparing.made import Made
from sandloop.comparing.said import Looked, SaidDifference, SaidGroup, SaidOutcome
from sandloop.comparing.verdict import short

MAX_TOLD = 20
_TOLD = 240


def table_rows(looked: Looked, made: Sequence[Made], entries: Sequence[Entry], why: Mapping[int, str]) -> list[FileRow]:
    """A row for each file that one or several entries made.

    Args:
        why: Why a file was not looked into, by id.
    """
    by_id = {m.id: m for m in made}
    first: dict[Hashable, str] = {}
    rows: list[FileRow] = []
    for group in looked.groups:
        row = _row(group, by_id, entries, {**looked.unread, **why})
        key, name = _what_differs(group, by_id), short(by_id[group.files[0]].file.name, 120)
        again = key is not None and first.setdefault(key, name) != name
        rows.append(replace(row, differences=(f"the same differences as in {first[key]}{_sheet(group)}",)) if again else row)
    return rows


def _what_differs(group: SaidGroup, made: Mapping[int, Made]) -> Hashable:
    """What is the same for two files that one table was saved as; None where nothing differs, or not in one sheet alone."""
    outcomes = [outcome for outcome in group.outcomes if outcome.differences]
    if group.unknown or len(group.classes) < 2 or len({d.sheet for o in outcomes for d in o.differences}) != 1:
        return None
    return tuple(
        (made[o.a].entry, made[o.b].entry, o.more, tuple((d.what, d.place, d.a, d.b) for d in o.differences)) for o in outcomes
    )


def _sheet(group: SaidGroup) -> str:
    sheet = next((d.sheet for o in group.outcomes for d in o.differences), "")
    return f", in the sheet {short(sheet)}" if sheet else ""


def _row(group: SaidGroup, made: Mapping[int, Made], entries: Sequence[Entry], why: Mapping[int, str]) -> FileRow:
    first = made[group.files[0]]
    names: list[str | None] = [None] * len(entries)
    for id_ in group.files:
        names[made[id_].entry] = made[id_].file.name
    return FileRow(
        kind=first.kind,
        names=tuple(names),
        same=_same(group),
        differences=tuple(_told(group, made, entries, why))[:MAX_TOLD],
    )


def _same(group: SaidGroup) -> bool | None:
    if len(group.classes) > 1:
        return False
    return None if group.unknown or len(group.files) == 1 else True


def _told(group: SaidGroup, made: Mapping[int, Made], entries: Sequence[Entry], why: Mapping[int, str]) -> list[str]:
    """What differs between two, the first file of the largest class on the right side."""

    def label(id_: int) -> str:
        return short_label(entries[made[id_].entry].label)

    if len(group.files) == 1:
        return [f"only {label(group.files[0])} made it"]
    told: list[str] = []
    for outcome in group.outcomes:
        told += (short(words(d, label(outcome.a), label(outcome.b)), _TOLD) for d in outcome.differences)
        if outcome.more:
            told.append(f"{label(outcome.a)} and {label(outcome.b)}: {outcome.more:,} more differences")
    told += (f"{label(id_)}: not compared, {short(why[id_], 120)}" for id_ in group.files if id_ in why and id_ in group.unknown)
    return told


def classes_by_entry(looked: Looked, made: Sequence[Made]) -> list[list[list[int]]]:
    """For each file of several entries, the entries whose files are the same, together; a file that was not compared is in none."""
    entry = {m.id: m.entry for m in made}
    return [[[entry[id_] for id_ in ids] for ids in group.classes] for group in looked.groups if len(group.files) > 1]


def first_differences(looked: Looked, made: Sequence[Made], entries: Sequence[Entry]) -> dict[tuple[int, int], str]:
    """The first difference between the files of each two entries, in words, the smaller position first."""
    by_id = {m.id: m for m in made}
    found: dict[tuple[int, int], str] = {}
    for group in looked.groups:
        for outcome in group.outcomes:
            if outcome.same is False and outcome.differences:
                a, b = by_id[outcome.a], by_id[outcome.b]
                told = _serious(outcome)
                text = f"in {a.file.name}, {words(told, short_label(entries[a.entry].label), short_label(entries[b.entry].label))}"
                found.setdefault((min(a.entry, b.entry), max(a.entry, b.entry)), text)
    return found


def _serious(outcome: SaidOutcome) -> SaidDifference:
    """The first difference that makes them differ."""
    return next((d for d in outcome.differences if d.what in ("cell", "rows", "only")), outcome.differences[0])


def words(difference: SaidDifference, a: str, b: str) -> str:
    """One difference for a person: `gpt: B3 is 11.9, claude has 12.4`."""
    d = difference
    sheet = f"{d.sheet}!" if d.sheet else ""
    match d.what:
        case "cell":
            return f"{a}: {sheet}{d.place} is {d.a}, {b} has {d.b}"
        case "rows":
            return f"{a}: {sheet[:-1] + ' has ' if sheet else ''}{d.a} rows, {b} has {d.b}"
        case "only":
            return "; ".join(f"only {who} has {d.place} {cells}" for who, cells in ((a, d.a), (b, d.b)) if cells)
        case "sheets" | "columns":
            return "; ".join(f"only {who} has the {d.what} {names}" for who, names in ((a, d.a), (b, d.b)) if names)
        case "renamed":
            return f"{a} calls the column {sheet}{d.a}, {b} calls it {d.b}"
        case "order":
            return f"{a} has the {d.place}{' of ' + d.sheet if d.sheet else ''} in another order than {b}"
        case "formula":
            return f"{a}: {sheet}{d.place} is {d.a}, {b} has {d.b}: a formula without a value"
        case "cut":
            return f"only the first rows were compared: {d.a} of {a}, {d.b} of {b}"
        case "unlike":
            return f"{a} has the columns {d.a}, {b} {d.b}"
        case _:
            return f"{a} and {b} differ"
