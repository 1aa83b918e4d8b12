"""What a run says that it waits for, and how that line looks on a terminal while others write around it."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable

import pyte
import pytest
from rich.console import Console

from sandloop.events import (
    Answered,
    CodeDelta,
    CodeError,
    CodeRan,
    CodeWritten,
    Event,
    FellBack,
    FilesPreviewed,
    Noted,
    Output,
    ReplyEnded,
    RouteChosen,
    RunStarted,
    SandboxOpened,
    Text,
    Thinking,
)
from sandloop.terminal.outcome import outcome
from sandloop.terminal.screen import Screen, column_after, waiting_line, wrapped
from sandloop.terminal.stages import Stage, after

CELL = CodeWritten(code_id="c1", language="python", source="1", origin="fenced")
RAN = CodeRan(code_id="c1", exit_code=0)
LOCAL = RouteChosen(route="local", provider="p", model="m", reason="r")
NATIVE = RouteChosen(route="native", provider="p", model="m", reason="r")
OPENED = SandboxOpened(sandbox="docker", id="1")
END = ReplyEnded(stop="end")


def labels(events: Iterable[Event]) -> list[str]:
    stage, seen = Stage(), list[str]()
    for event in events:
        stage = after(stage, event)
        seen.append(stage.label)
    return seen


def test_each_event_says_what_comes_next_on_the_local_route() -> None:
    events: list[Event] = [
        RunStarted(id="1", question="?", model="claude"),
        LOCAL,
        OPENED,
        FilesPreviewed(previews=()),
        Thinking(text="hm"),
        Text(text="I"),
        CodeDelta(text="1"),
        END,
        CELL,
        CELL,
        Output(code_id="c1", stream="stdout", text="1"),
        RAN,
        RAN,
        Answered(text="1"),
    ]
    assert labels(events) == [
        "choosing where the code runs",
        "opening the sandbox",
        "copying the files into the sandbox",
        "waiting for claude",
        "claude is thinking",
        "claude is writing",
        "claude is writing",
        "waiting for claude",
        "running code",
        "running code",
        "running code",
        "running code",
        "waiting for claude",
        "cleaning up",
    ]


def test_a_cell_that_failed_is_the_last_of_its_reply() -> None:
    failed = CodeRan(code_id="c1", exit_code=1, error=CodeError(name="E", value="", traceback=""))
    assert labels([CELL, CELL, failed])[-1] == "waiting for the model"


def test_the_native_route_and_what_follows_when_it_fails() -> None:
    assert labels([NATIVE, CELL, RAN, END, FellBack(reason="x")]) == [
        "waiting for the model",
        "running code",
        "waiting for the model",
        "fetching what was made",
        "opening the sandbox",
    ]


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("claude", "claude"),
        ("openai:gpt-5", "openai:gpt-5"),
        ("replay:examples/recordings/csv.jsonl", "csv.jsonl"),
        ("huggingface:" + "m" * 50, "huggingface"),
        ("", "the model"),
    ],
)
def test_a_model_is_called_as_the_user_called_it(model: str, name: str) -> None:
    assert labels([RunStarted(id="1", question="?", model=model), FilesPreviewed(previews=())])[-1] == f"waiting for {name}"


def test_progress_is_what_is_waited_for() -> None:
    assert labels([Noted(about="progress", text="50 % of the model")]) == ["50 % of the model"]


@pytest.mark.parametrize(
    ("label", "seconds", "width", "utf8", "line"),
    [
        ("waiting for claude", 0.4, 80, True, "⠋ waiting for claude …"),
        ("waiting for claude", 3.4, 80, True, "⠋ waiting for claude … 3 s"),
        ("waiting for claude", 3.4, 20, True, "⠋ waiting for … 3 s"),
        ("→ \x1b[2J\nx", 3.4, 80, False, "- -> \\u001b[2J x ... 3 s"),
        ("数字数字", 3.4, 13, True, "⠋ 数字 … 3 s"),
        ("x", 3.4, 1, True, "⠋  … 3 s"),
    ],
)
def test_the_line_fits_and_can_be_shown(label: str, seconds: float, width: int, utf8: bool, line: str) -> None:
    assert waiting_line(label, seconds, 0, width, utf8) == line


@pytest.mark.parametrize(
    ("text", "indent", "lines"),
    [
        ("some words of prose that are long", 0, ["some words of prose", "that are long"]),
        ("some words of prose that are long", 2, ["some words of", "  prose that are", "  long"]),
        ("at /a/path/that/is/longer/than/the/terminal here", 0, ["at", "/a/path/that/is/longer/than/the/terminal", "here"]),
        ("  - one\n\n  - two", 0, ["  - one", "", "  - two"]),
        ("", 0, [""]),
    ],
)
def test_lines_break_between_words_and_a_long_path_stays_whole(text: str, indent: int, lines: list[str]) -> None:
    assert wrapped(text, 20, indent).split("\n") == lines


@pytest.mark.parametrize(
    ("column", "text", "after"),
    [(0, "abc", 3), (2, "abc", 5), (2, "a\nb", 1), (0, "a\n", 0), (8, "abc", 1), (8, "ab", 10), (0, "数", 2)],
)
def test_the_column_is_the_terminals(column: int, text: str, after: int) -> None:
    assert column_after(column, text, 10) == after


class Terminal(io.StringIO):
    """What a person would see; `drawn` is set when the waiting line was drawn."""

    def __init__(self, width: int = 20, height: int = 4) -> None:
        super().__init__()
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.Stream(self.screen)
        self.drawn = threading.Event()

    def write(self, text: str) -> int:
        self._stream.feed(text.replace("\n", "\r\n"))
        if "…" in text:
            self.drawn.set()
        return len(text)

    def lines(self) -> list[str]:
        return [line.rstrip() for line in self.screen.display if line.strip()]

    def wait_drawn(self) -> None:
        self.drawn.clear()
        assert self.drawn.wait(5)


def console(terminal: Terminal) -> Console:
    return Console(file=terminal, force_terminal=True, width=20, _environ={"TERM": "xterm"})


@pytest.mark.parametrize("begun", ["", "abc", "a" * 19, "a" * 20, "a" * 25])
@pytest.mark.parametrize("before", [0, 5])
def test_the_line_stands_below_what_was_written_and_leaves_no_trace(begun: str, before: int) -> None:
    terminal = Terminal()
    with Screen(console(terminal), quiet=0.0, tick=0.01) as screen:
        for number in range(before):
            screen.line("!", str(number), "red")
        screen.write(begun)
        screen.wait("waiting")
        terminal.wait_drawn()
        assert terminal.lines()[-1][1:] == " waiting …"
        screen.write("XY\n")
    shown = "".join(line for line in terminal.lines() if not line.startswith("!"))
    assert shown == begun + "XY"


def test_aside_takes_the_line_away_and_brings_it_back() -> None:
    terminal = Terminal()
    with Screen(console(terminal), quiet=0.0, tick=0.01) as screen:
        screen.wait("waiting")
        terminal.wait_drawn()
        with screen.aside():
            assert terminal.lines() == []
        terminal.wait_drawn()
    assert terminal.lines() == []


@pytest.mark.parametrize("environ", [{"TERM": "dumb"}, {"TERM": "xterm"}])
def test_where_there_is_no_terminal_there_is_no_line(environ: dict[str, str]) -> None:
    plain = Console(file=io.StringIO(), force_terminal=environ["TERM"] == "dumb", _environ=environ)
    assert not Screen(plain).waits


@pytest.mark.parametrize(
    ("ran", "words"),
    [
        (CodeRan(code_id="c", exit_code=0, seconds=1.0), ["ran in 1.00 s"]),
        (CodeRan(code_id="c", exit_code=None), ["ran"]),
        (CodeRan(code_id="c", exit_code=3), ["exit code 3"]),
        (CodeRan(code_id="c", exit_code=1, stopped_by="interrupt"), ["interrupted"]),
        (CodeRan(code_id="c", exit_code=None, stopped_by="declined"), ["not run: you did not allow it"]),
        (CodeRan(code_id="c", exit_code=1, stopped_by="disk"), ["stopped by its limit of disk"]),
        (CodeRan(code_id="c", exit_code=0, outcome="unknown"), ["ran; the provider does not say whether it went well"]),
        (
            CodeRan(code_id="c", exit_code=0, out_of_memory="child", state="lost"),
            ["ran", "a process that the code started was killed for memory", "variables were lost; files are still there"],
        ),
    ],
)
def test_how_a_cell_ended_is_said_in_words(ran: CodeRan, words: list[str]) -> None:
    assert [text for _, text, _ in outcome(ran)] == words
