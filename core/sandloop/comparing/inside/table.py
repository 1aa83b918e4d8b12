"""A table of plain cells, and how delimited text becomes one."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from .cells import Cell, cell_of, is_formula

MAX_CELLS = 1_000_000
"""Of one sheet that are read; what is beyond is said to be left out."""
MAX_COLUMNS = 2_000
_HEAD_ROWS = 20


@dataclass(slots=True)
class Table:
    """A sheet: its columns, each a list of cells from the first row under the header."""

    name: str
    """Of the sheet; empty where there is only one."""
    header: list[str]
    columns: list[list[Cell]]
    first: int = 2
    """The row of the first cell, as a spreadsheet counts."""
    places: list[int] = field(default_factory=list[int])
    """Where each column stands in the file, from 0."""
    cut: bool = False
    """Whether there is more than was read."""

    @property
    def length(self) -> int:
        return len(self.columns[0]) if self.columns else 0


def table_from_rows(name: str, rows: Iterable[Sequence[Cell]], *, max_cells: int = MAX_CELLS) -> Table:
    """The table that rows of cells are. The header is the first row that is all text; without one, columns are numbered."""
    taken, kept, cut = 0, list[Sequence[Cell]](), False
    for row in rows:
        kept.append(row[:MAX_COLUMNS])
        taken += max(len(row), 1)
        if taken >= max_cells:
            cut = True
            break
    while kept and not any(cell is not None for cell in kept[-1]):
        kept.pop()
    at = _header_at(kept)
    width = max((len(row) for row in kept), default=0)
    names = [] if at is None else [str(cell) if cell is not None else "" for cell in kept[at]]
    header = [*names, *([""] * (width - len(names)))]
    start = 0 if at is None else at + 1
    columns = _columns(kept[start:], width)
    places = [i for i in range(width) if not _is_index(header[i], columns[i], i, at is not None)]
    return Table(name, [header[i] or f"column {i + 1}" for i in places], [columns[i] for i in places], start + 1, places, cut)


def _columns(rows: Sequence[Sequence[Cell]], width: int) -> list[list[Cell]]:
    if all(len(row) == width for row in rows):
        return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]
    return [[row[i] if i < len(row) else None for row in rows] for i in range(width)]


def _header_at(rows: Sequence[Sequence[Cell]]) -> int | None:
    for at, row in enumerate(rows[:_HEAD_ROWS]):
        there = [cell for cell in row if cell is not None]
        wide = len(there) > 1 or all(len([c for c in other if c is not None]) <= 1 for other in rows[:_HEAD_ROWS])
        if there and wide:
            years = all(
                (isinstance(cell, str) and not is_formula(cell)) or (isinstance(cell, int) and 1500 <= cell < 2200)
                for cell in there
            )
            return at if years and any(isinstance(cell, str) for cell in there) else None
    return None


def _is_index(name: str, column: Sequence[Cell], at: int, has_header: bool) -> bool:
    """Whether it only counts the rows: what pandas writes unless told not to."""
    unnamed = name in ("", "Unnamed: 0", "index") and has_header
    return at == 0 and unnamed and len(column) > 0 and all(cell == row for row, cell in enumerate(column))


def text_rows(lines: Iterable[str], delimiter: str) -> Iterator[list[Cell]]:
    """The rows of delimited text. Raises `csv.Error` for a field that is too long."""
    known: dict[str, Cell] = {}
    for row in csv.reader(lines, delimiter=delimiter):
        cells: list[Cell] = []
        for text in row[:MAX_COLUMNS]:
            if text not in known:
                if len(known) > 200_000:
                    known.clear()
                known[text] = cell_of(text[:10_000])
            cells.append(known[text])
        if row:
            yield cells


def delimiter_of(head: str, name: str) -> str:
    """The character between cells, from the first lines: the one that cuts most of them alike."""
    if name.lower().endswith((".tsv", ".tab")):
        return "\t"
    lines = [line for line in islice(head.splitlines(), 20) if line.strip()]

    def evenness(delimiter: str) -> tuple[int, int]:
        counts = [line.count(delimiter) for line in lines]
        return (sum(count == counts[0] for count in counts) if counts and counts[0] else 0, counts[0] if counts else 0)

    return max("\t;|,", key=lambda delimiter: evenness(delimiter))
