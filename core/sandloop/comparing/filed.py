"""All files that entries made, held against each other: tables and workbooks by cells, pictures by looks, the rest by bytes."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sandloop.comparing.comparison import Entry, FileRow, short_label
from sandloop.comparing.made import Made, made_files, too_large
from sandloop.comparing.opened import Opened, by_sums, opened
from sandloop.comparing.pictures import picture_rows
from sandloop.comparing.tables import classes_by_entry, first_differences, table_rows
from sandloop.limits import Limits
from sandloop.options import SandboxOptions

MAX_ROWS = 100


@dataclass(frozen=True, slots=True)
class Filed:
    """What came of the files."""

    rows: tuple[FileRow, ...] = ()
    classes: Sequence[Sequence[Sequence[int]]] = ()
    """For each table of several entries, the entries whose tables are the same, together."""
    differences: Mapping[tuple[int, int], str] = field(default_factory=dict[tuple[int, int], str])
    """The first difference between the tables of two entries, in words."""


async def compare_files(entries: Sequence[Entry], *, options: SandboxOptions, limits: Limits, tolerance: float) -> Filed:
    """The files of all entries, compared. Nothing is opened that the bytes' sums tell already. Raises nothing for a bad file."""
    made, left_out = made_files(entries)
    why = {**too_large(made), **await asyncio.to_thread(_missing, made)}
    tables = [m for m in made if m.kind in ("table", "workbook")]
    pictures = [m for m in made if m.kind == "picture"]
    if worth_opening(tables) or worth_opening(pictures):
        found = await opened([*tables, *pictures], why, options=options, limits=limits, tolerance=tolerance)
        why = {**found.looked.unread, **({m.id: found.why for m in made} if found.why else {}), **why}
    else:
        found = Opened(by_sums(tables))
    rows = [
        *table_rows(found.looked, made, entries, why),
        *picture_rows(pictures, found.looked.looks, entries, why),
        *_others([m for m in made if m.kind == "other"], entries),
        *(FileRow(kind="other", names=(None,) * len(entries), same=None, differences=(text,)) for text in left_out),
    ]
    return Filed(tuple(rows[:MAX_ROWS]), classes_by_entry(found.looked, made), first_differences(found.looked, made, entries))


def worth_opening(made: Sequence[Made]) -> bool:
    """Whether two entries made files of this kind, and not all of them the same ones byte for byte."""
    sums: dict[int, list[str]] = defaultdict(list)
    for m in made:
        sums[m.entry].append(m.file.sha256)
    return len(sums) > 1 and len({tuple(sorted(own)) for own in sums.values()}) > 1


def _missing(made: Sequence[Made]) -> dict[int, str]:
    return {m.id: "its bytes are not here" for m in made if not m.file.path.exists()}


def _others(made: Sequence[Made], entries: Sequence[Entry]) -> list[FileRow]:
    """Files of other kinds, by name: the same byte for byte, or left to the reader."""
    by_name: dict[str, dict[int, Made]] = defaultdict(dict)
    for m in made:
        by_name[m.file.name.casefold()][m.entry] = m
    rows: list[FileRow] = []
    for own in by_name.values():
        same = len({m.file.sha256 for m in own.values()}) == 1
        told = "their contents differ, and files of this kind are not compared"
        if len(own) == 1:
            told = f"only {short_label(entries[next(iter(own))].label)} made it"
        names = tuple(own[at].file.name if at in own else None for at in range(len(entries)))
        agree = True if same and len(own) > 1 else None
        rows.append(FileRow(kind="other", names=names, same=agree, differences=() if agree else (told,)))
    return rows
