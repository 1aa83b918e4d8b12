"""Made files as tables of plain cells. Only ever run in a child process inside the sandbox: the files are a stranger's."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from importlib import import_module
from itertools import chain, islice
from typing import Any, cast

from .cells import Cell, cell_from
from .table import MAX_CELLS, MAX_COLUMNS, Table, delimiter_of, table_from_rows, text_rows

JSON_BYTES, PART_BYTES, LINE = 30_000_000, 60_000_000, 1_000_000
BOOK_CELLS = 200_000
"""Of a workbook, all its sheets together: openpyxl reads about 100,000 in a second."""
MAX_SHEETS = 30


class Unreadable(Exception):
    """The file is not looked into, for a reason in words."""


def read(path: str, name: str) -> list[Table]:
    """The sheets of a file. Raises `Unreadable`, or whatever a library raises."""
    warnings.simplefilter("ignore")
    with open(path, "rb") as file:  # noqa: PTH123 - as the image's own programs
        head = file.read(8)
    low = name.lower()
    if head[:4] == b"PK\3\4":
        return _workbook(path)
    if head[:4] == b"PAR1":
        return _parquet(path)
    if head[:4] == b"\xd0\xcf\x11\xe0":
        return _old_workbook(path)
    if low.endswith((".json", ".jsonl", ".ndjson")):
        return _json(path, lines=not low.endswith(".json"))
    return [_text(path, name)]


def _text(path: str, name: str) -> Table:
    with open(path, encoding="utf-8-sig", errors="replace", newline="") as file:  # noqa: PTH123
        head = file.read(LINE)
        if len(head) == LINE and "\n" not in head:
            raise Unreadable("its first line is over 1 MB")
        file.seek(0)
        return table_from_rows("", text_rows(file, delimiter_of(head[:20_000], name)))


def check_parts(path: str) -> None:
    """Raises `Unreadable` for a workbook that unpacks to more than can be held."""
    with zipfile.ZipFile(path) as archive:
        for part in archive.infolist():
            if part.file_size > PART_BYTES and not part.filename.startswith(("xl/worksheets/", "xl/media/")):
                raise Unreadable(f"its part {part.filename[:60]!r} unpacks to {part.file_size:,} bytes")


def _workbook(path: str) -> list[Table]:
    check_parts(path)
    openpyxl: Any = import_module("openpyxl")
    tables = _sheets(openpyxl, path, values=False)
    if any(isinstance(cell, str) and cell[:1] == "=" for rows in tables.values() for row in rows for cell in row):
        values = _sheets(openpyxl, path, values=True)
        tables = {name: _with_values(rows, values.get(name, [])) for name, rows in tables.items()}
    return [table_from_rows(name, rows, max_cells=BOOK_CELLS // len(tables)) for name, rows in tables.items()]


def _sheets(openpyxl: Any, path: str, *, values: bool) -> dict[str, list[list[Cell]]]:
    """The cells of each sheet: as written, or the values that some program has calculated."""
    with open(path, "rb") as file:  # noqa: PTH123 - it goes by the ending of a path
        book = openpyxl.load_workbook(file, read_only=True, data_only=values, keep_links=False)
        sheets = [sheet for sheet in book.worksheets if hasattr(sheet, "iter_rows")][:MAX_SHEETS]
        return {str(sheet.title): _rows(sheet, BOOK_CELLS // len(sheets)) for sheet in sheets}


def _rows(sheet: Any, room: int) -> list[list[Cell]]:
    sheet.reset_dimensions()  # else the rows are as many as the file claims, and as wide
    rows: list[list[Cell]] = []
    for cells in sheet.iter_rows(values_only=True):
        row = [cell_from(getattr(cell, "text", cell)) for cell in cells[:MAX_COLUMNS]]
        rows.append(row)
        room -= max(len(row), 1)
        if room < 0:
            break
    return rows


def _with_values(rows: Sequence[Sequence[Cell]], values: Sequence[Sequence[Cell]]) -> list[list[Cell]]:
    """The values in the place of formulas, as far as some program has calculated them."""

    def value(row: int, column: int, cell: Cell) -> Cell:
        if not isinstance(cell, str) or cell[:1] != "=":
            return cell
        with suppress(IndexError):
            if values[row][column] is not None:
                return values[row][column]
        return cell

    return [[value(i, j, cell) for j, cell in enumerate(row)] for i, row in enumerate(rows)]


def _old_workbook(path: str) -> list[Table]:
    xlrd: Any = import_module("xlrd")
    book = xlrd.open_workbook(path, on_demand=True)
    found: list[Table] = []
    for name in book.sheet_names()[:MAX_SHEETS]:
        sheet = book.sheet_by_name(name)
        rows = [
            [cell_from(value) for value in sheet.row_values(i)] for i in range(min(sheet.nrows, BOOK_CELLS // max(sheet.ncols, 1)))
        ]
        found.append(table_from_rows(str(name), [[_whole(cell) for cell in row] for row in rows], max_cells=BOOK_CELLS))
    return found


def _whole(cell: Cell) -> Cell:
    """Old workbooks know no whole numbers."""
    return int(cell) if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15 else cell


def _parquet(path: str) -> list[Table]:
    parquet: Any = import_module("pyarrow.parquet")
    file = parquet.ParquetFile(path)
    names = [str(name)[:200] for name in file.schema_arrow.names][:MAX_COLUMNS]
    room = MAX_CELLS // max(len(names), 1)

    def rows() -> Iterator[list[Cell]]:
        yield list[Cell](names)
        for batch in file.iter_batches(batch_size=2_000):
            columns = [column.to_pylist() for column in batch.columns[:MAX_COLUMNS]]
            yield from ([cell_from(value) for value in row] for row in zip(*columns, strict=True))

    return [table_from_rows("", islice(rows(), room + 2))]


def _json(path: str, *, lines: bool) -> list[Table]:
    with open(path, encoding="utf-8-sig", errors="replace") as file:  # noqa: PTH123
        if lines:
            return [table_from_rows("", _records(json.loads(line[:LINE]) for line in islice(file, MAX_CELLS) if line.strip()))]
        text = file.read(JSON_BYTES + 1)
    if len(text) > JSON_BYTES:
        raise Unreadable("it is JSON of over 30 MB")
    value = plain = cast("object", json.loads(text))
    items = cast("list[object]", value) if isinstance(value, list) else []
    if items and all(isinstance(item, dict) for item in items):
        return [table_from_rows("", _records(items))]
    if isinstance(value, dict) and (columns := _columns(cast("dict[str, object]", value))):
        return [table_from_rows("", columns)]
    leaves = ([path, cell] for path, cell in islice(_leaves(plain, ""), MAX_CELLS // 2))
    return [table_from_rows("", chain([["path", "value"]], leaves))]


def _records(items: Iterable[object]) -> Iterator[list[Cell]]:
    """Objects as rows, their keys as the header; the keys of the first thousand."""
    first = list(islice(iterator := iter(items), 1_000))
    objects = [cast("dict[str, object]", item) for item in first if isinstance(item, dict)]
    names = list(dict.fromkeys(key for item in objects for key in item))[:MAX_COLUMNS]
    yield list[Cell](names)
    for item in chain(first, iterator):
        given = cast("dict[str, object]", item) if isinstance(item, dict) else {}
        yield [cell_from(given.get(name)) for name in names]


def _columns(value: dict[str, object]) -> list[list[Cell]]:
    """An object of columns, as lists or as objects with the same keys: what pandas writes. Empty for anything else."""
    names, columns = list[Cell](list(value)[:MAX_COLUMNS]), list(value.values())[:MAX_COLUMNS]
    lists = [cast("list[object]", column) for column in columns if isinstance(column, list)]
    maps = [cast("dict[str, object]", column) for column in columns if isinstance(column, dict)]
    cells: Iterable[object] = ()
    rows: list[list[Cell]] = []
    if lists and len(lists) == len(columns) and all(len(column) == len(lists[0]) for column in lists):
        cells = (cell for column in lists for cell in column[:10])
        rows = [names, *([cell_from(cell) for cell in row] for row in zip(*lists, strict=True))]
    elif maps and len(maps) == len(columns) and all(list(column) == list(maps[0]) for column in maps):
        cells = (cell for column in maps for cell in islice(column.values(), 10))
        rows = [["key", *names], *([key, *(cell_from(column[key]) for column in maps)] for key in maps[0])]
    return [] if any(isinstance(cell, list | dict) for cell in cells) else rows


def _leaves(value: object, path: str) -> Iterator[tuple[str, Cell]]:
    """Each plain value of nested JSON with its path, without recursion."""
    waiting: list[tuple[str, object]] = [(path, value)]
    while waiting:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting += [(f"{path}.{key}"[:300], item) for key, item in reversed(cast("dict[str, object]", value).items())]
        elif isinstance(value, list):
            waiting += [(f"{path}[{i}]"[:300], item) for i, item in reversed(list(enumerate(cast("list[object]", value))))]
        else:
            yield path.lstrip("."), cell_from(value)
