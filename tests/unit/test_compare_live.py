"""A comparison while it runs: how far each entry is, and how that is drawn."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from sandloop.cli.compare_table import Watching, table
from sandloop.comparing.progress import Progress, advanced
from sandloop.events import (
    Answered,
    CodeError,
    CodeRan,
    CodeWritten,
    Event,
    Failed,
    FileMade,
    Noted,
    Retried,
    RouteChosen,
    RunStarted,
    Text,
    Usage,
)

STARTED = RunStarted(id="1", question="?", model="m")
LOCAL = RouteChosen(route="local", provider="p", model="m", reason="because")
WRITTEN = CodeWritten(code_id="c1", language="python", source="1", origin="fenced")
RAN = CodeRan(code_id="c1", exit_code=0)


def told(*events: Event, label: str = "m") -> Progress:
    """What they make, a second apart."""
    progress = Progress(label=label)
    for second, event in enumerate(events):
        progress = advanced(progress, event, float(second))
    return progress


@pytest.mark.parametrize(
    ("events", "state", "doing"),
    [
        ([], "waiting", ""),
        ([STARTED], "running", "starting"),
        ([STARTED, LOCAL], "running", "asking the model"),
        ([STARTED, LOCAL, Text(text="I")], "running", "writing"),
        ([STARTED, LOCAL, WRITTEN], "running", "running step 1"),
        ([STARTED, LOCAL, WRITTEN, RAN], "running", "step 1 ran"),
        ([STARTED, WRITTEN, CodeRan(code_id="c1", exit_code=1)], "running", "step 1 failed"),
        (
            [STARTED, WRITTEN, CodeRan(code_id="c1", exit_code=1, error=CodeError(name="KeyError", value="x", traceback=""))],
            "running",
            "step 1 failed: KeyError",
        ),
        (
            [STARTED, WRITTEN, CodeRan(code_id="c1", exit_code=137, stopped_by="memory")],
            "running",
            "step 1 met its limit of memory",
        ),
        ([STARTED, Noted(about="progress", text="[##] 10 of 20 MB")], "running", "[##] 10 of 20 MB"),
        ([STARTED, Noted(about="file", text="renamed")], "running", "starting"),
        ([STARTED, Retried(reason="it was busy")], "running", "asking again: it was busy"),
        ([STARTED, Answered(text="3")], "answered", "answered"),
        ([Failed(error="MissingKey", message="No key.")], "failed", "MissingKey: No key."),
    ],
)
def test_each_event_says_what_a_run_does_now(events: list[Event], state: str, doing: str) -> None:
    progress = told(*events)
    assert (progress.state, progress.doing) == (state, doing)


def test_what_is_counted_goes_on_and_an_unknown_price_is_not_nothing() -> None:
    known = Usage(model="m", input_tokens=10, output_tokens=2, cost=0.5)
    made = FileMade(name="a", size=1, mime="text/csv", sha256="0" * 64)
    progress = told(STARTED, known, WRITTEN, RAN, made, known)
    assert (progress.tokens, progress.cost, progress.steps, progress.files) == (24, 1.0, 1, 1)
    assert progress.seconds(now=10.0) == 10.0
    assert told(STARTED, known, Usage(model="m", input_tokens=1)).cost is None
    assert told(STARTED, Answered(text="3")).seconds(now=10.0) == 1.0
    assert Progress(label="m").seconds(now=10.0) is None


ROWS = [
    told(STARTED, LOCAL, Usage(model="m", input_tokens=12_000, cost=0.0312), WRITTEN, label="claude #1"),
    told(STARTED, LOCAL, Usage(model="m", input_tokens=5), label="gpt\x1b[2J\u202e"),
    told(STARTED, Answered(text="3"), label="gemini"),
    Progress(label="ollama/qwen3"),
    told(Failed(error="KeyRefused", message="No.\nCheck it."), label="replay:" + "x" * 500 + ".jsonl #2"),
]


def drawn(width: int, height: int = 40) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None)
    console.print(table(ROWS, 12.3, width=width, height=height))
    return [line.rstrip() for line in out.getvalue().splitlines()]


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_the_table_fits_and_shows_every_entry(width: int) -> None:
    lines = drawn(width)
    assert all(len(line) <= width for line in lines)
    text = "\n".join(lines)
    for part in ("claude #1", "gemini", "ollama/qwen3", ".jsonl #2", "running step 1", "12.3 s"):
        assert part in text
    assert ("12,000" in text) is (width >= 60)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert len(lines) == {40: 12, 60: 12, 80: 12, 120: 7, 200: 7}[width]


def test_where_the_terminal_is_too_low_what_runs_is_shown_first() -> None:
    lines = drawn(120, height=6)
    assert [line.split()[0] for line in lines[1:-1]] == ["claude", "gpt\\u001b[2J\\u202e"]
    assert "3 not shown" in lines[-1]


def test_without_a_terminal_it_says_what_happens_in_lines() -> None:
    out = io.StringIO()
    watching = Watching(["a", "b"], Console(file=out, width=40), clock=lambda: 1.0)
    with watching:
        for event in (STARTED, LOCAL, Text(text="I"), WRITTEN, RAN, Retried(reason="busy"), Answered(text="3")):
            watching.told("a", event)
        watching.told("b", Failed(error="MissingKey", message="No key.\x1b[2J"))
    assert out.getvalue().splitlines() == [
        "a: local · p · m: because",
        "a: step 1 ran",
        "a: asking again: busy",
        "a: answered in 0.0 s, 1 step",
        "b: MissingKey: No key.\\u001b[2J",
    ]


def test_on_a_terminal_the_table_goes_and_how_each_ended_stays_where_no_answers_follow() -> None:
    for told_ends in (True, False):
        out = io.StringIO()
        console = Console(file=out, width=80, force_terminal=True)
        with Watching(["a", "b"], console, ends_told=told_ends, clock=lambda: 1.0) as watching:
            watching.told("a", STARTED)
            watching.told("a", Answered(text="3"))
        assert ("answered in 0.0 s, 0 steps" in out.getvalue()) is told_ends
        assert ("stopped" in out.getvalue()) is told_ends
