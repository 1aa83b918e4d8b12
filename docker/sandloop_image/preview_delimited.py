"""Delimited text taken apart: which character delimits, where the header is, whether there is one."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from .preview_source import Source
from .preview_table import header_at
from .preview_text import Text
from .preview_types import MISSING, infer

_SUFFIXES = frozenset([".csv", ".tsv", ".tab", ".xlsx", ".xls", ".xlsm"])
"""Names under which delimited text goes; text that is called a workbook is a CSV renamed."""
SAMPLE_LINES, _SAMPLE_CELLS = 3_000, 60_000
"""Types are worked out from so much: about 0.1 s."""
csv.field_size_limit(1 << 26)


class Table:
    """Delimited text, taken apart."""

    def __init__(self, delimiter: str) -> None:
        self.delimiter = delimiter
        self.rows = list[list[str]]()
        """Parsed rows of the sample, blank ones left out."""
        self.starts = list[int]()
        """The line, from 0, on which each row begins."""
        self.read = 0
        """Lines in the sample."""
        self.at = 0
        """Which of the rows is the header."""
        self.headless = False
        self.indexed = False
        """The header is one cell shorter than the rows: pandas takes the first column as the index."""
        self.whole = False
        """Whether the sample is all of the file."""
        self.notes = list[str]()

    @property
    def data(self) -> list[list[str]]:
        """The rows under the header."""
        return self.rows[self.at + (not self.headless) :]

    @property
    def width(self) -> int:
        """Columns of the data."""
        return _usual_width(self.data) if self.data else len(self.rows[self.at])


def find_table(source: Source, text: Text) -> Table | None:
    """The table in the text, or None when it reads as prose. A name that ends in .csv or .tsv is believed."""
    start = text.start.removeprefix("\ufeff")
    if not source.whole:
        start = start[: max(start.rfind("\n"), start.rfind("\r"), 0)]
    lines = list(islice(io.StringIO(start, newline=None), SAMPLE_LINES))
    named = source.suffix in _SUFFIXES
    if not any(line.strip() for line in lines):
        return None
    delimiter = _delimiter(lines[:300], sure=not named)
    if delimiter is None and not named:
        return None
    table = _parse(lines, delimiter or ("\t" if source.suffix in (".tsv", ".tab") else ","))
    _place_header(table)
    table.whole = source.whole and not text.broken and table.read == len(lines) < SAMPLE_LINES
    return table


def _parse(lines: Sequence[str], delimiter: str) -> Table:
    table, cells, begin = Table(delimiter), 0, 0
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == " ")
    try:
        for parsed in reader:
            if parsed:
                table.rows.append(parsed)
                table.starts.append(begin)
                cells += len(parsed)
            begin = reader.line_num
            table.read = begin
            if cells > _SAMPLE_CELLS:
                break
    except csv.Error as error:
        table.notes.append(f"after line {begin:,} it can't be taken apart: {error}")
    if len(table.rows) > 1 and begin - table.starts[-1] > 500:
        table.notes.append(
            f"a quote opened in line {table.starts[-1] + 1:,} spans {begin - table.starts[-1]:,} lines: perhaps it is never closed"
        )
    if not table.rows:
        table.rows, table.starts = [[""]], [0]
    return table


def _delimiter(lines: Sequence[str], *, sure: bool) -> str | None:
    """The character that cuts most lines into the same number of cells. Commas last: they also stand in numbers and in prose."""
    best: tuple[float, str] | None = None
    for delimiter in "\t;|, ":
        try:
            rows = [r for r in csv.reader(lines, delimiter=delimiter, skipinitialspace=delimiter == " ") if r]
        except csv.Error:
            continue
        widths = Counter(len(r) for r in rows if len(r) > 1)
        if not widths:
            continue
        width, times = max(widths.items(), key=lambda item: (item[1], item[0]))
        begin = next(i for i, r in enumerate(rows) if len(r) == width)
        share = times / max(len(rows) - min(begin, 10), 1)
        if delimiter == " " and (share < 0.95 or times < 3 or not _has_numbers(rows, width)):
            continue
        if sure and (share < 0.9 or times < 2 or (delimiter in ",;" and times < 4 and not _has_numbers(rows, width))):
            continue
        if share >= 0.9:
            return delimiter
        if best is None or share > best[0]:
            best = (share, delimiter)
    return best[1] if best else None


def _has_numbers(rows: Sequence[Sequence[str]], width: int) -> bool:
    body = [r for r in rows[1:] if len(r) == width]
    return any(infer([r[i] for r in body]).kind in ("int64", "float64") for i in range(width))


def _usual_width(rows: Sequence[Sequence[str]]) -> int:
    counts = Counter(len(r) for r in rows[:500])
    return max(counts, key=counts.__getitem__)  # the first of those that are equally frequent, as `most_common` has it


def _place_header(table: Table) -> None:
    usual = _usual_width(table.rows)
    table.at = header_at(table.rows)
    if table.at and len(table.rows[table.at]) == usual and len(table.rows[table.at - 1]) == usual - 1 > 1:
        table.at -= 1
    header, below = table.rows[table.at], table.rows[table.at + 1 :]
    table.indexed = len(header) == usual - 1 and len(header) > 0 and len(below) > 0
    table.headless = not table.indexed and _looks_like_data(header, below[:200])


def _looks_like_data(header: Sequence[str], below: Sequence[Sequence[str]]) -> bool:
    """Whether the first row is no header: it has numbers with a point, or words that come again under them."""
    same = [r for r in below if len(r) == len(header)]
    if not same or len(set(header)) < len(header) - header.count(""):
        return bool(same) and all(infer([h]).kind in ("int64", "float64") for h in header)
    signs = 0
    for i, name in enumerate(header):
        values = [r[i] for r in same]
        numeric, numbers = infer([name]).kind in ("int64", "float64"), infer(values).kind in ("int64", "float64")
        if numbers and not numeric and name not in MISSING:
            return False
        years = name.isdigit() and 1500 <= int(name) <= 2200
        signs += (numeric and numbers and not years) or (not numeric and name != "" and name in values)
    return signs * 2 >= len(header)
