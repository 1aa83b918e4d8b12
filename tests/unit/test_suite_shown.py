"""An outcome as JUnit XML, as a page and as text: told apart, whole, and harmless whatever a model said."""

from __future__ import annotations

import os
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.console import Console

from sandloop.cli.suite import exit_code
from sandloop.cli.suite_text import suite_text
from sandloop.cli.suite_watch import WatchingSuite
from sandloop.errors import UsageError
from sandloop.events import RunStarted
from sandloop.suite import Outcome, QuestionOutcome, SuiteOutcome, Verdict
from sandloop.suite.junit import write_junit
from sandloop.suite.outcome import Status
from sandloop.suite.page import suite_page

EVIL = "<script>alert(1)</script>\x00\x1b[31m\u202e]]>\ud800&"
MISSED = Outcome(name="days", kind="approx", expected="the number 23", found="24", passed=False)
MET = Outcome(name="", kind="makes", expected="a file like '*.png'", found="a.png", passed=True)


def verdict(status: Status, question: str = "q", model: str = "a", **facts: object) -> Verdict:
    plain = Verdict(question=question, model=model, label=model, status=status, run="" if status == "error" else "r", seconds=1.5)
    return replace(plain, **facts)  # type: ignore[arg-type]


def outcome(*verdicts: Verdict) -> SuiteOutcome:
    names = dict.fromkeys(v.question for v in verdicts)
    questions = [
        QuestionOutcome(id=name, text=f"{name}?", verdicts=tuple(v for v in verdicts if v.question == name)) for name in names
    ]
    return SuiteOutcome(name="suite.yaml", at="2026-11-27T10:00:00+00:00", version="1", questions=tuple(questions))


MIXED = outcome(
    verdict("passed", outcomes=(MET,), cost=0.5, tokens=10, asked=True, answer="23"),
    verdict("failed", model="b", outcomes=(MISSED, MET), cost=0.25, tokens=5),
    verdict("passed", "p", cost=0.25, tokens=10),
    verdict("error", "p", model="b", error="RateLimited", message="Too many. Wait."),
)


def xml(document: SuiteOutcome, tmp_path: Path) -> ElementTree.Element:
    """As another reader of XML sees what was written."""
    path = tmp_path / "new/junit.xml"
    write_junit(document, path)
    return ElementTree.parse(path).getroot()


def test_a_model_is_a_test_suite_and_failures_and_errors_are_told_apart(tmp_path: Path) -> None:
    document = xml(MIXED, tmp_path)

    counted = [[suite.get(name) for name in ("name", "tests", "failures", "errors")] for suite in (document, *document)]
    assert counted == [["suite.yaml", "4", "1", "1"], ["a", "2", "0", "0"], ["b", "2", "1", "1"]]
    first, second, third, fourth = document.iter("testcase")
    assert [first.get(name) for name in ("name", "classname", "time")] == ["q", "suite.yaml.a", "1.5"]
    assert first.findtext("system-out") == "23"
    assert list(second) == []
    (failure,), (error,) = list(third), list(fourth)
    assert (failure.tag, failure.get("message")) == ("failure", "days: expected the number 23, found 24")
    assert failure.text == "days: expected the number 23, found 24"
    assert (error.tag, error.get("message"), error.get("type")) == ("error", "Too many. Wait.", "RateLimited")


def test_repeats_and_runs_that_were_stopped_have_their_cases(tmp_path: Path) -> None:
    document = xml(outcome(verdict("passed", label="a #1"), verdict("not_run", number=2, label="a #2")), tmp_path)
    first, second = document.iter("testcase")
    assert [first.get("name"), second.get("name")] == ["q #1", "q #2"]
    assert [child.tag for child in second] == ["skipped"]


@pytest.mark.parametrize("status", ["passed", "failed", "error"])
def test_nothing_that_a_model_said_breaks_the_xml(status: Status, tmp_path: Path) -> None:
    bad = Outcome(name=EVIL, kind="equals", expected=EVIL, found=EVIL, passed=False)
    evil = verdict(status, EVIL, EVIL, label=f"{EVIL} #1", outcomes=(bad,), message=EVIL, error=EVIL, answer=EVIL)
    (case,) = xml(outcome(evil), tmp_path).iter("testcase")

    assert case.get("name") == EVIL.replace("\x00", "\ufffd").replace("\x1b", "\ufffd").replace("\ud800", "\ufffd") + " #1"
    assert "<script>" in (case.findtext("system-out") or "")


def test_a_junit_file_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="can't be kept in"):
        write_junit(MIXED, tmp_path / "file/junit.xml")


def test_a_junit_file_takes_the_place_of_no_pipe_and_no_link(tmp_path: Path) -> None:
    pipe, link = tmp_path / "pipe", tmp_path / "link"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDWR)  # so that neither end waits for the other
    write_junit(MIXED, pipe)
    assert pipe.is_fifo()
    assert b"<testsuites" in os.read(reader, 1_000_000)
    os.close(reader)
    link.symlink_to("target.xml")
    write_junit(MIXED, link)
    assert link.is_symlink()
    assert "<testsuites" in (tmp_path / "target.xml").read_text()


