"""How two tables differ, cell by cell. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from .cells import Cell, decimals, letters, same_cell, shown
from .table import Table

MAX_DIFFERENCES = 20
_NAMES = 8


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference between two files, `a` and `b`; which of the fields tell depends on `what`."""

    what: str
    """`cell`: they differ at `place`. `rows`: how many each has. `only`: rows that one has alone, by their cell in the column
    `place`. `sheets`, `columns`: those that one has alone. `renamed`: a column is called `a` or `b`. `order`: only the order of
    `place` differs. `formula`: one at `place` has no value. `cut`: only the first rows were compared. `unlike`: they have no
    column in common."""
    sheet: str = ""
    place: str = ""
    a: str = ""
    b: str = ""


@dataclass(slots=True)
class Outcome:
    """Of comparing two files."""

    same: bool | None = True
    differences: list[Difference] = field(default_factory=list[Difference])
    more: int = 0
    """Differences that are not listed."""

    def note(self, difference: Difference, same: bool | None = True) -> None:
        if same is False or self.same is False:
            self.same = False
        elif same is None:
            self.same = None
        if len(self.differences) < MAX_DIFFERENCES:
            self.differences.append(difference)
        else:
            self.more += 1


def compare_books(a: Sequence[Table], b: Sequence[Table], tolerance: float) -> Outcome:
    """Two files, sheet by sheet: by name, then the rest in order."""
    outcome = Outcome()
    pairs, only_a, only_b = _sheet_pairs(a, b)
    for first, second in pairs:
        _compare(first, second, tolerance, outcome)
    if only_a or only_b:
        names = [", ".join(shown(table.name or "a sheet") for table in left[:_NAMES]) for left in (only_a, only_b)]
        outcome.note(Difference("sheets", a=names[0], b=names[1]), None if only_a and only_b else True)
    return outcome


def _sheet_pairs(a: Sequence[Table], b: Sequence[Table]) -> tuple[list[tuple[Table, Table]], list[Table], list[Table]]:
    left, pairs, only_a = list(b), list[tuple[Table, Table]](), list[Table]()
    for table in a:
        other = next((t for t in left if t.name.strip().casefold() == table.name.strip().casefold()), None)
        if other is None:
            only_a.append(table)
        else:
            pairs.append((table, other))
            left.remove(other)
    if len(only_a) == len(left):
        return [*pairs, *zip(only_a, left, strict=True)], [], []
    return pairs, only_a, left


@dataclass(frozen=True, slots=True)
class _Pair:
    """Two columns that are one."""

    name: str
    a: list[Cell]
    b: list[Cell]
    place: int
    """In the first file."""
    a_decimals: int
    b_decimals: int


def _compare(a: Table, b: Table, tolerance: float, outcome: Outcome) -> None:
    pairs = _column_pairs(a, b, outcome)
    if not pairs:
        if a.columns or b.columns:
            columns = [", ".join(shown(name) for name in table.header[:_NAMES]) for table in (a, b)]
            outcome.note(Difference("unlike", a.name, a=columns[0], b=columns[1]), None)
        return
    by_position = list(range(min(a.length, b.length)))
    wrong = _count(pairs, by_position, by_position, tolerance) if a.length == b.length else -1
    if wrong:
        aligned = _by_key(pairs) or _by_whole_rows(pairs, tolerance)
        apart = 0 if aligned is None else _count(pairs, *aligned, tolerance)
        alone = 0 if aligned is None else a.length + b.length - 2 * len(aligned[0])
        if aligned is not None and (wrong < 0 or apart + alone < wrong):
            _missing(a, b, pairs, aligned, outcome)
            if not apart and not alone:
                outcome.note(Difference("order", a.name, "rows"))
                return
            _list_cells(a, pairs, *aligned, tolerance, outcome)
        elif wrong < 0:
            outcome.note(Difference("rows", a.name, a=str(a.length), b=str(b.length)), None if a.cut or b.cut else False)
        else:
            _list_cells(a, pairs, by_position, by_position, tolerance, outcome)
    if a.cut or b.cut:
        outcome.note(Difference("cut", a.name, a=str(a.length), b=str(b.length)), None)


def _column_pairs(a: Table, b: Table, outcome: Outcome) -> list[_Pair]:
    """The columns by name, the rest in order where they are as many."""
    names = {_plain(name): i for i, name in reversed(list(enumerate(b.header)))}
    found: list[tuple[int, int]] = []
    for i, name in enumerate(a.header):
        j = names.pop(_plain(name), None)
        if j is not None:
            found.append((i, j))
    only_a = [i for i in range(len(a.header)) if i not in {x for x, _ in found}]
    only_b = [j for j in range(len(b.header)) if j not in {y for _, y in found}]
    if [j for _, j in found] != sorted(j for _, j in found):
        outcome.note(Difference("order", a.name, "columns"))
    for i, j in _of_one_content(a, b, only_a, only_b):
        outcome.note(Difference("renamed", a.name, a=shown(a.header[i]), b=shown(b.header[j])))
        found.append((i, j))
        only_a.remove(i)
        only_b.remove(j)
    if len(only_a) == len(only_b) and all(_alike(a.columns[i], b.columns[j]) for i, j in zip(only_a, only_b, strict=True)):
        for i, j in zip(only_a, only_b, strict=True):
            outcome.note(Difference("renamed", a.name, a=shown(a.header[i]), b=shown(b.header[j])))
        found += zip(only_a, only_b, strict=True)
    elif only_a or only_b:
        rest = [", ".join(shown(table.header[i]) for i in only[:_NAMES]) for table, only in ((a, only_a), (b, only_b))]
        if found:
            outcome.note(Difference("columns", a.name, a=rest[0], b=rest[1]), None if only_a and only_b else True)
    return [
        _Pair(a.header[i], a.columns[i], b.columns[j], a.places[i], decimals(a.columns[i]), decimals(b.columns[j]))
        for i, j in sorted(found)
    ]


