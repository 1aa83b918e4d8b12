"""The figures as a table for people and as JSON for programs."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from rich.table import Table

from figures import Line, Row, Sample
from rounds import Failure

OTHERS = {"limit": "limit", "exec": "docker exec", "run": "docker run"}


def as_table(lines: Sequence[Line]) -> Table:
    """One line a row of figures."""
    table = Table(title="medians; ours in multiples of the others", title_justify="left")
    table.add_column("", no_wrap=True)
    for title in ("unit", "ours", "p95", "target", "reached"):
        table.add_column(title, justify="right")
    for title in OTHERS.values():
        table.add_column(title, justify="right")
        table.add_column("ratio", justify="right")
    for line in lines:
        table.add_row(line.row.what, line.row.unit, *_ours(line), *(cell for other in OTHERS for cell in _other(line, other)))
    return table


def _ours(line: Line) -> tuple[str, str, str, str]:
    reached = {True: "yes", False: "[bold]no[/bold]", None: "-"}[line.reached]
    ours = line.figures.get("ours")
    if ours is None:
        return ("not warm" if line.not_warm else "failed"), "-", target_text(line.row), "-"
    left_out = f" ({line.not_warm} not warm)" if line.not_warm else ""
    return number(ours.median) + left_out, number(ours.p95), target_text(line.row), reached


def _other(line: Line, other: str) -> tuple[str, str]:
    found, ratio = line.figures.get(other), line.ratio(other)
    return ("-" if found is None else number(found.median)), ("-" if ratio is None else f"{ratio:.2g}")


def target_text(row: Row) -> str:
    """The target in a word."""
    match row.target:
        case None:
            return "-"
        case target if target.kind == "limit":
            return f"<= {target.value:g} x limit"
        case target:
            return f"{'<=' if target.kind == 'most' else '>='} {target.value:g}"


def number(value: float) -> str:
    """Three digits."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def as_json(
    lines: Sequence[Line], samples: Sequence[Sample], failures: Sequence[Failure], *, rounds: int, engine: str
) -> dict[str, Any]:
    """Everything, each sample too."""
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": rounds,
        "machine": {
            "processors": os.cpu_count(),
            "load": os.getloadavg()[0],
            "system": platform.platform(),
            "python": platform.python_version(),
            "engine": engine,
        },
        "rows": [
            {
                **asdict(line.row),
                "figures": {subject: asdict(figure) for subject, figure in line.figures.items()},
                "ratios": {other: line.ratio(other) for other in OTHERS},
                "not_warm": line.not_warm,
                "reached": line.reached,
            }
            for line in lines
        ],
        "failures": [asdict(failure) for failure in failures],
        "samples": [asdict(sample) for sample in samples],
    }
