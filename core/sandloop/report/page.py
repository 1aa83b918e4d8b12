"""The page itself: what is shown, put into the templates, under a policy that lets nothing load and nothing run."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from importlib import resources
from importlib.metadata import version
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sandloop.comparing.comparison import Comparison
from sandloop.report.bounds import bounds
from sandloop.report.code import code
from sandloop.report.columns import comparison_shown
from sandloop.report.figures import count
from sandloop.report.frames import policy, style_hash
from sandloop.report.markdown import markdown
from sandloop.report.shown import RunShown
from sandloop.report.text import cut, visible
from sandloop.report.view import run_shown
from sandloop.result import Result

REPORT_BYTES = 25_000_000
"""No report is larger, whatever the runs hold. What is left out is named where it is missing."""


def run_report(result: Result, *, seconds: float | None = None) -> str:
    """One run as a whole HTML document: answer, files and pictures, and what happened in order.

    It loads nothing and runs nothing, so it can be kept, sent and printed as one file of at most `REPORT_BYTES`. All that a
    model, a file or a container said is escaped; pages that code made stand in sandboxed frames.

    Args:
        seconds: Wall time from its start to its end, where it is known: a kept run's summary has it.
    """
    run = run_shown(result, key="run", limits=bounds(steps=len(result.steps)), wall_seconds=seconds)
    return _page("run.html", [run], run=run, question=cut(result.question, 20_000))


def comparison_report(comparison: Comparison) -> str:
    """One question and all its runs side by side, as a whole HTML document like `run_report`'s; differences are marked."""
    shown = comparison_shown(comparison)
    return _page("comparison.html", shown.runs[: shown.columns], comparison=shown)


def _page(template: str, runs: Iterable[RunShown], **values: object) -> str:
    css = _css()
    styles = dict.fromkeys([style_hash(css), *(h for run in runs for file in run.files if file.frame for h in file.frame.styles)])
    return _templates().get_template(template).render(
        policy=policy(tuple(styles)), css=Markup(css), version=version("sandloop"), **values  # noqa: S704 - our own file
    )  # fmt: skip


@lru_cache(maxsize=1)
def _css() -> str:
    return (resources.files("sandloop.report") / "templates" / "report.css").read_text("utf-8")


@lru_cache(maxsize=1)
def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("sandloop.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Any] = {"code": code, "markdown": markdown, "breakable": breakable}
    functions: dict[str, Any] = {"count": count}
    templates.filters.update(filters)
    templates.globals.update(functions)
    return templates


def breakable(text: str) -> Markup:
    """A text in which a long name may go on in the next line behind each `/` and `:`, not in the middle of a word."""
    return Markup("<wbr>").join(re.split(r"(?<=[/:])", visible(text)))


def _finalize(value: object) -> object:
    """Every text that a template puts out is made visible; it is escaped after that."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
