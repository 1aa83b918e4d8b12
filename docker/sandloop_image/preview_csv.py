"""Delimited text on the page: its size, the call that reads it right, its traps, its columns and first rows."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Sequence
from itertools import islice

from .preview_delimited import Table
from .preview_page import Page, amount, quoted, shorten
from .preview_source import Source
from .preview_table import columns_line, header_notes, pandas_names, rows_lines
from .preview_text import Text, packing
from .preview_types import Column, infer, number_style

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "vertical bar", " ": "blanks"}
_COUNT_BYTES, _COUNT_SECONDS = 40_000_000, 1.0


def describe_csv(source: Source, text: Text, table: Table, page: Page) -> None:
    """The table as lines on the page."""
    width, data = table.width, table.data
    columns = _columns(data, min(width, 400))
    decimal, thousands = number_style(columns, table.delimiter)
    types = [infer(values, decimal, thousands) for values in columns]
    header: list[str] = [] if table.headless else table.rows[table.at]
    names: list[object] = list(range(width)) if table.headless else pandas_names(header)
    page.line(
        f"{_WORDS[table.delimiter]}-separated text, {text.encoding}{packing(source, text)}: "
        f"{_row_count(source, text, table)}, {amount(width, 'column')}"
    )
    dates = [] if table.indexed else _date_columns(names, types)
    for i in dates:
        types[i] = Column("datetime64", types[i].note.replace("dates like", "parsed from text like"), types[i].dates)
    options = _options(source, text, table, decimal, thousands)
    if dates:
        options.append(f"parse_dates={[names[i] for i in dates]!r}")
    if any(types[i].dates == "day first" for i in dates):
        options.append("dayfirst=True")
    page.line(f"read it with: df = pd.read_csv({', '.join([quoted(source.name, 300), *options])})", 600)
    for i in [i for i in range(table.at) if any(table.rows[i])][:4]:
        page.line(
            f"line {table.starts[i] + 1}, above the header: {table.delimiter.join(table.rows[i]).rstrip(table.delimiter)}", 160
        )
    for note in [*table.notes, *_notes(text, table, header, width, decimal, thousands)]:
        page.line(f"note: {note}")
    if not table.whole:
        page.line(f"types as pandas infers them from the first {amount(len(data), 'row')}:")
    columns_line(page, ["(index)", *names] if table.indexed else names, types)
    rows_lines(page, data, 5 if width <= 12 else 3)
    if not data:
        page.line("no rows under the header" if table.whole else "the first row under the header is longer than 1 MB")


def _columns(data: Sequence[Sequence[str]], most: int) -> list[Counter[str]]:
    """The cells of each column, each with how often it comes. Rows may be too short."""
    if data and min(map(len, data)) >= most:
        return [Counter(cells) for cells in islice(zip(*data, strict=False), most)]
    return [Counter(r[i] for r in data if i < len(r)) for i in range(most)]


def _row_count(source: Source, text: Text, table: Table) -> str:
    above = table.starts[table.at] + (not table.headless)
    rough = max(text.lines - above, 0)
    if not text.finished:
        return f"more than {amount(rough, 'row')}" if source.packed else f"about {amount(rough, 'row')}"
    if table.whole:
        return amount(len(table.data), "row")
    if not text.quotes and not text.blanks:
        return amount(rough, "row")
    exact = _parsed_rows(source, text, table)
    return amount(exact - table.at - (not table.headless), "row") if exact is not None else f"about {amount(rough, 'row')}"


def _parsed_rows(source: Source, text: Text, table: Table) -> int | None:
    """Rows of the whole file as the csv module counts them, or None when that would take long."""
    if source.packed or source.size > _COUNT_BYTES:
        return None
    end, count = time.monotonic() + _COUNT_SECONDS, 0
    raw: Any = source.open()
    with raw, io.TextIOWrapper(raw, text.encoding, errors="replace", newline="") as lines:
        try:
            for parsed in csv.reader(lines, delimiter=table.delimiter):
                count += bool(parsed)
                if not count % 5_000 and time.monotonic() > end:
                    return None
        except csv.Error:
            return None
    return count


def _options(source: Source, text: Text, table: Table, decimal: str, thousands: str) -> list[str]:
    """What `pd.read_csv` has to be told beside the name."""
    parts: list[str] = []
    if table.delimiter == " ":
        parts.append("sep=r'\\s+'")
    elif table.delimiter != ",":
        parts.append(f"sep={table.delimiter!r}")
    if text.encoding != "utf-8":
        parts.append(f"encoding={text.encoding!r}")
    if source.packed and not source.named_as_packed:
        parts.append(f"compression={source.packed!r}")
    if table.starts[table.at]:
        parts.append(f"skiprows={table.starts[table.at]}")
    if table.headless:
        parts.append("header=None")
    if decimal != ".":
        parts.append(f"decimal={decimal!r}")
    if thousands:
        parts.append(f"thousands={thousands!r}")
    return parts


def _date_columns(names: Sequence[object], types: Sequence[Column]) -> list[int]:
    """The columns whose dates are clear and of one kind, at most four."""
    clear = [i for i, t in enumerate(types[: len(names)]) if t.dates not in ("", "order unclear")]
    wanted = [i for i in clear if types[i].dates == types[clear[0]].dates][:4]
    return [] if any(len(str(names[i])) > 60 for i in wanted) else wanted


def _notes(text: Text, table: Table, header: Sequence[str], width: int, decimal: str, thousands: str) -> list[str]:
    notes = header_notes(header)
    if table.headless:
        notes.append("there seems to be no header; columns are called 0, 1, 2 …")
    if table.indexed:
        notes.append("the header has one cell less than the rows: pandas takes the first column as the index")
    if decimal == ",":
        notes.append("numbers have a decimal comma" + (" and points between thousands" if thousands else ""))
    elif thousands:
        notes.append(f"numbers have {thousands!r} between thousands")
    ragged = [s for s, r in zip(table.starts[table.at :], table.rows[table.at :], strict=True) if len(r) != width]
    if ragged and not table.indexed:
        lines = ", ".join(f"{s + 1:,}" for s in ragged[:3])
        notes.append(
            f"{len(ragged):,} of the first rows don't have {width} cells (line {lines}): pandas may need on_bad_lines='warn'"
        )
    if text.nuls:
        notes.append("it has NUL characters")
    if table.rows[table.at] and table.rows[table.at][0].startswith("#"):
        notes.append(f"the header begins with {shorten(table.rows[table.at][0], 20)!r}")
    return notes