def test_a_row_a_model_counts_and_a_cost_that_is_unknown_in_part_is_unknown() -> None:
    first, second = MIXED.totals
    assert (first.passed, first.failed, first.error, first.runs, first.asked) == (2, 0, 0, 2, 1)
    assert (first.cost, first.tokens, first.seconds) == (0.75, 20, 3.0)
    assert (second.passed, second.failed, second.error) == (0, 1, 1)
    assert second.cost == 0.25  # the other one left nothing
    unknown = outcome(verdict("passed", cost=1.0), verdict("passed", "p"))
    assert unknown.totals[0].cost is None
    assert not MIXED.all_as_expected
    assert unknown.all_as_expected


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        ([verdict("passed"), verdict("passed", "p")], 0),
        ([verdict("passed"), verdict("failed", "p")], 1),
        ([verdict("passed"), verdict("error", "p", error="MissingKey")], 1),
        ([verdict("passed"), verdict("not_run", "p")], 1),
        ([verdict("error", error="MissingKey"), verdict("error", "p", error="RateLimited")], 3),
        ([verdict("error", error="EngineUnavailable")], 4),
        ([verdict("error", error="EngineUnavailable"), verdict("error", "p", error="MissingKey")], 1),
        ([verdict("error", error="ValueError")], 1),
    ],
)
def test_the_exit_code_says_whether_all_is_as_expected(verdicts: list[Verdict], code: int) -> None:
    assert exit_code(outcome(*verdicts), fail_on_disagreement=False) == code


def test_disagreement_fails_only_when_that_is_asked_for() -> None:
    good = outcome(verdict("passed"))
    apart = replace(good, questions=(replace(good.questions[0], agree=False),))
    assert exit_code(apart, fail_on_disagreement=False) == 0
    assert exit_code(apart, fail_on_disagreement=True) == 1


class Tags(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]


def test_the_page_escapes_everything_and_links_only_to_its_own_folder() -> None:
    bad = Outcome(name=EVIL, kind="equals", expected=EVIL, found=EVIL, passed=False)
    evil = outcome(verdict("failed", EVIL, EVIL, label=EVIL, outcomes=(bad,), message=EVIL))
    evil = replace(
        evil,
        name=EVIL,
        description=EVIL,
        questions=(replace(evil.questions[0], text=EVIL, agreement=EVIL, report="reports/a b#?.html"),),
    )
    page = suite_page(evil)

    assert page.encode()  # no half of a pair is left
    assert not {"script", "iframe", "img", "object", "form"} & set(Tags(page).tags)
    assert "\x1b" not in page
    assert "\u202e" not in page
    assert [link for link in Tags(page).links if link not in ("data:,", "#main")] == ["reports/a%20b%23%3F.html"]
    assert "default-src &#39;none&#39;" in page


def test_the_page_shows_every_state() -> None:
    states: tuple[Status, ...] = ("passed", "failed", "error", "not_run")
    page = suite_page(outcome(*(verdict(status, model=status) for status in states)))
    for words in ("</span> as expected</span>", "</span> not as expected</span>", "</span> error</span>", "</span> not run</span>"):
        assert page.count(words) == 1


def test_the_text_says_why_and_shows_nothing_that_moves_the_cursor() -> None:
    text = suite_text(MIXED, width=100)
    assert text.splitlines()[0] == "2 of 4 runs as expected: 2 models on 2 questions."
    assert "    days: expected the number 23, found 24" in text
    assert "    Too many. Wait." in text
    bad = Outcome(name=EVIL, kind="equals", expected=EVIL, found=EVIL, passed=False)
    shown = suite_text(outcome(verdict("failed", EVIL, EVIL, label=EVIL, outcomes=(bad,))), width=40)
    assert "\x1b" not in shown
    assert "\u202e" not in shown


@pytest.mark.parametrize("width", [40, 60, 80])
def test_a_narrow_terminal_shows_every_model_and_every_number(width: int) -> None:
    text = suite_text(outcome(verdict("failed", model="ollama:m", cost=0.1234, tokens=12_345, outcomes=(MISSED,))), width=width)
    table = text.splitlines()[2:]
    assert "…" not in text
    assert any(line.startswith("ollama:m ") for line in table)
    assert all(any(digits in line for line in table) for digits in ("12,", "345", "$0."))


def test_without_a_terminal_each_verdict_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with WatchingSuite(("a",), 2, Console(width=80)) as watching:
        watching.told("q", "a", RunStarted(id="1", question="?", model="a"))
        watching.judged(verdict("failed", outcomes=(MISSED,), asked=True))
        watching.judged(verdict("passed", "p"))
    assert capsys.readouterr().out.splitlines() == [
        "[1 of 2] ✗ q, a (1.5 s)",
        "    days: expected the number 23, found 24",
        "[2 of 2] ✓ p, a (kept)",
    ]


def test_on_a_terminal_a_table_shows_how_far_each_model_is() -> None:
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(file=nowhere, width=90, force_terminal=True, record=True, color_system=None)
        with WatchingSuite(("a", "b"), 4, console) as watching:
            watching.told("p", "a #2", RunStarted(id="1", question="?", model="a"))
            watching.judged(verdict("failed", outcomes=(MISSED,), asked=True))
            console.print(watching.drawn())
    shown = console.export_text()
    assert "1 of 2" in shown
    assert "p: starting" in shown
    assert "1 of 4 runs" in shown
