"""Streams that are odd in ways that servers and proxies are: nothing that came is lost, doubled, or taken for what it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandloop.events import CodeDelta, CodeWritten, Event, ReplyEnded, Text
from sandloop_providers import (
    anthropic_stream,
    chat_errors,
    chat_stream,
    gemini_stream,
    mistral_stream,
    plain_http,
    responses_stream,
)

Wire = dict[str, Any]
CODE = '{"code": "print(1)"}'


def said(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


def codes(ended: ReplyEnded) -> list[str]:
    return [json.loads(call.arguments)["code"] for call in ended.calls]


# Anthropic


def start(index: int | None, block: object) -> Wire:
    return {"type": "content_block_start", "index": index, "content_block": block}


def delta(index: int | None, kind: str, value: str) -> Wire:
    field = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}[kind]
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, field: value}}


def stop(index: int | None) -> Wire:
    return {"type": "content_block_stop", "index": index}


TEXT: Wire = {"type": "text", "text": ""}
USE: Wire = {"type": "tool_use", "id": "t1", "name": "python", "input": {}}
END: list[Wire] = [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}, {"type": "message_stop"}]


def claude(*events: Wire) -> tuple[anthropic_stream.Reading, list[Event], ReplyEnded]:
    reading = anthropic_stream.Reading(family="anthropic-local", output_kept=1_000)
    told = [event for wire in events for event in reading.take(wire)]
    return reading, told, reading.ended(container=None)


HALVES = (delta(0, "text_delta", "It is"), delta(0, "text_delta", " 1."))


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([start(0, TEXT), *HALVES, stop(0), *END], id="as documented"),
        pytest.param([start(0, TEXT), *HALVES, *END], id="a block that is never stopped"),
        pytest.param([start(0, TEXT), *HALVES, stop(0), stop(0), *END], id="stopped twice"),
        pytest.param([start(0, TEXT), HALVES[0], start(0, TEXT), HALVES[1], stop(0), *END], id="begun twice"),
        pytest.param([start(0, TEXT), start(0, TEXT), *HALVES, stop(0), *END], id="begun twice at once"),
        pytest.param([start(None, TEXT), delta(None, "text_delta", "It is 1."), stop(None), *END], id="no index"),
        pytest.param([start(0, None), stop(0), start(1, TEXT), delta(1, "text_delta", "It is 1."), stop(1), *END], id="null block"),
        pytest.param([start(0, {"type": "text", "text": None}), *HALVES, stop(0), *END], id="null text"),
        pytest.param([{"type": "next_year"}, start(0, TEXT), *HALVES, stop(0), *END], id="an unknown event"),
        pytest.param([start(0, TEXT), *HALVES, stop(0), END[0]], id="without the last event"),
        pytest.param([start(0, TEXT), *HALVES, END[0], stop(0), END[1]], id="stopped after the reason"),
        pytest.param(
            [start(0, TEXT), HALVES[0], {"type": "content_block_delta", "index": 0, "delta": None}, HALVES[1], *END],
            id="null delta",
        ),
    ],
)
def test_claudes_text_is_whole(events: list[Wire]) -> None:
    reading, told, ended = claude(*events)
    assert said(told) == ended.text == "It is 1."
    assert reading.over
    assert all(block.get("type") for block in json.loads(ended.wire or ""))


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([start(0, USE), delta(0, "input_json_delta", CODE), stop(0), *END], id="as documented"),
        pytest.param([start(0, USE), delta(0, "input_json_delta", CODE), *END], id="never stopped"),
        pytest.param([start(0, USE), start(0, USE), delta(0, "input_json_delta", CODE), stop(0), *END], id="begun twice"),
        pytest.param([start(0, {**USE, "input": json.loads(CODE)}), stop(0), *END], id="whole at once"),
        pytest.param([start(0, {**USE, "id": None}), delta(0, "input_json_delta", CODE), stop(0), *END], id="no id"),
    ],
)
def test_claudes_call_comes_once(events: list[Wire]) -> None:
    _, _, ended = claude(*events)
    assert codes(ended) == ["print(1)"]
    (block,) = json.loads(ended.wire or "")
    assert block["id"] == ended.calls[0].id != ""


@pytest.mark.parametrize("block", [{"type": "tool_use", "id": "t1", "name": "python"}, {**USE, "input": None}])
def test_claudes_call_without_input_goes_back_with_one(block: Wire) -> None:
    _, _, ended = claude(start(0, block), stop(0), *END)
    assert ended.calls[0].arguments == "{}"
    assert json.loads(ended.wire or "")[0]["input"] == {}


@pytest.mark.parametrize(
    ("first", "last", "tokens"),
    [
        ({"input_tokens": 9, "output_tokens": 1}, {"output_tokens": 5}, (9, 5)),
        ({"input_tokens": 9, "output_tokens": 5}, None, (9, 5)),
        (None, {"input_tokens": 9, "output_tokens": 5}, (9, 5)),
        ({"input_tokens": 9, "output_tokens": 1}, {"input_tokens": 0, "output_tokens": 5}, (9, 5)),
        ({"input_tokens": 0, "output_tokens": 0}, {"input_tokens": 9, "output_tokens": 5}, (9, 5)),
    ],
)
def test_claudes_tokens_are_counted_wherever_they_are_told(first: Wire | None, last: Wire | None, tokens: tuple[int, int]) -> None:
    reading, _, _ = claude({"type": "message_start", "message": {"usage": first}}, {**END[0], "usage": last}, END[1])
    usage = reading.usage()
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == tokens


# Responses


def message(text: str, item_id: str | None = "m1") -> Wire:
    item: Wire = {"type": "message", "content": [{"type": "output_text", "text": text}]}
    return item if item_id is None else {**item, "id": item_id}


def function(item_id: str | None = "f1", call_id: str = "c1") -> Wire:
    item: Wire = {"type": "function_call", "call_id": call_id, "name": "python", "arguments": CODE}
    return item if item_id is None else {**item, "id": item_id}


def done(item: Wire) -> Wire:
    return {"type": "response.output_item.done", "item": item}


def completed(*output: Wire, **facts: Any) -> Wire:
    return {"type": "response.completed", "response": {"status": "completed", "output": list(output), **facts}}


SPOKEN: Wire = {"type": "response.output_text.delta", "delta": "It is 1."}


def openai(*events: Wire) -> tuple[list[Event], ReplyEnded]:
    reading = responses_stream.Reading(family="openai-responses-local", output_kept=1_000)
    told = [event for wire in events for event in reading.take(wire)]
    assert reading.over
    return told, reading.ended(container=None)


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([SPOKEN, done(message("It is 1.")), completed(message("It is 1."))], id="as documented"),
        pytest.param([SPOKEN, completed(message("It is 1."))], id="no item but in the end"),
        pytest.param([SPOKEN, completed()], id="no item at all"),
        pytest.param([SPOKEN, completed(output=None)], id="null items"),
        pytest.param([completed(message("It is 1."))], id="nothing but the end"),
        pytest.param([SPOKEN, done(message("It is 1.", None)), completed(message("It is 1.", None))], id="no ids"),
        pytest.param([SPOKEN, done(message("It is 1.", "a")), completed(message("It is 1.", "b"))], id="ids of the moment"),
        pytest.param([SPOKEN, done(message("It is 1.")), done(message("It is 1.")), completed()], id="an item twice"),
        pytest.param([{"type": "response.next.year"}, SPOKEN, done(message("It is 1.")), completed()], id="an unknown event"),
        pytest.param([SPOKEN, done(message("It is 1.")), done({"type": "poem"}), completed()], id="an unknown item"),
    ],
)
def test_openais_text_is_whole_and_comes_once(events: list[Wire]) -> None:
    told, ended = openai(*events)
    assert said(told) == ended.text == "It is 1."


@pytest.mark.parametrize(
    "events",
    [
        pytest.param([done(function()), completed(function())], id="as documented"),
        pytest.param([done(function(None)), completed(function(None))], id="no ids"),
        pytest.param([done(function("a")), completed(function("b"))], id="ids of the moment"),
        pytest.param([done(function()), done(function()), completed()], id="twice"),
        pytest.param([done({**function(), "arguments": json.loads(CODE)}), completed()], id="arguments that are an object"),
        pytest.param([completed(function())], id="only in the end"),
        pytest.param(
            [done(function("a")), completed({"type": "reasoning", "id": "r"}, function("b"))], id="after what was not told"
        ),
    ],
)
def test_openais_call_comes_once(events: list[Wire]) -> None:
    _, ended = openai(*events)
    assert codes(ended) == ["print(1)"]


def test_two_calls_of_the_same_code_are_two() -> None:
    _, ended = openai(done(function("a", "c1")), done(function("b", "c2")), completed(function("a", "c1"), function("b", "c2")))
    assert codes(ended) == ["print(1)", "print(1)"]


def test_a_call_that_the_stream_left_out_is_taken_from_the_end() -> None:
    _, ended = openai(done(function("b", "c2")), completed(function("a", "c1"), function("b", "c2")))
    assert {call.id for call in ended.calls} == {"c1", "c2"}


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"status": "failed", "error": {"code": "server_error", "message": "no"}}, 500),
        ({"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "no"}}, 429),
        ({"error": {"code": "server_error", "message": "no"}}, 500),
    ],
)
def test_a_failed_reply_of_openai_is_an_error_with_its_status(facts: Wire, status: int) -> None:
    reading = responses_stream.Reading(family="openai-responses-local", output_kept=1_000)
    with pytest.raises(chat_errors.Fault) as raised:
        list(reading.take({"type": "response.failed", "response": facts}))
    assert raised.value.status == status


# Chat completions


def chat(*choices: Wire) -> ReplyEnded:
    reading = chat_stream.Reading()
    for choice in choices:
        list(reading.take({"choices": [choice]}))
    list(reading.end())
    return reading.ended()


@pytest.mark.parametrize(
    ("finish", "stop"), [("model_length", "length"), ("max_tokens", "length"), ("MAX_TOKENS", "length"), ("STOP", "end")]
)
def test_a_reply_that_was_cut_says_so_in_the_words_of_any_vendor(finish: str, stop: str) -> None:
    assert chat({"delta": {"content": "It"}}, {"delta": {}, "finish_reason": finish}).stop == stop


@pytest.mark.parametrize(
    ("choice", "status"),
    [
        ({"delta": {}, "finish_reason": "error"}, 500),
        ({"delta": {}, "finish_reason": "insufficient_system_resource"}, 500),
        ({"delta": {}, "finish_reason": "abort"}, 500),
        ({"delta": {}, "finish_reason": "error", "error": {"code": 429, "message": "no"}}, 429),
        ({"message": {"content": "It is"}, "finish_reason": None, "error": {"code": 502, "message": "no"}}, 502),
    ],
)
def test_a_reply_that_the_server_gave_up_is_no_answer(choice: Wire, status: int) -> None:
    with pytest.raises(chat_errors.Fault) as raised:
        chat({"delta": {"content": "It is"}}, choice)
    assert raised.value.status == status


CALLED = [{"index": 0, "id": "c1", "function": {"name": "python", "arguments": CODE}}]


@pytest.mark.parametrize(
    "choices",
    [
        pytest.param([{"delta": {"content": "So.", "tool_calls": CALLED}}], id="as documented"),
        pytest.param([{"delta": None, "message": {"content": "So.", "tool_calls": CALLED}}], id="in one piece"),
        pytest.param([{"message": {"content": "So."}}, {"message": {"tool_calls": CALLED}}], id="pieces of another name"),
        pytest.param(
            [
                {"delta": {"content": "So.", "tool_calls": CALLED}},
                {"delta": {}, "message": {"content": "So.", "tool_calls": CALLED}},
            ],
            id="the whole again at the end",
        ),
        pytest.param(
            [{"delta": {"content": "So.", "tool_calls": CALLED}, "message": {"content": "So.", "tool_calls": CALLED}}], id="both"
        ),
        pytest.param(
            [{"delta": {"content": "So.", "tool_calls": CALLED}}, {"delta": {"content": None, "tool_calls": None}}], id="null"
        ),
    ],
)
def test_a_chat_reply_is_whole_and_comes_once(choices: list[Wire]) -> None:
    ended = chat(*choices, {"delta": {}, "finish_reason": "tool_calls"})
    assert ended.text == "So."
    assert codes(ended) == ["print(1)"]


# Gemini and Mistral


def candidate(text: str = "", finish: str | None = None) -> Wire:
    content = {"content": {"parts": [{"text": text}]}} if text else {}
    return {"candidates": [{**content, "finishReason": finish}]}


def gemini(*chunks: Wire) -> tuple[gemini_stream.Reading, list[Event]]:
    reading = gemini_stream.Reading(family="gemini-native", output_kept=1_000)
    return reading, [event for chunk in chunks for event in reading.take(chunk)]


BARE: list[tuple[list[Wire], str, str]] = [
    ([candidate("So."), {"candidates": []}, candidate(finish="STOP")], "end", "So."),
    ([candidate("So.", finish="STOP"), {"usageMetadata": None}], "end", "So."),
    ([{"candidates": [{"content": {"parts": None}, "finishReason": "STOP"}]}], "end", ""),
    ([{"candidates": None, "promptFeedback": {"blockReason": "SAFETY"}}], "refusal", "the question was blocked: SAFETY"),
    ([candidate(finish="SAFETY")], "refusal", "the reply was stopped: SAFETY"),
    ([{"candidates": [{"finishReason": "SAFETY", "content": {}}]}], "refusal", "the reply was stopped: SAFETY"),
    ([{"candidates": [{"content": {"parts": [{"poem": {}}]}}]}, candidate("So.", finish="STOP")], "end", "So."),
]


@pytest.mark.parametrize(("chunks", "stop", "text"), BARE)
def test_geminis_chunks_that_lack_something(chunks: list[Wire], stop: str, text: str) -> None:
    reading, _ = gemini(*chunks)
    assert reading.over
    ended = reading.ended()
    assert (ended.stop, ended.text) == (stop, text)


def mistral(*events: Wire) -> list[Event]:
    reading = mistral_stream.Reading(output_kept=1_000)
    return [event for wire in events for event in reading.take(wire)]


def test_cells_of_mistral_without_ids_keep_to_their_own_code() -> None:
    def cell(code: str) -> list[Wire]:
        return [
            {"type": "tool.execution.started", "name": "code_interpreter", "arguments": ""},
            {"type": "tool.execution.delta", "name": "code_interpreter", "arguments": json.dumps({"code": code})},
            {"type": "tool.execution.done", "name": "code_interpreter", "info": None},
        ]

    events = mistral(*cell("a = 1"), *cell("b = 2"))
    assert [event.source for event in events if isinstance(event, CodeWritten)] == ["a = 1", "b = 2"]


@pytest.mark.parametrize(("code", "status"), [(429, 429), (3051, 500), (None, 500), ("no", 500)])
def test_an_error_of_mistral_has_a_status_of_http(code: object, status: int) -> None:
    with pytest.raises(plain_http.Fault) as raised:
        mistral({"type": "conversation.response.error", "message": "no", "code": code})
    assert raised.value.status == status


# Every family


HALVES_OF_CODE = ('{"code": "1 # \ud83d', "\ude00 \ud83d", ' x"}')
"""A character that a server cut in two, and half of one that never gets its other."""


@pytest.mark.parametrize(
    ("reading", "events"),
    [
        (
            anthropic_stream.Reading(family="anthropic-local", output_kept=1_000),
            [start(0, USE), *(delta(0, "input_json_delta", half) for half in HALVES_OF_CODE)],
        ),
        (
            chat_stream.Reading(),
            [{"choices": [{"delta": {"tool_calls": [{"index": 0, "function": {"arguments": half}}]}}]} for half in HALVES_OF_CODE],
        ),
        (
            responses_stream.Reading(family="openai-responses-local", output_kept=1_000),
            [{"type": "response.function_call_arguments.delta", "item_id": "f", "delta": half} for half in HALVES_OF_CODE],
        ),
    ],
    ids=["claude", "chat", "openai"],
)
def test_code_whose_characters_come_in_halves_is_shown(reading: Any, events: list[Wire]) -> None:
    told: list[Event] = [event for wire in events for event in reading.take(wire)]
    assert "".join(event.text for event in told if isinstance(event, CodeDelta)) == "1 # \U0001f600 \ufffd x"


@pytest.mark.parametrize(
    ("reading", "begun", "ended"),
    [
        (
            mistral_stream.Reading(output_kept=1_000),
            {"type": "tool.execution.started", "id": "a", "name": "code_interpreter"},
            {"type": "tool.execution.done", "id": "a", "name": "code_interpreter", "info": {"code": "1"}},
        ),
        (
            responses_stream.Reading(family="openai-responses-native", output_kept=1_000),
            {"type": "response.code_interpreter_call.interpreting", "item_id": "a"},
            done({"type": "code_interpreter_call", "id": "a", "code": "1", "status": "completed"}),
        ),
    ],
    ids=["mistral", "openai"],
)
def test_code_that_began_to_run_is_counted_before_its_end_is_told(reading: Any, begun: Wire, ended: Wire) -> None:
    list(reading.take(begun))
    assert reading.cells == 1
    list(reading.take(ended))
    assert reading.cells == 1
