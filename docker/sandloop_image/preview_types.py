"""What pandas would make of a column of text, and the traps in it: worked out without pandas, which takes 0.4 s to load."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from .preview_page import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing and dataclasses would be most of a preview's start
    from typing import Literal, TypeAlias

    Dates: TypeAlias = Literal["", "named month", "year first", "day first", "month first", "order unclear"]

MISSING = frozenset(
    ("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN")
) | frozenset(("None", "n/a", "nan", "null"))
"""The cells that `pd.read_csv` takes as missing."""
_INT = re.compile(r"\s*[+-]?\d{1,18}\s*")
_FLOAT = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?\s*|\s*[+-]?(inf|infinity)\s*", re.IGNORECASE)
_COMMA = re.compile(r"\s*[+-]?(\d+|\d{1,3}(\.\d{3})+),\d+\s*")
_DOTTED = re.compile(r"\s*[+-]?\d{1,3}(\.\d{3})+(,\d+)?\s*")
_GROUPED = re.compile(r"\s*[+-]?\d{1,3}(,\d{3})+(\.\d+)?\s*")
_DRESSED = re.compile(r"\s*(?P<before>[€$£¥]?)\s*[+-]?\d[\d.,' ]*\s*(?P<after>%|[€$£¥]|kr|EUR|USD|CHF)?\s*")
_BOOLS = frozenset(["True", "TRUE", "true", "False", "FALSE", "false"])
_YEAR_FIRST = re.compile(r"\d{4}([-/.])\d{1,2}\1\d{1,2}([ T]\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?)?Z?|\d{4}-\d{2}")
_YEAR_LAST = re.compile(r"(\d{1,2})([-/.])(\d{1,2})\2(\d{4}|\d{2})( \d{1,2}:\d{2}(:\d{2})?)?")

_MONTH = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}\.?"
_NAMED_MONTH = re.compile(rf"{_MONTH} \d{{1,2}},? \d{{4}}|\d{{1,2}}[- ]{_MONTH}[- ](\d{{4}}|\d{{2}})", re.IGNORECASE)


class Column:
    """A column's type in pandas, and what to know beside it."""

    def __init__(self, kind: str, note: str = "", dates: Dates = "") -> None:
        self.kind, self.note = kind, note
        self.dates: Dates = dates

    def __str__(self) -> str:
        return f"{self.kind} ({self.note})" if self.note else self.kind


def number_style(columns: Iterable[Iterable[str]], delimiter: str) -> tuple[str, str]:
    """(decimal, thousands) that make the most columns numbers; ("." , "") unless others are needed."""
    comma = dotted = grouped = plain_point = 0
    for values in columns:
        there = [v for v in values if v not in MISSING]
        if not there or all(map(_FLOAT.fullmatch, there)):
            plain_point += any("." in v for v in there)
            continue
        whole = [bool(_INT.fullmatch(v)) for v in there]
        if all(w or _COMMA.fullmatch(v) or _DOTTED.fullmatch(v) for w, v in zip(whole, there, strict=True)):
            if delimiter == "," and all(w or _GROUPED.fullmatch(v) for w, v in zip(whole, there, strict=True)):
                grouped += 1
            else:
                comma += 1
                dotted += any(_DOTTED.fullmatch(v) for v in there)
        elif all(w or _GROUPED.fullmatch(v) or _FLOAT.fullmatch(v) for w, v in zip(whole, there, strict=True)):
            grouped += 1
    if comma and comma >= grouped and not plain_point:
        return ",", "." if dotted else ""
    return ".", "," if grouped else ""


def infer(values: Iterable[str], decimal: str = ".", thousands: str = "") -> Column:
    """The column that these cells make. `values` are as they stand in the file."""
    counts = values if isinstance(values, Counter) else Counter(values)
    there = {v: count for v, count in counts.items() if v not in MISSING}  # each once: columns repeat themselves
    gaps = sum(counts[v] for v in counts.keys() - there.keys())
    missing = f"{gaps:,} missing" if gaps else ""
    if not there:
        return Column("float64", "empty") if counts else Column("unknown")
    if all(v in _BOOLS for v in there):
        return Column("object" if gaps else "bool", missing)
    plain = [_plain(v, decimal, thousands) for v in there]
    if all(map(_FLOAT.fullmatch, plain)):
        kind = "int64" if not gaps and all(map(_INT.fullmatch, plain)) else "float64"
        zeros = any(len(v) > 1 and v[0] == "0" and v.isdigit() for v in there)
        return Column(kind, ", ".join(filter(None, [missing, "leading zeros are lost unless dtype=str" if zeros else ""])))
    note, dates = _text_note(there, plain)
    return Column("str", ", ".join(filter(None, [note, missing])), dates)


def _plain(value: str, decimal: str, thousands: str) -> str:
    if thousands and (_DOTTED if thousands == "." else _GROUPED).fullmatch(value):
        value = value.replace(thousands, "")
    return value.replace(decimal, ".") if decimal != "." else value


def _text_note(there: Mapping[str, int], plain: Sequence[str]) -> tuple[str, Dates]:
    first, all_cells = next(iter(there)), sum(there.values())
    dates = date_order(there)
    if dates:
        order = (
            ""
            if dates in ("year first", "named month")
            else f", {dates}"
            if dates != "order unclear"
            else ", day or month first unclear"
        )
        return f"dates like {quoted(first, 30)}{order}", dates
    others = [v for v, p in zip(there, plain, strict=True) if not _FLOAT.fullmatch(p)]
    if sum(there[v] for v in others) <= 0.3 * all_cells:
        odd = ", ".join(quoted(v, 20) for v in others[:3])
        return f"numbers, but also {odd}: na_values or pd.to_numeric(errors='coerce')", ""
    if all(_DRESSED.fullmatch(v) for v in there):
        return f"numbers written like {quoted(first, 20)}", ""
    if len(there) <= 8 and all_cells >= 2 * len(there) and all(len(v) <= 24 for v in there):
        return "only " + ", ".join(quoted(v) for v in sorted(there)), ""
    return "", ""


def date_order(there: Collection[str]) -> Dates:
    """Whether these are dates, and which part comes first."""
    if all(map(_YEAR_FIRST.fullmatch, there)):
        return "year first"
    if all(map(_NAMED_MONTH.fullmatch, there)):
        return "named month"
    found = [m for m in map(_YEAR_LAST.fullmatch, there) if m]
    if len(found) < len(there):
        return ""
    first, second = max(int(m[1]) for m in found), max(int(m[3]) for m in found)
    if first > 31 or second > 31 or (first > 12 and second > 12):
        return ""
    if first > 12 or (second <= 12 and all(m[2] == "." for m in found)):
        return "day first"
    return "month first" if second > 12 else "order unclear"
