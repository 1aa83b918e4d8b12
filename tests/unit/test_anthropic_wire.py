"""The two directions of Anthropic's wire, over plain dictionaries."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandloop.conversation import Asked, CallResult, Message, Ran, Said
from sandloop.events import CodeDelta, CodeError, CodeRan, FileMade, ToolCall
from sandloop_providers.anthropic_blocks import Output, outputs_of, ran_of, source_of
from sandloop_providers.anthropic_stream import Reading
from sandloop_providers.anthropic_wire import (
    LOCAL,
    NATIVE,
    NOT_RUN,
    STATE_GONE,
    Picture,
    Restart,
    local_messages,
    native_messages,
    newest_pictures,
)
from sandloop_providers.prices import cost_of
from sandloop_providers.remote_runs import error_in, head_and_tail

USE: dict[str, Any] = {"type": "server_tool_use", "id": "s1", "name": "code_execution", "input": {"code": "x"}}
RESULT: dict[str, Any] = {"type": "code_execution_tool_result", "tool_use_id": "s1", "content": {"type": "code_execution_result"}}
CALL: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "python", "input": {"code": "x"}}
TEXT: dict[str, Any] = {"type": "text", "text": "So."}


def said(*blocks: dict[str, Any], family: str = NATIVE, calls: tuple[str, ...] = ()) -> Said:
    return Said(
        text="So.",
        narrated="So, and it ran.",
        family=family,
        wire=json.dumps(blocks),
        calls=tuple(ToolCall(id=c, name="python", arguments="{}") for c in calls),
    )


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def upload(file_id: str) -> dict[str, Any]:
    return {"type": "container_upload", "file_id": file_id}


IDS = {"a.csv": "f1", "b.csv": "f2"}
FIRST, SECOND = Asked(text="One", files=("a.csv",)), Asked(text="Two", files=("b.csv",))


@pytest.mark.parametrize(
    ("messages", "restart", "expected"),
    [
        ([FIRST], None, [("user", [text("One"), upload("f1")])]),
        (
            [FIRST, said(USE, RESULT, TEXT), SECOND],
            None,
            [("user", [text("One"), upload("f1")]), ("assistant", [USE, RESULT, TEXT]), ("user", [text("Two"), upload("f2")])],
        ),
        ([FIRST, said(USE)], None, [("user", [text("One"), upload("f1")]), ("assistant", [USE])]),
        (
            [FIRST, said(USE), said(RESULT, TEXT), SECOND],
            None,
            [("user", [text("One"), upload("f1")]), ("assistant", [USE, RESULT, TEXT]), ("user", [text("Two"), upload("f2")])],
        ),
        (
            [FIRST, said(TEXT, USE), SECOND],
            None,
            [("user", [text("One"), upload("f1")]), ("assistant", [TEXT]), ("user", [text("Two"), upload("f2")])],
        ),
        (
            [FIRST, said(TEXT), SECOND, said(USE)],
            Restart(at=2, until=4),
            [("user", [text("One")]), ("assistant", [TEXT]), ("user", [text("Two"), text(STATE_GONE), upload("f1"), upload("f2")])],
        ),
        ([FIRST, said(USE)], Restart(at=0, until=2), [("user", [text("One"), upload("f1")])]),
        (
            [FIRST, said({"type": "text", "text": ""}, TEXT), SECOND],
            None,
            [("user", [text("One"), upload("f1")]), ("assistant", [TEXT]), ("user", [text("Two"), upload("f2")])],
        ),
        (
            [FIRST, said(CALL, family=LOCAL), SECOND],
            None,
            [
                ("user", [text("One"), upload("f1")]),
                ("assistant", [text("So, and it ran.")]),
                ("user", [text("Two"), upload("f2")]),
            ],
        ),
        (
            [FIRST, said(family=LOCAL)],
            None,
            [("user", [text("One"), upload("f1")]), ("assistant", [text("So, and it ran.")]), ("user", [text("Go on.")])],
        ),
    ],
)
def test_native_messages(messages: list[Message], restart: Restart | None, expected: list[tuple[str, list[object]]]) -> None:
    assert [(m["role"], m["content"]) for m in native_messages(messages, IDS, restart)] == expected


def answer(call: str, words: str) -> dict[str, Any]:
    return {"type": "tool_result", "tool_use_id": call, "content": [text(words)]}


def results(*pairs: tuple[str | None, str]) -> Ran:
    return Ran(results=tuple(CallResult(call_id=c, text=t) for c, t in pairs))


LOCAL_CALL = said(CALL, family=LOCAL, calls=("t1",))


@pytest.mark.parametrize(
    ("messages", "last"),
    [
        ([FIRST], [text("One")]),
        ([FIRST, LOCAL_CALL, results(("t1", "6"))], [answer("t1", "6")]),
        ([FIRST, LOCAL_CALL, results((None, "7"), ("t1", "6"))], [answer("t1", "6"), text("7")]),
        ([FIRST, LOCAL_CALL, results(("t1", "6")), SECOND], [answer("t1", "6"), text("Two")]),
        ([FIRST, LOCAL_CALL, SECOND], [answer("t1", NOT_RUN), text("Two")]),
        ([FIRST, LOCAL_CALL], [answer("t1", NOT_RUN)]),
        ([FIRST, said(TEXT, family="chat", calls=("x9",)), results(("x9", "6"))], [text("6")]),
        ([FIRST, said(USE, RESULT), SECOND], [text("Two")]),
        ([FIRST, said(TEXT, family=LOCAL), results((None, ""))], [text("(nothing)")]),
    ],
)
def test_local_messages_end_in(messages: list[Message], last: list[object]) -> None:
    sent = local_messages(messages, {})
    assert sent[-1] == {"role": "user", "content": last}
    assert "server_tool_use" not in json.dumps(sent)


def test_pictures_stand_in_the_result_that_made_them() -> None:
    pictures = [FileMade(name=f"{i}", size=10, mime="image/png", sha256=f"{i}") for i in range(6)]
    huge = FileMade(name="huge", size=10**7, mime="image/png", sha256="huge")
    ran = Ran(results=(CallResult(call_id="t1", text="6", pictures=(*pictures, huge)),))
    messages: list[Message] = [FIRST, LOCAL_CALL, ran]

    assert [p.name for p in newest_pictures(messages)] == ["2", "3", "4", "5"]
    (block,) = local_messages(messages, {"5": Picture("image/png", "AAAA")})[-1]["content"]
    assert [b["type"] for b in block["content"]] == ["text", "image"]


@given(
    st.dictionaries(st.sampled_from(["code", "other"]), st.text(max_size=40), min_size=1),
    st.integers(min_value=1, max_value=9),
    st.booleans(),
)
def test_the_pieces_of_code_add_up_however_the_json_is_cut(arguments: dict[str, str], size: int, ascii_only: bool) -> None:
    written = json.dumps(arguments, ensure_ascii=ascii_only)
    reading = Reading(family=NATIVE, output_kept=1_000)
    reading.take({"type": "content_block_start", "index": 0, "content_block": {**USE, "input": {}}})
    events = [
        event
        for i in range(0, len(written), size)
        for event in reading.take(
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "input_json_delta", "partial_json": written[i : i + size]},
            }
        )
    ]
    reading.take({"type": "content_block_stop", "index": 0})

    assert "".join(e.text for e in events if isinstance(e, CodeDelta)) == arguments.get("code", "")
    assert reading.blocks == [{**USE, "input": arguments}]


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4))
def test_no_shape_of_a_result_breaks_the_reading(value: object) -> None:
    for content in (value, {"type": value, "return_code": value, "stdout": value, "content": value}, {"error_code": value}):
        block = {"type": "code_execution_tool_result", "tool_use_id": value, "content": content}
        assert isinstance(ran_of(block, kept=100), CodeRan)
        assert outputs_of(block) == []


def test_files_are_found_in_results_and_in_upload_blocks() -> None:
    listed = [{"file_id": "f1"}, {"file_id": ""}, {"file_id": "x" * 300}, "odd", {"file_id": "f2"}]
    block = {"type": "bash_code_execution_tool_result", "tool_use_id": "s1", "content": {"content": listed}}
    assert outputs_of(block) == [Output("f1", "s1"), Output("f2", "s1")]
    assert outputs_of({"type": "container_upload", "file_id": "f3"}) == [Output("f3", None)]


HEAD = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n'


@pytest.mark.parametrize(
    ("stderr", "found"),
    [
        ("", None),
        ("just a warning\n", None),
        (HEAD + "KeyError: 'x'\n", ("KeyError", "'x'")),
        (HEAD + "pkg.mod.OddError: a\nb\n  c\n", ("pkg.mod.OddError", "a\nb\n  c")),
        (HEAD + "KeyboardInterrupt\n", ("KeyboardInterrupt", "")),
        (f"{HEAD}KeyError: 1\n\nDuring handling of the above exception, another exception occurred:\n\n{HEAD}ValueError: 2\n",
         ("ValueError", "2")),
        ('  File "a.py", line 1\n    x =\n       ^\nSyntaxError: invalid syntax\n', ("SyntaxError", "invalid syntax")),
        (HEAD, None),
    ],
)  # fmt: skip
def test_the_exception_at_the_end_of_stderr(stderr: str, found: tuple[str, str] | None) -> None:
    error = error_in(stderr)
    assert error == (CodeError(name=found[0], value=found[1], traceback=stderr) if found else None)


def test_half_a_surrogate_pair_is_replaced_before_it_is_sent() -> None:
    (_, sent, _) = native_messages([FIRST, said({"type": "text", "text": "a\ud83d b\U0001f600"}), SECOND], IDS)
    assert sent["content"] == [text("a? b\U0001f600")]


def test_output_keeps_head_and_tail_within_its_bound() -> None:
    assert head_and_tail("short", 100) == ("short", 0)
    kept, cut = head_and_tail("é" * 1_000 + "end", 100)
    assert len(kept.encode()) <= 100
    assert kept.endswith("end")
    assert cut == 2_003 - len(kept.encode())


def test_an_unknown_tool_of_the_code_family_is_still_readable() -> None:
    assert source_of("powershell_code_execution", {"script": "ls"}) == ("text", '{"script": "ls"}')


@pytest.mark.parametrize(
    ("provider", "model"), [("anthropic", "claude-of-next-year"), ("nobody", "claude-sonnet-5-5"), ("anthropic", "")]
)
def test_an_unknown_price_is_none(provider: str, model: str) -> None:
    assert cost_of(provider=provider, model=model, input_tokens=10, output_tokens=10) is None


def test_cached_tokens_cost_less_and_writing_the_cache_costs_more() -> None:
    def price(**more: int) -> float:
        cost = cost_of(provider="anthropic", model="claude-sonnet-4-5", input_tokens=1_000_000, output_tokens=0, **more)
        assert cost is not None
        return cost

    assert price(cached_tokens=900_000) < price() < price(cache_write_tokens=900_000)
