"""A result and a comparison as a notebook shows them: HTML for a page, Markdown, and plain text. Nothing in it can act or load."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from sandloop.notebook.plain import comparison_markdown, comparison_text, joined, result_markdown, result_text
from sandloop.report.bounds import Bounds, bounds
from sandloop.report.code import code
from sandloop.report.columns import comparison_shown
from sandloop.report.markdown import markdown
from sandloop.report.shown import RunShown, StepShown
from sandloop.report.text import short, visible
from sandloop.report.view import run_shown

if TYPE_CHECKING:
    from sandloop.comparing.comparison import Comparison
    from sandloop.result import Result

_FEW = 8
"""Columns side by side at most; the rest stand in the table alone."""


def result_bundle(result: Result) -> dict[str, str]:
    """What a notebook may choose from, by type."""
    run = run_shown(
        result, key=f"sandloop-{sha256(result.id.encode()).hexdigest()[:8]}", limits=_less(bounds(1, len(result.steps)))
    )
    return {
        "text/html": _rendered("result.html", run=run),
        "text/markdown": result_markdown(run),
        "text/plain": result_text(run),
    }


def comparison_bundle(comparison: Comparison) -> dict[str, str]:
    """What a notebook may choose from, by type."""
    shown = comparison_shown(comparison)
    runs = [_lean(run, _key(comparison.id)) for run in shown.runs[:_FEW]]
    return {
        "text/html": _rendered("comparison.html", comparison=shown, runs=runs, hidden=len(shown.runs) - len(runs)),
        "text/markdown": comparison_markdown(shown),
        "text/plain": comparison_text(shown),
    }


def _less(limits: Bounds) -> Bounds:
    """A cell of a notebook holds less than a report, and no pages."""
    return replace(
        limits,
        steps=min(limits.steps, 30),
        answer=min(limits.answer, 30_000),
        said=min(limits.said, 4_000),
        code=min(limits.code, 10_000),
        output=min(limits.output, 6_000),
        trace=min(limits.trace, 4_000),
        pictures=min(limits.pictures, 8),
        picture_bytes=min(limits.picture_bytes, 4_000_000),
        rows=min(limits.rows, 50),
        tables=min(limits.tables, 4),
        pages=0,
        table_rows=10,
    )


def _key(id: str) -> str:
    """What anchors begin with: the page around holds others of the kind."""
    return f"sandloop-{sha256(id.encode()).hexdigest()[:8]}"


def _lean(run: RunShown, key: str) -> RunShown:
    """Without pages, which are never shown in a page that is not ours, and with anchors that nothing else there has."""
    items = tuple(replace(i, anchor=f"{key}-{i.anchor}") if isinstance(i, StepShown) else i for i in run.items)
    places = {source: replace(place, anchor=f"{key}-{place.anchor}") for source, place in run.places.items()}
    files = tuple(replace(file, frame=None) for file in run.files)
    return replace(run, files=files, items=items, places=places)


def _rendered(template: str, **shown: Any) -> str:
    return _templates().get_template(template).render(**shown)


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("sandloop.notebook"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Any] = {"code": code, "joined": joined, "markdown": markdown, "short": short, "visible": visible}
    environment.filters.update(filters)
    return environment
