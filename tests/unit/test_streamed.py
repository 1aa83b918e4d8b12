"""What of a run's text goes to stdout before the answer is known."""

from __future__ import annotations

import pytest

from sandloop.events import Answered, CodeDelta, CodeRan, CodeWritten, Event, InputFile, ReplyEnded, RunStarted, Text
from sandloop.terminal.streamed import StreamedAnswer

FILE = InputFile(name="a.csv", size=1, mime="text/csv", sha256="0" * 64)
RAN = CodeRan(code_id="c1", exit_code=0)


def texts(*pieces: str) -> list[Event]:
    return [*(Text(text=piece) for piece in pieces), ReplyEnded(stop="end", text="".join(pieces))]


def streamed(*events: Event) -> tuple[list[str], str]:
    """The pieces that went out, and the text left for the display."""
    out: list[str] = []
    stream = StreamedAnswer(out.append)
    left = [stream.take(event) for event in (RunStarted(id="1", question="?", model="m", files=(FILE,)), *events)]
    return out, "".join(event.text for event in left if isinstance(event, Text))


def test_an_answer_goes_out_as_it_comes_and_whole() -> None:
    out, left = streamed(RAN, *texts("It ", "is 3", ".\n\nNo more", ". \n"), Answered(text="It is 3.\n\nNo more."))
    assert out == ["It", " is 3", ".", "\n\nNo more", ".", "\n"]
    assert left == ""


def test_a_reply_before_any_code_ran_waits() -> None:
    out, left = streamed(*texts("I will compute.\n```python\n1\n```\n"), RAN, *texts("It is 3."), Answered(text="It is 3."))
    assert "".join(out) == "It is 3.\n"
    assert left == "I will compute.\n```python\n1\n```\n"


def test_code_never_goes_out_and_what_stood_before_it_stands_above_the_answer() -> None:
    out, left = streamed(RAN, *texts("Wait.\n``", "`python\n1\n```"), RAN, *texts("3"), Answered(text="3"))
    assert "".join(out) == "Wait.\n\n3\n"
    assert left == "\n```python\n1\n```"


@pytest.mark.parametrize("text", ["<tool_call>x", '{"name": "python"}', "[TOOL_CALLS]", "~~~\nx\n~~~", "```\nx\n```", ""])
def test_what_looks_like_a_call_comes_with_the_answer_or_never(text: str) -> None:
    out, left = streamed(RAN, *texts(text))
    assert (out, left) == ([], text)
    out, _ = streamed(RAN, *texts(text), Answered(text=text))
    assert out == [text + "\n"]


def test_text_after_the_code_of_one_reply_is_the_answer() -> None:
    code = CodeWritten(code_id="c1", language="python", source="1", origin="provider")
    out, left = streamed(
        Text(text="First "), CodeDelta(text="1"), code, RAN, Text(text="It is"), Text(text=" 3."), Answered(text="It is 3.")
    )
    assert out == ["It is", " 3.", "\n"]
    assert left == "First "


def test_an_answer_that_is_not_what_streamed_is_given_whole() -> None:
    out, _ = streamed(RAN, *texts("It is"), Answered(text="The model gave no answer."))
    assert "".join(out) == "It is\n\nThe model gave no answer.\n"


def test_nothing_that_goes_out_can_move_the_cursor() -> None:
    out, _ = streamed(RAN, *texts("a\x1b[2J", "\r\nb\r", "\nc"), Answered(text="a\x1b[2J\r\nb\r\nc"))
    assert "".join(out) == "a\\u001b[2J\nb\nc\n"


def test_each_character_alone_gives_the_same() -> None:
    answer = "It is `3`.\n\n- one\n  - two\n\n```\ntable\n```\nend"
    out, _ = streamed(RAN, *texts(*answer), Answered(text=answer))
    assert "".join(out) == answer + "\n"
