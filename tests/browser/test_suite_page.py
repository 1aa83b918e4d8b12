"""The page of a suite in a real browser: it fits a phone, nothing in it runs, and it leads to the page of each question."""

from __future__ import annotations

from pathlib import Path

import pytest

from opened_pages import Open
from sandloop.suite import Outcome, QuestionOutcome, SuiteOutcome, Verdict
from sandloop.suite.outcome import Status
from sandloop.suite.page import suite_page

EVIL = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)> \u202e</style>"
STATES: tuple[Status, ...] = ("passed", "failed", "error", "not_run")


def outcome(said: str) -> SuiteOutcome:
    seen = Outcome(name=said, kind="equals", expected=said, found="x" * 300, passed=False)
    verdicts = tuple(
        Verdict(
            question="first",
            model=f"{said} {status}",
            label=f"{said} {status}",
            status=status,
            run="r",
            outcomes=(seen,),
            message=said,
        )
        for status in STATES
    )
    question = QuestionOutcome(id="first", text=said, verdicts=verdicts, agreement=said, agree=False, report="reports/first.html")
    return SuiteOutcome(name=said, at="2026-11-27T10:00:00+00:00", version="1", questions=(question,), description=said)


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("said", ["openrouter:meta-llama/llama-3.3-70b-instruct " * 3, EVIL], ids=["long", "evil"])
def test_nothing_runs_nothing_is_asked_for_and_the_page_is_as_wide_as_the_window(open_page: Open, width: int, said: str) -> None:
    opened = open_page(suite_page(outcome(said)), width=width, scheme="dark" if width == 360 else "light")
    assert (opened.said, opened.asked, opened.dialogs) == ([], [], [])
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
    assert opened.page.locator("#questions .mark").all_inner_texts() == [
        "✓ as expected",
        "✗ not as expected",
        "! error",
        "– not run",
    ]


def test_a_question_leads_to_its_own_page(open_page: Open, tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports/first.html").write_text("<h1>Its page</h1>", "utf-8")
    opened = open_page(suite_page(outcome("Which?")))
    address = opened.page.locator("h3 a").evaluate("link => link.href")
    assert address == (tmp_path / "reports/first.html").as_uri()
