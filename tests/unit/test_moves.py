"""What is told when the code goes on in another place: another route, another provider, a conversation taken up again."""

from __future__ import annotations

import pytest

from sandloop.carry import made_elsewhere, moved
from sandloop.conversation import Asked, Said, conversation
from sandloop.events import (
    CodeRan,
    CodeWritten,
    Event,
    FellBack,
    FileMade,
    ReplyEnded,
    Resumed,
    RouteChosen,
    RunStarted,
    ToolCall,
)

ASKED = RunStarted(id="1", question="Go on?", model="m")
NATIVE, OTHER, LOCAL = (
    RouteChosen(route="native", provider="p", model="m", reason="r"),
    RouteChosen(route="native", provider="other", model="m", reason="r"),
    RouteChosen(route="local", provider="p", model="m", reason="r"),
)
RAN = CodeRan(code_id="c", exit_code=0)
DECLINED = CodeRan(code_id="c", exit_code=None, stopped_by="declined")
AGAIN = Resumed(run="1")


def made(name: str) -> FileMade:
    return FileMade(name=name, size=5, mime="text/csv", sha256="a" * 64)


@pytest.mark.parametrize(
    ("history", "told"),
    [
        ([], None),
        ([LOCAL], None),
        ([LOCAL, RAN, LOCAL], None),
        ([NATIVE, RAN, NATIVE], None),
        ([NATIVE, LOCAL], None),
        ([LOCAL, DECLINED, NATIVE], None),
        ([NATIVE, RAN, FellBack(reason="r"), LOCAL], None),
        ([LOCAL, RAN, NATIVE], ()),
        ([LOCAL, made("a"), RAN, NATIVE], ("a",)),
        ([NATIVE, made("a"), RAN, OTHER], ("a",)),
        ([NATIVE, made("a"), RAN, LOCAL], ()),
        ([NATIVE, made("a"), RAN, LOCAL, made("b"), RAN, NATIVE], ("b",)),
        ([AGAIN, LOCAL], None),
        ([LOCAL, RAN, AGAIN, LOCAL], ()),
        ([LOCAL, made("a"), RAN, AGAIN, LOCAL], ()),
        ([NATIVE, made("a"), RAN, AGAIN, NATIVE], ("a",)),
        ([LOCAL, RAN, AGAIN, LOCAL, RAN, LOCAL], None),
    ],
)
def test_a_move_is_told_with_the_files_that_are_left(history: list[Event], told: tuple[str, ...] | None) -> None:
    move = moved(history)
    assert (move.left if move is not None else None) == told


@pytest.mark.parametrize(
    ("history", "names"),
    [
        ([LOCAL, made("a"), AGAIN], ["a"]),
        ([LOCAL, made("a"), AGAIN, LOCAL, made("b")], ["a"]),
        ([LOCAL, made("a"), AGAIN, LOCAL, made("a"), made("b"), AGAIN], ["a", "b"]),
        ([NATIVE, made("a"), LOCAL, made("b"), AGAIN], ["a", "b"]),
    ],
)
def test_files_of_before_a_break_go_along_too(history: list[Event], names: list[str]) -> None:
    assert [file.name for file in made_elsewhere(history)] == names


def test_the_model_is_told_of_the_break_in_the_question_that_follows() -> None:
    *_, last = conversation([ASKED, NATIVE, RAN, made("a.csv"), ReplyEnded(stop="end", text="1"), ASKED, AGAIN, NATIVE])
    assert isinstance(last, Asked)
    assert last.text.startswith("Go on?\n\nThis conversation goes on after a break.")
    assert "gone with its variables, and so are the files it made (a.csv)" in last.text


def test_the_user_is_told_in_a_sentence() -> None:
    move = moved([LOCAL, made("a.csv"), RAN, OTHER])
    assert move is not None
    assert (
        move.for_user
        == "The code now runs at other: the variables of the code so far are gone, and so are the files it made: a.csv."
    )


def test_code_of_a_call_is_written_out_for_another_family() -> None:
    call = ToolCall(id="1", name="python", arguments='{"code": "print(42)"}')
    reply = ReplyEnded(stop="end", text="I look.", calls=(call,), family="f", wire="{}")
    written = CodeWritten(code_id="c", language="python", source="print(42)", origin="tool_call", call_id="1")
    said = conversation([ASKED, LOCAL, reply, written, RAN])[1]
    assert isinstance(said, Said)
    assert said.narrated == "I look.\n\n```python\nprint(42)\n```"
    assert said.wire == "{}"


def test_code_that_was_not_allowed_is_told_so_and_never_as_code_that_failed_before() -> None:
    cell = CodeWritten(code_id="c", language="python", source="x", origin="fenced")
    history: list[Event] = [ASKED, LOCAL]
    for _ in range(2):
        history += [ReplyEnded(stop="end", text="x"), cell, DECLINED]
    told = str(conversation(history)[-1])
    assert "did not allow" in told
    assert "failed" not in told
