"""What a notebook shows while runs go on."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Mapping

import pytest

from sandloop.events import (
    Answered,
    CodeDelta,
    CodeRan,
    CodeWritten,
    Event,
    Failed,
    Output,
    ReplyEnded,
    RouteChosen,
    RunStarted,
    Text,
    Usage,
)
from sandloop.notebook.live import Drawing, watched
from sandloop.notebook.progress import Seen, bundle

STARTED = RunStarted(id="1", question="?", model="m")
ROUTE = RouteChosen(route="local", provider="p", model="m", reason="r")
CODE = CodeWritten(code_id="1", language="python", source="print('<b>')", origin="fenced")
RAN = CodeRan(code_id="1", exit_code=0, stdout="1\n")


def seen(*events: Event, label: str = "m") -> Seen:
    run = Seen.of(label)
    for second, event in enumerate(events):
        run = run.after(event, float(second))
    return run


@pytest.mark.parametrize(
    ("events", "over", "shown"),
    [
        ((), False, "○ m: waiting"),
        ((STARTED,), False, "● m: starting · 10.0 s"),
        ((STARTED, ROUTE), False, "● m: asking the model · 10.0 s"),
        ((STARTED, ROUTE, CODE), False, "● m: running step 1 · 1 step · 10.0 s"),
        ((STARTED, ROUTE, CODE), True, "✗ m: stopped · 1 step · 10.0 s"),
        ((STARTED, Usage(model="m", input_tokens=1200, cost=0.01), CODE, RAN, Answered(text="1")), True,
         "✓ m: answered · 1 step · 1,200 tokens · $0.0100 · 4.0 s"),
        ((STARTED, Failed(error="MissingKey", message="No key.")), True, "✗ m: MissingKey: No key. · 1.0 s"),
    ],
)  # fmt: skip
def test_a_run_is_told_in_one_line(events: tuple[Event, ...], over: bool, shown: str) -> None:
    assert bundle([seen(*events)], 10.0, over=over)["text/plain"] == shown


def test_code_at_work_and_its_output_are_shown_and_escaped() -> None:
    html = bundle([seen(STARTED, ROUTE, CODE, Output(code_id="1", stream="stdout", text="<i>\n\x1b[31mred"))], 10.0, over=False)[
        "text/html"
    ]

    assert "<pre>print(&#39;&lt;b&gt;&#39;)</pre><pre>&lt;i&gt;\n\\u001b[31mred</pre>" in html


def test_code_is_shown_as_it_is_written_then_words_again() -> None:
    writing = seen(STARTED, Text(text="Let me see."), CodeDelta(text="x = "), CodeDelta(text="1"))
    assert "<pre>x = 1</pre>" in bundle([writing], 10.0, over=False)["text/html"]

    words = seen(STARTED, Text(text="Let me "), Text(text="see."))
    assert "<pre>Let me see.</pre>" in bundle([words], 10.0, over=False)["text/html"]
    assert "Let me see." not in bundle([words.after(ReplyEnded(stop="end"), 3.0)], 10.0, over=False)["text/html"]


def test_nothing_but_a_line_is_left_at_the_end() -> None:
    html = bundle([seen(STARTED, ROUTE, CODE, RAN, Answered(text="1"))], 10.0, over=True)["text/html"]
    assert "<pre>" not in html
    assert 'class="running"' not in html


def test_several_runs_are_rows_and_their_names_are_only_text() -> None:
    runs = [seen(STARTED, ROUTE, label="<script>alert(1)</script>"), seen(label="b")]
    shown = bundle(runs, 10.0, over=False)
    assert shown["text/html"].count("<tr>") == 2
    assert "<script" not in shown["text/html"]
    assert len(shown["text/plain"].splitlines()) == 2


def test_endless_output_does_not_grow_what_is_kept() -> None:
    run = seen(STARTED, CODE)
    for _ in range(200):
        run = run.after(Output(code_id="1", stream="stdout", text="x" * 1000), 1.0)
    assert len(bundle([run], 10.0, over=False)["text/html"]) < 10_000


def test_each_drawing_replaces_the_one_before_and_the_last_is_the_end() -> None:
    drawn: list[Mapping[str, str]] = []
    again = threading.Event()

    def draw(bundle: Mapping[str, str]) -> None:
        drawn.append(bundle)
        if "asking" in bundle["text/plain"]:
            again.set()

    with Drawing(["m"], draw) as drawing:
        assert drawn[0]["text/plain"] == "○ m: waiting"
        drawing.told("m", STARTED)
        drawing.told("m", ROUTE)
        assert again.wait(5)
        drawing.told("m", Answered(text="1"))
    assert drawn[-1]["text/plain"].startswith("✓ m: answered")


def test_a_drawing_that_goes_wrong_costs_nothing() -> None:
    def draw(bundle: Mapping[str, str]) -> None:
        raise ValueError("no page")

    with Drawing(["m"], draw) as drawing:
        drawing.told("m", STARTED)


def test_outside_a_notebook_nothing_is_drawn_and_ipython_is_not_imported() -> None:
    with watched(["m"]) as told:
        told("m", STARTED)
    heavy = ("IPython", "jinja2", "markupsafe")
    script = f"import sys, sandloop; sandloop.analyze; sandloop.compare; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
