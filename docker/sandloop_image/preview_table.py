"""What tables have in common, whatever file they come from: where the header is, what pandas will call the columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .preview_page import Page, listed, quoted, row

_HEADER_WITHIN = 15
"""Rows among which a header is looked for."""


def filled(cells: Sequence[object]) -> int:
    """How many cells hold something."""
    return sum(1 for c in cells if c is not None and str(c).strip())


def header_at(rows: Sequence[Sequence[object]]) -> int:
    """The place of the header: the first row that is about as wide as the table. Title rows come before it."""
    widths = sorted((filled(r) for r in rows[: 4 * _HEADER_WITHIN]), reverse=True)
    usual = widths[len(widths) // 4] if widths else 0
    if usual <= 1:
        return next((i for i, r in enumerate(rows[:_HEADER_WITHIN]) if filled(r)), 0)
    for i, cells in enumerate(rows[:_HEADER_WITHIN]):
        if filled(cells) >= max(2, 0.6 * usual):
            return i
    return 0


def pandas_names(header: Sequence[object]) -> list[object]:
    """What pandas calls the columns: the empty ones `Unnamed: 0`, a repeated name with `.1`."""
    names: list[object] = []
    seen: dict[object, int] = {}
    for i, name in enumerate(header):
        given: object = f"Unnamed: {i}" if name is None or name == "" else name
        count = seen.get(given, 0)
        seen[given] = count + 1
        names.append(f"{given}.{count}" if count else given)
    return names


def columns_line(page: Page, names: Sequence[object], types: Iterable[object], most: int = 1_250) -> None:
    """The names as Python writes them, each with its type."""
    nameless = sum(str(n).startswith("Unnamed: ") for n in names)
    pairs = (f"{quoted(n)} {t}" for n, t in zip(names, types, strict=False) if nameless <= 5 or not str(n).startswith("Unnamed: "))
    page.line("columns: " + listed(pairs, len(names), min(most, max(page.room() - 400, 200)), "more columns"), most + 100)


def rows_lines(page: Page, rows: Sequence[Sequence[object]], most: int = 3, label: str = "first rows:") -> None:
    """The first rows, cells side by side."""
    shown = rows[:most]
    if not shown:
        return
    page.line(label)
    for cells in shown:
        page.line("  " + row(cells, min(400, max(120, page.room() // (len(shown) + 1)))), 450)


def header_notes(header: Sequence[object]) -> list[str]:
    """What to beware of in the names."""
    texts = [str(h) for h in header if h is not None]
    notes: list[str] = []
    if any(t != t.strip() for t in texts):
        notes.append("some column names have blanks around them: use them exactly as shown, or strip them")
    named = [t for t in texts if t]
    if len(set(named)) < len(named):
        notes.append("some column names come twice: pandas adds .1, .2")
    if len(named) < len(header):
        notes.append("some columns have no name: pandas calls them 'Unnamed: N'")
    return notes
