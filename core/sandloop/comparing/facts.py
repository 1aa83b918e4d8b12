"""What the record of a run says of how it came to its answer: the code that ran, the rows it printed, what it called. Pure."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field

from sandloop.events import CodeRan, CodeWritten, FilesPreviewed
from sandloop.result import Result

_SOURCES, _OUTPUTS = 200_000, 400_000
"""Characters of all code and of all output that are read."""
_ROWS = re.compile(
    r"(?<![\w.,])(?P<a>\d{1,3}(?:,\d{3})+|\d{1,9})[ \u00a0]rows\b|\((?P<b>\d{1,9}), \d{1,6}\)"
    r"|Index: (?P<c>\d{1,9}) entries|\brows\b[ \w]{0,30}[:=]\s{0,4}(?P<d>\d{1,9})(?![\w.,]\d)",
    re.IGNORECASE,
)
AGGREGATES = {
    **dict.fromkeys(("mean", "average", "avg", "nanmean"), "mean"),
    **dict.fromkeys(("median", "nanmedian"), "median"),
    **{"sum": "sum", "max": "maximum", "min": "minimum", "std": "standard deviation", "var": "variance", "mode": "mode"},
}
DROPS = {
    "dropna": "leaves out rows with missing values (dropna)",
    "drop_duplicates": "leaves out repeated rows (drop_duplicates)",
    "fillna": "fills missing values (fillna)",
    "interpolate": "fills missing values (interpolate)",
}
_SQL = re.compile(r"\b(avg|median|sum|min|max|mode)\s*\(", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Facts:
    """Of one run."""

    ran: int = 0
    """Cells that ran, whatever came of it."""
    well: int = 0
    """Cells that ended well."""
    rows: frozenset[int] = frozenset()
    """Numbers of rows that its outputs name."""
    calls: frozenset[str] = frozenset()
    """Functions and methods that the code which ended well calls."""
    aggregates: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    """Columns of the files that it names."""
    sheets: frozenset[str] = frozenset()
    unsupported: frozenset[str] = frozenset()
    """Numbers of the answer that stand in none of its outputs."""


def facts(result: Result | None) -> Facts:
    """The facts of a run; none of one that never began. Code that ended badly says nothing."""
    if result is None:
        return Facts()
    ran = [event for event in result.events if isinstance(event, CodeRan)]
    well = {event.code_id for event in ran if event.ok}
    sources = [e.source for e in result.events if isinstance(e, CodeWritten) and e.code_id in well and e.language == "python"]
    previews = "\n".join(p.text for e in result.events if isinstance(e, FilesPreviewed) for p in e.previews)[:_OUTPUTS]
    seen = _read(sources)
    return Facts(
        ran=len(ran),
        well=len(well),
        rows=_rows(e.stdout for e in ran if e.ok),
        calls=frozenset(seen.calls),
        aggregates=frozenset(seen.aggregates),
        columns=frozenset(name for name in seen.texts if repr(name) in previews),
        sheets=frozenset(seen.sheets),
        unsupported=frozenset(check.number for check in result.checks),
    )


def _rows(outputs: Iterable[str]) -> frozenset[int]:
    text = "\n".join(outputs)[:_OUTPUTS]
    found = (next(group for group in match.groups() if group) for match in _ROWS.finditer(text))
    return frozenset(int(number.replace(",", "")) for number in found)


@dataclass(slots=True)
class _Seen:
    calls: set[str] = field(default_factory=set[str])
    aggregates: set[str] = field(default_factory=set[str])
    texts: set[str] = field(default_factory=set[str])
    sheets: set[str] = field(default_factory=set[str])


def _read(sources: list[str]) -> _Seen:
    seen, room = _Seen(), _SOURCES
    for source in sources:
        room -= len(source)
        if room < 0:
            break
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what is odd about a model's code is not for our user's screen
                tree = ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue  # magics, other versions, nesting beyond all measure
        for node in ast.walk(tree):
            _note(node, seen)
    return seen


def _note(node: ast.AST, seen: _Seen) -> None:
    match node:
        case ast.Call(func=ast.Attribute(attr=name) | ast.Name(id=name), keywords=keywords):
            seen.calls.add(name)
            if name in AGGREGATES:
                seen.aggregates.add(AGGREGATES[name])
            for keyword in keywords:
                if keyword.arg == "sheet_name" and isinstance(keyword.value, ast.Constant):
                    seen.sheets.add(str(keyword.value.value)[:60])
        case ast.Attribute(attr=name):
            seen.texts.add(name)
        case ast.Constant(value=str(text)) if len(text) <= 200:
            seen.texts.add(text)
            if text in AGGREGATES:
                seen.aggregates.add(AGGREGATES[text])
            elif "select" in text.lower():
                seen.aggregates.update(AGGREGATES[name.lower()] for name in _SQL.findall(text))
        case _:
            pass
