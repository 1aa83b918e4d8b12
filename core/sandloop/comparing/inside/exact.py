"""Whether two files hold the same cells at the same places, as what the same code made twice. Only ever run inside the sandbox.

Nothing is rounded, left out or put in order, as it is between the files of two models.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from importlib import import_module
from itertools import zip_longest
from typing import Any, TypeAlias

from .cells import letters, shown
from .child import in_child
from .differ import MAX_DIFFERENCES, Difference, Outcome
from .read import Unreadable, check_parts

Sheets: TypeAlias = Iterable[tuple[str, Iterable[Sequence[object]]]]
"""Names and rows; the rows of one are read before the next is asked for."""
PAIR_SECONDS, ALL_SECONDS = 40.0, 75.0
_NAMES = 8


def main(given: str) -> None:
    """Compare the pairs of files that the JSON text `given` names, and print what came of it as the last line."""
    end = time.monotonic() + ALL_SECONDS
    groups: list[dict[str, Any]] = []
    unread: dict[str, str] = {}
    for pair in json.loads(given):
        ids = [int(id_) for id_ in pair["ids"]]
        said, why = _compared([f"/input/{path}" for path in pair["paths"]], min(PAIR_SECONDS, end - time.monotonic()))
        if why:
            unread[str(ids[0])] = why
            groups.append({"files": ids, "classes": [], "unknown": ids, "outcomes": []})
        else:
            classes = [ids] if said["same"] else [[id_] for id_ in ids]
            outcomes = [{"a": ids[0], "b": ids[1], **said}]
            groups.append({"files": ids, "classes": classes, "unknown": [], "outcomes": outcomes})
    print("\n" + json.dumps({"groups": groups, "looks": {}, "unread": unread}))


def _compared(paths: Sequence[str], seconds: float) -> tuple[dict[str, Any], str]:
    """What a child found, and why it found nothing."""
    value, why = in_child(lambda: _plain(*paths), seconds) if seconds > 0 else (None, "time was over")
    return value or {}, why


def _plain(one: str, other: str) -> dict[str, Any]:
    warnings.simplefilter("ignore")
    found = compare_exactly(sheets_of(one), sheets_of(other))
    return {"same": found.same, "more": found.more, "differences": [asdict(d) for d in found.differences]}


def compare_exactly(a: Sheets, b: Sheets) -> Outcome:
    """The sheets in order, cell by cell."""
    outcome = Outcome()
    only: tuple[list[str], list[str]] = ([], [])
    for first, second in zip_longest(a, b):
        if first is None or second is None or first[0] != second[0]:
            for names, sheet in zip(only, (first, second), strict=True):
                names += [] if sheet is None else [sheet[0]]
        else:
            _compare(first[0], first[1], second[1], outcome)
    if only[0] or only[1]:
        told = [", ".join(map(shown, names[:_NAMES])) for names in only]
        _first(outcome, Difference("sheets", a=told[0], b=told[1]))
    return outcome


def _compare(name: str, a: Iterable[Sequence[object]], b: Iterable[Sequence[object]], outcome: Outcome) -> None:
    rows = [0, 0]
    for at, (one, other) in enumerate(zip_longest(a, b), 1):
        rows[0] += one is not None
        rows[1] += other is not None
        if one is None or other is None:
            continue
        for column, (x, y) in enumerate(zip_longest(one, other)):
            if not _same(x, y):
                outcome.note(Difference("cell", name, f"{letters(column)}{at}", *_shown(x, y)), False)
    if rows[0] != rows[1]:
        _first(outcome, Difference("rows", name, a=str(rows[0]), b=str(rows[1])))


def _first(outcome: Outcome, difference: Difference) -> None:
    """It explains the others, so it stands before them."""
    outcome.same = False
    outcome.differences.insert(0, difference)
    outcome.more += len(outcome.differences) > MAX_DIFFERENCES
    del outcome.differences[MAX_DIFFERENCES:]


def _same(a: object, b: object) -> bool:
    if type(a) is not type(b):
        return False
    return a == b if isinstance(a, str | bytes) else repr(a) == repr(b)  # what is not a number is not equal to itself


def _shown(a: object, b: object) -> tuple[str, str]:
    """Both as a person reads them, with all their digits, and with their types where only these differ."""
    one, other = (repr(x) if isinstance(x, float) else "empty" if x is None else shown(str(x)) for x in (a, b))
    if one == other and type(a) is not type(b):
        return f"{one} ({type(a).__name__})", f"{other} ({type(b).__name__})"
    return one, other


def sheets_of(path: str) -> Sheets:
    """The sheets of a file. Raises `Unreadable`, or whatever a library raises."""
    with open(path, "rb") as file:  # noqa: PTH123 - as the image's own programs
        head = file.read(4)
    if head == b"PK\3\4":
        return _workbook(path)
    if head == b"PAR1":
        return [("", _parquet(path))]
    if head == b"\xd0\xcf\x11\xe0":
        return _old_workbook(path)
    raise Unreadable("it is no workbook and no Parquet")


def _workbook(path: str) -> Iterator[tuple[str, Iterator[list[object]]]]:
    check_parts(path)
    openpyxl: Any = import_module("openpyxl")
    with open(path, "rb") as written, open(path, "rb") as calculated:  # noqa: PTH123 - it goes by the ending of a path
        books = [
            openpyxl.load_workbook(file, read_only=True, data_only=values, keep_links=False)
            for file, values in ((written, False), (calculated, True))
        ]
        for sheet, valued in zip(*(book.worksheets for book in books), strict=True):
            if hasattr(sheet, "iter_rows"):
                yield str(sheet.title), _rows(sheet, valued)


def _rows(sheet: Any, valued: Any) -> Iterator[list[object]]:
    """The cells; a formula with the value that some program has calculated, if any."""
    for each in (sheet, valued):
        each.reset_dimensions()  # else the rows are as many as the file claims, and as wide
    for cells, values in zip(sheet.iter_rows(values_only=True), valued.iter_rows(values_only=True), strict=True):
        yield [_cell(getattr(cell, "text", cell), value) for cell, value in zip_longest(cells, values)]


def _cell(cell: object, value: object) -> object:
    formula = isinstance(cell, str) and cell[:1] == "=" and value is not None and value != cell
    return f"{cell} → {value}" if formula else cell


def _parquet(path: str) -> Iterator[list[object]]:
    parquet: Any = import_module("pyarrow.parquet")
    file = parquet.ParquetFile(path)
    yield [str(name) for name in file.schema_arrow.names]
    for batch in file.iter_batches(batch_size=2_000):
        yield from (list(row) for row in zip(*(column.to_pylist() for column in batch.columns), strict=True))


def _old_workbook(path: str) -> Iterator[tuple[str, Iterator[list[object]]]]:
    xlrd: Any = import_module("xlrd")
    book = xlrd.open_workbook(path, on_demand=True)
    for name in book.sheet_names():
        sheet = book.sheet_by_name(name)
        yield str(name), (list(sheet.row_values(row)) for row in range(sheet.nrows))
