"""What a person sees while a run goes on."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console

from sandloop.display import Display
from sandloop.events import (
    Answered,
    CodeDelta,
    CodeError,
    CodeRan,
    CodeWritten,
    Event,
    Failed,
    FellBack,
    FileMade,
    InputFile,
    Noted,
    Output,
    ReplyEnded,
    RouteChosen,
    RunStarted,
    Text,
)


def shown(events: Iterable[Event], width: int = 100) -> str:
    out = io.StringIO()
    display = Display(Console(file=out, width=width, force_terminal=False))
    for event in events:
        display.show(event)
    return out.getvalue()


def cell(source: str = "print(6 * 7)") -> CodeWritten:
    return CodeWritten(code_id="c1", language="python", source=source, origin="fenced")


def test_a_local_run_is_shown_once_and_its_answer_is_left_to_stdout() -> None:
    file = InputFile(name="a.csv", size=2000, mime="text/csv", sha256="0" * 64)
    pieces = ["I will ", "compute.\n```pyth", "on\nprint(6 ", "* 7)\n```\n"]
    answer = "The answer is 42."
    assert shown(
        [
            RunStarted(id="1", question="What?", model="m", files=(file,)),
            RouteChosen(route="local", provider="ollama", model="qwen", reason="ollama runs no code itself"),
            *(Text(text=p) for p in pieces),
            ReplyEnded(stop="end", text="".join(pieces)),
            cell(),
            Output(code_id="c1", stream="stdout", text="42\n"),
            CodeRan(code_id="c1", exit_code=0, stdout="42\n", seconds=0.25),
            FileMade(name="chart.png", size=1500, mime="image/png", sha256="0" * 64),
            Text(text=answer),
            ReplyEnded(stop="end", text=answer),
            Answered(text=answer),
        ]
    ) == (
        "? What?  [a.csv (2.0 kB)]\n"
        "→ local · ollama · qwen: ollama runs no code itself\n"
        "I will compute.\n"
        "│ print(6 * 7)\n"
        "42\n"
        "✓ ran in 0.25 s\n"
        "+ chart.png (1.5 kB, image/png)\n"
    )


def test_code_of_a_tool_call_is_shown_as_it_is_written_and_not_again() -> None:
    text = shown([CodeDelta(text="print("), CodeDelta(text="6 * 7)"), ReplyEnded(stop="end"), cell()])
    assert text == "│ print(6 * 7)\n"


def test_code_that_was_not_streamed_is_shown_whole() -> None:
    assert shown([ReplyEnded(stop="end"), cell("a = 1\nprint(6 * 7)")]) == "│ a = 1\n│ print(6 * 7)\n"


def test_failures_say_what_stopped_the_code() -> None:
    error = CodeError(name="KeyError", value="'x'", traceback="")
    text = shown(
        [
            CodeRan(code_id="c1", exit_code=1, error=error),
            CodeRan(code_id="c1", exit_code=137, stopped_by="memory", state="lost"),
            CodeRan(code_id="c1", exit_code=3),
            FellBack(reason="its container died twice"),
            Noted(about="file", text="left out"),
        ]
    )
    for part in ("✗ KeyError: 'x'", "limit of memory", "variables were lost", "exit code 3", "died twice", "! left out"):
        assert part in text


def test_nothing_a_stranger_wrote_reaches_the_terminal_as_a_command_or_as_markup() -> None:
    evil = "\x1b[2J\x07[red]x[/red]\u202e\r"
    text = shown(
        [
            RunStarted(id="1", question=evil, model="m"),
            RouteChosen(route="local", provider="p", model=evil, reason=evil),
            Text(text=f"{evil}\n"),
            CodeDelta(text=evil),
            cell(evil),
            Output(code_id="c1", stream="stdout", text=evil),
            CodeRan(code_id="c1", exit_code=1, error=CodeError(name=evil, value=evil, traceback="")),
            FileMade(name=evil, size=1, mime=evil, sha256="0" * 64),
            Noted(about="file", text=evil),
        ]
    )
    assert not {c for c in text if ord(c) < 32 and c != "\n"}
    assert "\u202e" not in text
    assert "[red]" in text


def test_progress_has_every_tenth_line_where_there_is_no_terminal() -> None:
    assert shown([Noted(about="progress", text=f"{i} %") for i in range(0, 101)]).count("\n") == 11


def test_output_that_comes_with_the_end_of_a_cell_is_shown_and_no_other_twice() -> None:
    told = CodeRan(code_id="c1", exit_code=0, stdout="42\n", stderr="hm", seconds=0.1)
    assert shown([cell("1"), told]) == "│ 1\n42\nhm\n✓ ran in 0.10 s\n"
    live = Output(code_id="c1", stream="stdout", text="42\n")
    assert shown([cell("1"), live, told]) == "│ 1\n42\n✓ ran in 0.10 s\n"


def test_a_route_that_was_told_is_told_again_only_when_it_changes() -> None:
    first = RouteChosen(route="local", provider="p", model="m", reason="r")
    out = io.StringIO()
    display = Display(Console(file=out, width=100), told=first)
    display.show(first)
    assert out.getvalue() == ""
    display.show(RouteChosen(route="local", provider="p", model="other", reason="r"))
    assert out.getvalue() == "→ local · p · other: r\n"


def test_code_can_be_left_out_and_what_it_came_to_stays() -> None:
    out = io.StringIO()
    display = Display(Console(file=out, width=100), code=False, output=False)
    code = "```python\n1\n```\n"
    ran = CodeRan(code_id="c1", exit_code=0, seconds=0.1)
    events: list[Event] = [
        Text(text=f"See.\n{code}"),
        ReplyEnded(stop="end"),
        cell("1"),
        Output(code_id="c1", stream="stdout", text="x"),
        ran,
    ]
    for event in events:
        display.show(event)
    assert out.getvalue() == "See.\n✓ ran in 0.10 s\n"


def test_paths_of_windows_and_markup_are_shown_as_they_are() -> None:
    path = "C:\\new\\[bold]x[/bold]\\"
    assert shown([Noted(about="file", text=path)]) == f"! {path}\n"


def test_a_flood_of_output_is_cut_on_the_screen() -> None:
    text = shown([Output(code_id="c1", stream="stdout", text=f"{i}\n") for i in range(500)])
    assert text.count("\n") < 50
    assert "more output" in text


def test_what_a_reply_had_said_when_it_broke_off_is_shown() -> None:
    text = shown([Text(text="I see two colu"), Failed(error="Unreachable", message="gone")])
    assert text == "I see two colu\n"


def test_code_that_was_stopped_says_by_what_and_not_by_which_signal() -> None:
    error = CodeError(name="KeyboardInterrupt", value="", traceback="")
    text = shown([CodeRan(code_id="c1", exit_code=1, error=error, stopped_by="time")])
    assert "limit of time" in text
    assert "KeyboardInterrupt" not in text


def test_prose_is_broken_between_words_on_a_terminal_and_not_at_all_elsewhere() -> None:
    events: list[Event] = [Text(text="some words of prose that are long\n"), Noted(about="file", text="x")]
    out = io.StringIO()
    display = Display(Console(file=out, width=20, force_terminal=True, color_system=None))
    with display:
        for event in events:
            display.show(event)
    assert "some words of prose\nthat are long" in out.getvalue()
    assert "some words of prose that are long" in shown(events, width=20)
