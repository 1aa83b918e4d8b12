"""Excel workbooks: every sheet with what is really in it, not what its header says."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as clock
from importlib import import_module
from io import StringIO
from itertools import islice
from typing import Any

from .preview_packed import open_zip
from .preview_page import Page, amount, listed, quoted, row
from .preview_source import Odd, Source
from .preview_table import columns_line, filled, header_at, header_notes, pandas_names, rows_lines
from .preview_types import infer

_SECONDS = 3.0
"""For all sheets together; openpyxl reads about 100,000 cells a second."""
_SHEETS = 6
_SAMPLE_ROWS, _SAMPLE_COLUMNS = 100, 300
_STRINGS_BYTES = 40_000_000
_XLS_BYTES = 60_000_000


@dataclass(slots=True)
class Sheet:
    """What was seen of a sheet."""

    rows: list[list[Any]]
    """The first rows, trailing empty cells cut off."""
    last: int = 0
    """The last row with something in it, from 1."""
    width: int = 0
    finished: bool = True


def describe_xlsx(source: Source, page: Page) -> None:
    """A new workbook (.xlsx, .xlsm), read as a stream."""
    _refuse_bombs(source)
    warnings.simplefilter("ignore")
    openpyxl: Any = import_module("openpyxl")
    with source.open() as file:
        try:
            book: Any = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
        except Exception as error:
            raise Odd(f"it begins like an Excel workbook, but openpyxl (and so pandas) can't read it: {error}") from error
        sheets = [(s.title, s.sheet_state != "visible", s if hasattr(s, "iter_rows") else None) for s in book._sheets]
        _describe(source, page, sheets, _stream)


def describe_xls(source: Source, page: Page) -> None:
    """An old workbook (.xls)."""
    if source.size > _XLS_BYTES:
        raise Odd(f"an old Excel workbook of {source.size:,} bytes is not looked into")
    xlrd: Any = import_module("xlrd")
    try:
        book: Any = xlrd.open_workbook(source.path, on_demand=True, logfile=StringIO())
    except Exception as error:
        raise Odd(f"it is an old Office file, but not a workbook that can be read: {error}") from error
    hidden: list[int] = getattr(book, "_sheet_visibility", [])
    sheets = [(str(name), bool(hidden[i : i + 1] and hidden[i]), i) for i, name in enumerate(book.sheet_names())]

    def rows(number: int) -> Iterator[Sequence[Any]]:
        return _old_rows(book, book.sheet_by_index(number), xlrd)

    _describe(source, page, sheets, rows)


def _describe(
    source: Source, page: Page, sheets: Sequence[tuple[str, bool, Any]], rows: Callable[[Any], Iterator[Sequence[Any]]]
) -> None:
    names = listed((quoted(n) for n, _, _ in sheets), len(sheets), 500, "more sheets")
    page.line(f"Excel workbook, {amount(len(sheets), 'sheet')}: {names}", 600)
    end = time.monotonic() + _SECONDS
    shown = sheets[:_SHEETS]
    for i, (name, hidden, handle) in enumerate(shown):
        told = f"sheet {quoted(name)}{' (hidden)' if hidden else ''}"
        if handle is None:
            page.line(f"{told}: a chart")
            continue
        now = time.monotonic()
        try:
            sheet = look_at(rows(handle), now + max((end - now) / (len(shown) - i), 0.1))
        except Exception as error:
            page.line(f"{told}: can't be read: {error}", 200)
            continue
        _describe_sheet(source, page, name, told, sheet, (page.room() - 150) // (len(shown) - i))


def _describe_sheet(source: Source, page: Page, name: str, told: str, sheet: Sheet, room: int) -> None:
    if not sheet.rows:
        page.line(f"{told}: empty")
        return
    if sheet.width == 1 and all(isinstance(r[0], str) and len(r[0]) > 30 for r in sheet.rows[:5] if r):
        page.line(f"{told}: text in A1:A{sheet.last}")
        for cells in [r for r in sheet.rows if r][:5]:
            page.line(f"  {cells[0]}", 160)
        return
    at = header_at(sheet.rows)
    width = max(sheet.width, 1)
    header = [*sheet.rows[at], *[None] * (width - len(sheet.rows[at]))]
    data = [r for r in sheet.rows[at + 1 :] if filled(r)]
    count = f"{'' if sheet.finished else 'at least '}{amount(max(sheet.last - at - 1, 0), 'row')} under the header"
    page.line(f"{told}: used A1:{_letters(width)}{sheet.last}{'' if sheet.finished else ' or more'}, {count}")
    skip = f", skiprows={at}" if at else ""
    page.line(f"read it with: df = pd.read_excel({quoted(source.name, 300)}, sheet_name={quoted(name)}{skip})")
    for i in [i for i in range(at) if filled(sheet.rows[i])][:4]:
        page.line(f"row {i + 1}, above the header: " + row(sheet.rows[i], 120))
    for note in header_notes([str(h) if h is not None else None for h in header]):
        page.line(f"note: {note}")
    types = (_type([r[i] if i < len(r) else None for r in data]) for i in range(min(width, _SAMPLE_COLUMNS)))
    columns_line(page, pandas_names(header), types, max(room - 500, 160))
    rows_lines(page, [[*r, *[None] * (min(width, 30) - len(r))] for r in data[:3]], 3 if room > 350 else 1)


def look_at(rows: Iterator[Sequence[Any]], end: float) -> Sheet:
    """Walk the rows until the end or the time is up."""
    sheet = Sheet([])
    for number, cells in enumerate(rows, 1):
        if any(c is not None and c != "" for c in cells):
            used = next(i for i in range(len(cells), 0, -1) if cells[i - 1] is not None and cells[i - 1] != "")
            sheet.last, sheet.width = number, max(sheet.width, used)
            if number <= _SAMPLE_ROWS:
                sheet.rows.extend([] for _ in range(number - 1 - len(sheet.rows)))
                sheet.rows.append(list(cells[:used]))
        if not number % 50 and time.monotonic() > end:
            sheet.finished = False
            break
    return sheet


def _stream(worksheet: Any) -> Iterator[Sequence[Any]]:
    worksheet.reset_dimensions()  # else the rows are as many as the file claims, and as wide
    yield from worksheet.iter_rows(values_only=True)


def _old_rows(book: Any, sheet: Any, xlrd: Any) -> Iterator[Sequence[Any]]:
    for i in range(sheet.nrows):
        yield [_old_value(c, book.datemode, xlrd) for c in islice(sheet.row(i), 2_000)]


def _old_value(found: Any, datemode: int, xlrd: Any) -> Any:
    if found.ctype == xlrd.XL_CELL_DATE:
        try:
            return xlrd.xldate_as_datetime(found.value, datemode)
        except (ValueError, OverflowError, xlrd.XLDateError):
            return found.value
    if found.ctype == xlrd.XL_CELL_BOOLEAN:
        return bool(found.value)
    if found.ctype == xlrd.XL_CELL_NUMBER and float(found.value).is_integer():
        return int(found.value)
    return None if found.ctype in (xlrd.XL_CELL_EMPTY, xlrd.XL_CELL_BLANK) else found.value


def _type(values: Sequence[Any]) -> str:
    """What pandas makes of the cells of a column."""
    there = [v for v in values if v is not None and v != ""]
    missing = f" ({len(values) - len(there)} of the first {len(values)} missing)" if 0 < len(there) < len(values) else ""
    if not there:
        return "empty"
    if all(isinstance(v, (datetime, date)) for v in there):
        return "datetime64" + missing
    if all(isinstance(v, clock) for v in there):
        return "time" + missing
    if all(isinstance(v, bool) for v in there):
        return "bool" + missing
    if all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in there):
        whole = all(isinstance(v, int) or v.is_integer() for v in there)
        return ("int64" if whole and not missing else "float64") + missing
    if all(isinstance(v, str) for v in there):
        column = infer(there)
        if column.kind in ("int64", "float64"):
            lost = "; dtype=str keeps leading zeros" if "zeros" in column.note else ""
            return f"{column.kind} (stored as text{lost}){missing}"
        return f"str ({column.note}){missing}" if column.note else f"str{missing}"
    kinds = " and ".join(dict.fromkeys(type(v).__name__ for v in there))
    return f"mixed {kinds}{missing}"


def _letters(column: int) -> str:
    text = ""
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text


def _refuse_bombs(source: Source) -> None:
    """openpyxl reads some parts whole: not when they are huge. zipfile never unpacks more than a part's stated size."""
    with open_zip(source) as archive:
        for entry in archive.infolist():
            if entry.file_size > _STRINGS_BYTES and not entry.filename.startswith(("xl/worksheets/", "xl/media/")):
                raise Odd(
                    f"Excel workbook whose part {entry.filename[:60]!r} unpacks to {entry.file_size:,} bytes: not looked into"
                )
