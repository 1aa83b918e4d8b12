"""The history as a conversation: every call gets its answer, and nothing is lost when the route changes."""

from __future__ import annotations

from sandloop.conversation import NO_CODE_IN_CALL, Asked, CallResult, Ran, Said, conversation
from sandloop.events import (
    CodeError,
    CodeRan,
    CodeWritten,
    Event,
    FellBack,
    FileMade,
    FilesPreviewed,
    InputFile,
    Preview,
    Reminded,
    ReplyEnded,
    RouteChosen,
    RunStarted,
    Text,
    ToolCall,
)
from sandloop.feedback import SAME_CODE

FILE = InputFile(name="a.csv", size=1500, mime="text/csv", sha256="0" * 64)
ASKED = RunStarted(id="1", question="How many?", model="m", files=(FILE,), new_files=("a.csv",))
PREVIEW = FilesPreviewed(previews=(Preview(name="a.csv", text="columns: ' Name', 'Age'"),))


def cell(number: int, source: str = "print(1)", call_id: str | None = None) -> CodeWritten:
    return CodeWritten(code_id=f"c{number}", language="python", source=source, origin="fenced", call_id=call_id)


def ran(number: int, stdout: str = "1\n", exit_code: int = 0) -> CodeRan:
    return CodeRan(code_id=f"c{number}", exit_code=exit_code, stdout=stdout)


def test_the_question_comes_last_and_shows_names_sizes_and_previews_as_they_are() -> None:
    (asked,) = conversation([ASKED, PREVIEW])
    assert asked == Asked(
        text="Files:\n\n'a.csv' (1.5 kB, text/csv)\ncolumns: ' Name', 'Age'\n\nQuestion: How many?",
        files=("a.csv",),
    )


def test_a_fenced_cell_and_its_output_follow_the_reply() -> None:
    said = ReplyEnded(stop="end", text="```python\nprint(1)\n```", family="chat")
    messages = conversation([ASKED, Text(text="x"), said, cell(1), ran(1)])
    assert messages[1:] == (
        Said(text=said.text, narrated=said.text, family="chat"),
        Ran(results=(CallResult(call_id=None, text="Output:\n1"),)),
    )


def test_every_call_is_answered_in_order_also_one_without_code_and_one_not_run() -> None:
    calls = tuple(ToolCall(id=i, name="python", arguments="") for i in "abc")
    history: list[Event] = [
        ASKED,
        ReplyEnded(stop="end", calls=calls),
        cell(1, call_id="a"),
        cell(2, call_id="c"),
        ran(1, exit_code=1, stdout=""),
    ]
    ran_message = conversation(history)[-1]
    assert isinstance(ran_message, Ran)
    assert [r.call_id for r in ran_message.results] == ["a", "b", "c"]
    assert ran_message.results[1].text == NO_CODE_IN_CALL
    assert "not run" in ran_message.results[2].text


def test_the_same_failing_code_is_told_so_and_stands_only_once() -> None:
    history: list[Event] = [ASKED, PREVIEW]
    for number in (1, 2, 3):
        history += [ReplyEnded(stop="end", text="x"), cell(number, "1/0"), ran(number, exit_code=1, stdout="")]
        texts = [m.results[0].text for m in conversation(history) if isinstance(m, Ran)]
        assert len(texts) == 1
        assert (SAME_CODE in texts[0]) == (number > 1)
        assert ("columns: ' Name', 'Age'" in texts[0]) == (number > 1)


def test_failing_code_from_different_replies_stands_each_time() -> None:
    history: list[Event] = [ASKED]
    for number in (1, 2):
        history += [ReplyEnded(stop="end", text=f"try {number}"), cell(number, "1/0"), ran(number, exit_code=1, stdout="")]
    assert sum(isinstance(m, Ran) for m in conversation(history)) == 2


def test_a_wrong_column_name_shows_the_real_ones_again() -> None:
    error = CodeError(name="KeyError", value="'name'", traceback="KeyError: 'name'")
    failed = CodeRan(code_id="c1", exit_code=1, error=error)
    last = conversation([ASKED, PREVIEW, ReplyEnded(stop="end", text="x"), cell(1), failed])[-1]
    assert isinstance(last, Ran)
    assert last.results[0].text.endswith("What the files really hold:\n'a.csv'\ncolumns: ' Name', 'Age'")


def test_a_reply_that_broke_off_on_the_native_route_goes_on_as_text_with_code_and_output() -> None:
    made = FileMade(name="x.png", size=10, mime="image/png", sha256="1" * 64, code_id="n1")
    native = CodeWritten(code_id="n1", language="python", source="print(42)", origin="provider")
    history: list[Event] = [
        ASKED,
        RouteChosen(route="native", provider="p", model="m", reason=""),
        Text(text="Let me see."),
        native,
        CodeRan(code_id="n1", exit_code=0, stdout="42\n"),
        made,
        FellBack(reason="gone"),
    ]
    _, said, told = conversation(history)
    assert isinstance(said, Said)
    assert "print(42)" in said.text
    assert "42" in said.text.split("```")[-1]
    assert "x.png" in said.text
    assert isinstance(told, Asked)
    assert "gone" in told.text


def test_a_whole_native_reply_is_narrated_for_another_family_and_kept_for_its_own() -> None:
    native = CodeWritten(code_id="n1", language="bash", source="ls", origin="provider")
    reply = ReplyEnded(stop="end", text="It is 3.", family="f-native", wire="[]")
    history: list[Event] = [ASKED, native, CodeRan(code_id="n1", exit_code=0, stdout="a.csv\n"), Text(text="It is 3."), reply]
    said = conversation(history)[-1]
    assert isinstance(said, Said)
    assert (said.text, said.wire) == ("It is 3.", "[]")
    assert "```bash\nls\n```" in said.narrated


def test_code_of_a_next_native_reply_is_no_result_of_the_last_one() -> None:
    first = ReplyEnded(stop="pause", family="f", wire="[1]")
    native = CodeWritten(code_id="n2", language="python", source="2", origin="provider")
    history: list[Event] = [
        ASKED,
        first,
        native,
        CodeRan(code_id="n2", exit_code=0),
        ReplyEnded(stop="end", text="ok", family="f", wire="[2]"),
    ]
    assert [type(m).__name__ for m in conversation(history)] == ["Asked", "Said", "Said"]


def test_a_reminder_is_a_message_of_the_user() -> None:
    history: list[Event] = [ASKED, ReplyEnded(stop="end", text="3"), Reminded(about="no_code", text="Write code.")]
    assert conversation(history)[-1] == Asked(text="Write code.")


def test_a_second_question_names_only_its_new_files() -> None:
    second = RunStarted(id="2", question="And now?", model="m", files=(FILE,), new_files=())
    messages = conversation([ASKED, PREVIEW, ReplyEnded(stop="end", text="3"), second])
    assert messages[-1] == Asked(text="And now?")
