"""Cells of tables, whatever file they come from: numbers, texts, true and false, nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, time
from typing import TypeAlias

from .close import close

Cell: TypeAlias = str | int | float | bool | None
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?", re.ASCII)
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
_COMMA = re.compile(r"[-+]?\d+,\d+", re.ASCII)
_DATE = re.compile(r"(\d{4})[-/](\d{1,2})[-/](\d{1,2})(?:[T ]00:00(?::00(?:\.0+)?)?(?:Z|\+00:00)?)?", re.ASCII)
_NOTHING = frozenset({"", "nan", "na", "n/a", "null", "none", "nat", "<na>", "#n/a"})
_TRUTH = {"true": True, "false": False}
_SHOWN = 60
_DECIMALS_READ = 2_000


def cell_of(text: str) -> Cell:
    """What a text of a CSV file means."""
    text = text.strip()
    low = text[:24].lower()
    if low in _NOTHING or low in _TRUTH:
        return _TRUTH.get(low)
    if len(text) <= 40:
        if text[-1:].isdigit() or text[-1:] == ".":
            if _NUMBER.fullmatch(text):
                return _number(text)
            if _GROUPED.fullmatch(text):
                return _number(text.replace(",", ""))
            if _COMMA.fullmatch(text):
                return _number(text.replace(",", "."))
        if text.endswith("%") and _NUMBER.fullmatch(text[:-1].strip()):
            number = _number(text[:-1].strip())
            return number / 100 if isinstance(number, int | float) else text
        if (day := _DATE.fullmatch(text)) is not None:
            return f"{day[1]}-{int(day[2]):02}-{int(day[3]):02}"
    return text


def _number(text: str) -> Cell:
    value = float(text)
    if value != value or value in (float("inf"), float("-inf")):
        return text
    return int(value) if value.is_integer() and abs(value) < 1e15 and text.lstrip("+-").isdigit() else value


def cell_from(value: object) -> Cell:
    """What a value of a workbook, of JSON or of Parquet means."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value if abs(value) < 1 << 63 else str(value)[:_SHOWN]
    if isinstance(value, float):
        return None if value != value else value
    if isinstance(value, datetime):
        plain = value.replace(tzinfo=None)
        return plain.date().isoformat() if plain.time() == time() else plain.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, str):
        return value if value.startswith("=") else cell_of(value[:10_000])
    return str(value)[:1_000]


def decimals(column: Sequence[Cell]) -> int:
    """The most digits that a number of the column has behind the point."""
    most = 0
    for cell in column[:_DECIMALS_READ]:
        if isinstance(cell, float):
            mantissa, _, exponent = repr(cell).partition("e")
            digits = mantissa.partition(".")[2]
            most = max(most, len(digits) * (digits != "0") - int(exponent or 0))
    return min(most, 18)


def same_cell(a: Cell, b: Cell, a_decimals: int, b_decimals: int, tolerance: float) -> bool | None:
    """Whether two cells are the same; None when one is a formula that nobody has calculated.

    Numbers may be rounded as their columns are: what has two digits everywhere is held against the other one's first two digits.
    """
    if a == b:
        return True
    if isinstance(a, int | float) and isinstance(b, int | float) and not isinstance(a, bool) and not isinstance(b, bool):
        if isinstance(a, int) and isinstance(b, int):
            return False
        return close(float(a), 0.5 * 10.0**-a_decimals, float(b), 0.5 * 10.0**-b_decimals, tolerance)
    if is_formula(a) or is_formula(b):
        return None
    return str(a).strip().casefold() == str(b).strip().casefold() if isinstance(a, str) and isinstance(b, str) else False


def is_formula(cell: Cell) -> bool:
    return isinstance(cell, str) and cell.startswith("=") and len(cell) > 1


def shown(cell: Cell) -> str:
    """A cell as a person reads it, shortened."""
    if cell is None:
        return "empty"
    text = f"{cell:.12g}" if isinstance(cell, float) else str(cell)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def letters(column: int) -> str:
    """The name of a column, from 0: `A`, `AB`."""
    text, column = "", column + 1
    while column:
        column, rest = divmod(column - 1, 26)
        text = chr(65 + rest) + text
    return text
