"""An outcome as one HTML page that leads to the page of each question; it looks like those, and nothing in it runs."""

from __future__ import annotations

from functools import lru_cache
from importlib import resources
from typing import Any
from urllib.parse import quote

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from sandloop.report.figures import count, money, seconds
from sandloop.report.frames import policy, style_hash
from sandloop.report.text import short, visible
from sandloop.suite.outcome import WORDS, SuiteOutcome


def suite_page(outcome: SuiteOutcome) -> str:
    """The whole document. All that models and files said in it is escaped; its links lead to the folder it is in."""
    css = (resources.files("sandloop.report") / "templates" / "report.css").read_text("utf-8")
    return (
        _templates()
        .get_template("suite.html")
        .render(
            policy=policy((style_hash(css),)),
            css=Markup(css),  # noqa: S704 - our own file
            version=outcome.version,
            suite=outcome,
            headline=headline(outcome),
        )
    )


def headline(outcome: SuiteOutcome) -> str:
    """One line: how many runs met what was expected, and of how many models on how many questions."""
    verdicts = outcome.verdicts
    met = sum(verdict.status == "passed" for verdict in verdicts)
    of = f"{count(len(outcome.totals), 'model')} on {count(len(outcome.questions), 'question')}"
    return f"{met} of {count(len(verdicts), 'run')} as expected: {of}."


@lru_cache(maxsize=1)
def _templates() -> Environment:
    templates = Environment(
        loader=ChoiceLoader([PackageLoader("sandloop.suite"), PackageLoader("sandloop.report")]),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown: dict[str, Any] = {"count": count, "money": money, "seconds": seconds, "short": short, "link": quote, "words": WORDS}
    templates.globals.update(shown)
    return templates


def _finalize(value: object) -> object:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