def _of_one_content(a: Table, b: Table, only_a: Sequence[int], only_b: Sequence[int]) -> list[tuple[int, int]]:
    """Columns of other names that hold the same numbers or texts, row by row."""
    found: list[tuple[int, int]] = []
    if a.length != b.length or a.length < 2:
        return found
    for i in only_a[:_NAMES]:
        for j in only_b[:_NAMES]:
            digits = decimals(a.columns[i]), decimals(b.columns[j])
            if j not in {taken for _, taken in found} and all(
                same_cell(x, y, *digits, 0.0) for x, y in zip(a.columns[i], b.columns[j], strict=True)
            ):
                found.append((i, j))
                break
    return found


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", name.casefold()) or name


def _alike(a: Sequence[Cell], b: Sequence[Cell]) -> bool:
    """Whether both hold numbers, or both do not."""

    def numbers(column: Sequence[Cell]) -> bool:
        return any(isinstance(cell, int | float) for cell in column[:200])

    return numbers(a) == numbers(b)


def _count(pairs: Sequence[_Pair], a_rows: Sequence[int], b_rows: Sequence[int], tolerance: float) -> int:
    wrong = 0
    for pair in pairs:
        cells = zip(pair.a, pair.b, strict=True)
        if a_rows is not b_rows:
            cells = zip((pair.a[i] for i in a_rows), (pair.b[j] for j in b_rows), strict=True)
        for x, y in cells:
            if x != y and not same_cell(x, y, pair.a_decimals, pair.b_decimals, tolerance):
                wrong += 1
    return wrong


def _by_key(pairs: Sequence[_Pair]) -> tuple[list[int], list[int]] | None:
    """The rows of both in pairs by a column that names each row once: texts before whole numbers."""
    candidates = [p for p in pairs if p.a and p.b and not any(isinstance(c, float) for c in (*p.a[:500], *p.b[:500]))]
    for pair in sorted(candidates, key=lambda p: not isinstance(p.a[0], str)):
        where = {_folded(cell): row for row, cell in enumerate(pair.b)}
        keys = [_folded(cell) for cell in pair.a]
        if len(where) < len(pair.b) or len(set(keys)) < len(keys):
            continue
        rows = [(i, where[key]) for i, key in enumerate(keys) if key in where]
        if 2 * len(rows) >= min(len(pair.a), len(pair.b)):
            return [i for i, _ in rows], [j for _, j in rows]
    return None


def _folded(cell: Cell) -> Cell:
    return cell.strip().casefold() if isinstance(cell, str) else cell


def _by_whole_rows(pairs: Sequence[_Pair], tolerance: float) -> tuple[list[int], list[int]] | None:
    """The rows of both in pairs by all their cells, numbers rounded to the digits that both have; None when any has no partner
    though the tables are of one length."""
    digits = [min(p.a_decimals, p.b_decimals, 6) for p in pairs]

    def keys(columns: Sequence[list[Cell]]) -> list[tuple[Cell, ...]]:
        rounded = [
            [round(c, n) if isinstance(c, float) else _folded(c) for c in column] for column, n in zip(columns, digits, strict=True)
        ]
        return list(zip(*rounded, strict=False))

    free: dict[tuple[Cell, ...], list[int]] = {}
    for row, key in reversed(list(enumerate(keys([p.b for p in pairs])))):
        free.setdefault(key, []).append(row)
    found = [(i, rows.pop()) for i, key in enumerate(keys([p.a for p in pairs])) if (rows := free.get(key))]
    enough = 2 * len(found) >= min(len(pairs[0].a), len(pairs[0].b))
    return ([i for i, _ in found], [j for _, j in found]) if found and enough else None


def _missing(a: Table, b: Table, pairs: Sequence[_Pair], aligned: tuple[list[int], list[int]], outcome: Outcome) -> None:
    """Rows that only one has."""
    only_a, only_b = set(range(a.length)) - set(aligned[0]), set(range(b.length)) - set(aligned[1])
    if not only_a and not only_b:
        return
    unknown = a.cut or b.cut
    if a.length != b.length:
        outcome.note(Difference("rows", a.name, a=str(a.length), b=str(b.length)), None if unknown else False)
    first = next((p for p in pairs if p.a and isinstance(p.a[0], str)), pairs[0])
    told = [
        ", ".join(shown(column[row]) for row in sorted(only)[:_NAMES]) for column, only in ((first.a, only_a), (first.b, only_b))
    ]
    outcome.note(Difference("only", a.name, place=shown(first.name), a=told[0], b=told[1]), None if unknown else False)


def _list_cells(
    a: Table, pairs: Sequence[_Pair], a_rows: Sequence[int], b_rows: Sequence[int], tolerance: float, outcome: Outcome
) -> None:
    for i, j in zip(a_rows, b_rows, strict=True):
        for pair in pairs:
            x, y = pair.a[i], pair.b[j]
            if x == y or (same := same_cell(x, y, pair.a_decimals, pair.b_decimals, tolerance)):
                continue
            place = f"{letters(pair.place)}{a.first + i}"
            if same is None:
                outcome.note(Difference("formula", a.name, place, shown(x), shown(y)), None)
            else:
                outcome.note(Difference("cell", a.name, place, shown(x), shown(y)), False)


def shape(tables: Sequence[Table]) -> Counter[str]:
    """The columns of all sheets, for finding which files of two answers are one."""
    return Counter(_plain(name) for table in tables for name in table.header)
