"""How much of a run stands in a report, so that its size has an end whatever the run holds. Pure."""

from __future__ import annotations

from dataclasses import dataclass

_TEXT_BYTES, _PICTURE_BYTES = 7_000_000, 12_000_000
"""Of HTML, for all columns together: what they may say, and what they may show. Pictures of a comparison may stand twice, in
their column and beside those of the others."""
_CODE_INFLATION = 8
"""Bytes of HTML that a character of highlighted code is given at most; code that needs more is shown without colours."""
MAX_COLUMNS = 24
"""Runs of a comparison shown with all they did; further ones stand in its tables."""
MAX_ROWS = 200
"""Lines of a list of files, numbers, notes or runs."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one run's part of a report may hold. Texts are measured in bytes of HTML, code in characters."""

    steps: int
    answer: int
    said: int
    code: int
    output: int
    trace: int
    pictures: int
    picture_bytes: int
    """Of all pictures and pages of the run together, as they stand in the report."""
    rows: int
    """Of each list."""
    tables: int
    pages: int = 3
    table_rows: int = 20
    table_columns: int = 12
    cell: int = 100


def bounds(columns: int = 1, steps: int = 1) -> Bounds:
    """The bounds of each of `columns` runs (at least 1), of which the one with most steps has `steps`."""
    shown = max(1, min(steps, 120 if columns == 1 else 40))
    share = _TEXT_BYTES // columns
    step = share // 2 // shown  # the other half is for answers, tables, and the frame around all that
    return Bounds(
        steps=shown,
        answer=min(100_000, share // 8),
        said=min(20_000, step // 6),
        code=min(20_000, step // 3 // _CODE_INFLATION),
        output=min(20_000, step // 8),
        trace=min(10_000, step // 10),
        pictures=max(4, 48 // columns),
        picture_bytes=_PICTURE_BYTES if columns == 1 else _PICTURE_BYTES // 2 // columns,
        rows=max(10, MAX_ROWS // columns),
        tables=max(1, min(6, 24 // columns)),
    )
