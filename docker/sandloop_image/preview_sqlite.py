"""A SQLite database: tables, columns and rows, read without trusting the schema."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from .preview_page import Page, amount, listed, quoted
from .preview_source import Source
from .preview_table import rows_lines

_SHOWN = 8
_SECONDS = 2.0


def describe_sqlite(source: Source, page: Page) -> None:
    """Every table with its columns, its size and two rows."""
    base = sqlite3.connect(f"file:{quote(source.path)}?mode=ro&immutable=1", uri=True)
    base.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 20_000_000)
    base.text_factory = _text
    base.execute("PRAGMA trusted_schema = OFF")
    end = time.monotonic() + _SECONDS
    base.set_progress_handler(lambda: time.monotonic() > end, 10_000)
    tables: list[tuple[str, str, str]] = base.execute(
        "SELECT name, type, coalesce(sql, '') FROM sqlite_master WHERE type IN ('table', 'view') "
        "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY type, name LIMIT 500"
    ).fetchall()
    page.line(f"SQLite database, {amount(sum(t[1] == 'table' for t in tables), 'table')}")
    page.line(f"read it with: df = pd.read_sql(QUERY, sqlite3.connect({quoted(source.name, 300)}))")
    for name, kind, sql in tables[:_SHOWN]:
        if kind == "view" or sql.upper().startswith("CREATE VIRTUAL"):
            page.line(f"{'view' if kind == 'view' else 'virtual table'} {quoted(name)}")
            continue
        _describe_table(base, name, page)
    if len(tables) > _SHOWN:
        page.line("and: " + listed((quoted(t[0]) for t in tables[_SHOWN:]), len(tables) - _SHOWN, 600, "more tables"), 700)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _describe_table(base: sqlite3.Connection, name: str, page: Page) -> None:
    plain = '"' + name.replace('"', '""') + '"'
    try:
        columns: Sequence[Any] = base.execute(f"PRAGMA table_info({plain})").fetchall()
        told = listed((f"{quoted(c[1])} {c[2]}".rstrip() for c in columns), len(columns), 500, "more columns")
        rows: list[Any] = base.execute(f"SELECT * FROM {plain} LIMIT 2").fetchall()  # noqa: S608 - a quoted identifier
    except sqlite3.Error as error:
        page.line(f"table {quoted(name)}: {error}")
        return
    try:
        count = amount(base.execute(f"SELECT count(*) FROM {plain}").fetchone()[0], "row")  # noqa: S608
    except sqlite3.Error:
        count = "rows not counted"
    page.line(f"table {quoted(name)}, {count}: {told}", 650)
    rows_lines(page, rows, 2, "first rows:")
