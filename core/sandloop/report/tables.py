"""The first rows of a CSV file that code made, read with bounds. Pure."""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

READ = 256_000
"""Bytes of the file that are read."""
_NUMBER = re.compile(r"\s*[-+−]?[$€£]?(?:\d[\d,' ]*\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?\s?%?\s*")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell's text, shortened, and whether it is a number, which stands to the right."""

    text: str
    number: bool = False


@dataclass(frozen=True, slots=True)
class Table:
    """The beginning of a table."""

    head: tuple[Cell, ...]
    """Empty when the first row is no heading."""
    rows: tuple[tuple[Cell, ...], ...]
    more_rows: bool = False
    more_columns: int = 0
    """Of the widest row shown."""


def read_table(content: bytes, *, tabs: bool, rows: int, columns: int, cell: int) -> Table | None:
    """The beginning of the CSV file that starts with `content`; None when it is none.

    Args:
        content: At most `READ` bytes are looked at.
        tabs: Whether the cells are parted by tabs.
        rows: Rows to keep, beside the heading.
        columns: Columns to keep.
        cell: Characters of a cell to keep.
    """
    text = _decoded(content[:READ])
    delimiter = "\t" if tabs else _delimiter(text)
    found: list[list[str]] = []
    whole = False
    with contextlib.suppress(csv.Error):
        for row in islice(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), rows + 2):
            found.append(row)  # noqa: PERF402 - those before an error stay
        whole = len(content) <= READ
    if len(content) > READ and len(found) > 1 and len(found) < rows + 2:
        found.pop()  # it may be cut
    found = [row for row in found if row]
    if not found:
        return None
    headed = not all(_is_number(text) for text in found[0][:columns] if text)
    body = found[headed : headed + rows]
    return Table(
        head=_cells(found[0], columns, cell) if headed else (),
        rows=tuple(_cells(row, columns, cell) for row in body),
        more_rows=len(found) > headed + rows or not whole,
        more_columns=max(0, max(len(row) for row in found) - columns),
    )


def _decoded(content: bytes) -> str:
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16", "replace")
    return content.decode("utf-8-sig", "replace")


def _delimiter(text: str) -> str:
    """What parts most cells in the first line."""
    line = text[:10_000].partition("\n")[0]
    return max((",", ";", "\t", "|"), key=lambda sign: line.count(sign))


def _cells(row: Sequence[str], columns: int, length: int) -> tuple[Cell, ...]:
    return tuple(Cell(text if len(text) <= length else text[: length - 1] + "…", _is_number(text)) for text in row[:columns])


def _is_number(text: str) -> bool:
    return len(text) <= 60 and _NUMBER.fullmatch(text) is not None
