"""Chat completions without a server: what is sent, what is read, what is left out after a refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandloop.conversation import Asked, CallResult, Message, Ran, Said
from sandloop.events import CodeDelta, Event, FileMade, ReplyEnded, Text, Thinking, ToolCall
from sandloop_providers.catalog import ollama_host
from sandloop_providers.chat import checked, reported_cost
from sandloop_providers.chat_errors import Fault, fault_from_body
from sandloop_providers.chat_shape import Shape, narrowed
from sandloop_providers.chat_stream import Reading
from sandloop_providers.chat_wire import FAMILY, assistant_message, code_of, to_wire
from sandloop_providers.thoughts import ThoughtSplitter

CODE = json.dumps({"code": "print(1)"})
CALL = ToolCall(id="a", name="python", arguments=CODE)
PICTURE = FileMade(name="chart.png", size=10, mime="image/png", sha256="f" * 64)


def said(text: str = "", *calls: ToolCall, **extra: Any) -> Said:
    wire = json.dumps(assistant_message(text, calls, extra))
    return Said(text=text, narrated=text, calls=calls, family=FAMILY, wire=wire)


def read(*deltas: dict[str, Any], finish: str | None = "stop", **options: Any) -> tuple[list[Event], ReplyEnded]:
    reading = Reading(**options)
    events = [e for d in deltas for e in reading.take({"choices": [{"delta": d}]})]
    last: dict[str, Any] = {"choices": [{"delta": {}, "finish_reason": finish}]}
    events += list(reading.take(last))
    events += list(reading.end())
    return events, reading.ended()


def text_of(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, Text))


def thought_in(events: list[Event]) -> str:
    return "".join(e.text for e in events if isinstance(e, Thinking))


def call_piece(index: int | None = 0, call_id: str | None = None, name: str | None = None, arguments: Any = None) -> dict[str, Any]:
    piece: dict[str, Any] = {"function": {"name": name, "arguments": arguments}}
    piece |= {} if index is None else {"index": index}
    return {"tool_calls": [piece | ({} if call_id is None else {"id": call_id})]}


# What is sent


def test_a_call_goes_back_word_for_word_and_its_result_follows_as_a_tool_message() -> None:
    wire = to_wire([Asked(text="q"), said("look", CALL), Ran(results=(CallResult(call_id="a", text="1"),))], tools=True)
    assert wire[1:] == [
        {"role": "user", "content": "q"},
        {
            "role": "assistant",
            "content": "look",
            "tool_calls": [{"id": "a", "type": "function", "function": {"name": "python", "arguments": CODE}}],
        },
        {"role": "tool", "tool_call_id": "a", "content": "1"},
    ]
    assert "Call the tool `python`" in wire[0]["content"]


def test_without_tools_calls_become_fenced_blocks_and_results_become_text() -> None:
    wire = to_wire([Asked(text="q"), said("look", CALL), Ran(results=(CallResult(call_id="a", text="1"),))], tools=False)
    assert wire[1:] == [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": "look\n\n```python\nprint(1)\n```"},
        {"role": "user", "content": "1"},
    ]
    assert "starts with ```python" in wire[0]["content"]


def test_the_result_of_a_fenced_block_goes_back_as_text_also_when_tools_are_offered() -> None:
    wire = to_wire([Asked(text="q"), said("```python\n1\n```"), Ran(results=(CallResult(call_id=None, text="1"),))], tools=True)
    assert wire[-1] == {"role": "user", "content": "1"}


def test_a_reply_of_another_family_goes_as_text_and_its_results_too() -> None:
    other = Said(text="x", narrated="x\n\n```python\nprint(1)\n```", calls=(CALL,), family="anthropic-local", wire="[]")
    wire = to_wire([Asked(text="q"), other, Ran(results=(CallResult(call_id="a", text="1"),))], tools=True)
    assert [m["role"] for m in wire[1:]] == ["user", "assistant", "user"]
    assert "```python\nprint(1)\n```" in wire[2]["content"]


def test_the_users_messages_never_stand_two_in_a_row_and_empty_replies_are_left_out() -> None:
    messages: list[Message] = [Asked(text="q"), said(""), Asked(text="again")]
    assert to_wire(messages, tools=True)[1:] == [{"role": "user", "content": "q\n\nagain"}]


def test_a_server_without_system_messages_gets_the_rules_in_the_first_question() -> None:
    wire = to_wire([Asked(text="q")], tools=False, system_role=False)
    assert [m["role"] for m in wire] == ["user"]
    assert wire[0]["content"].endswith("\n\nq")


def test_tool_messages_stand_before_the_pictures_that_follow_them() -> None:
    ran = Ran(results=(CallResult(call_id="a", text="1", pictures=(PICTURE,)), CallResult(call_id="b", text="2")))
    both = said("", CALL, ToolCall(id="b", name="python", arguments=CODE))
    wire = to_wire([Asked(text="q"), both, ran], tools=True, pictures={PICTURE.sha256: "data:image/png;base64,AA=="})
    assert [m["role"] for m in wire[3:]] == ["tool", "tool", "user"]
    assert wire[-1]["content"][1] == {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}


def test_pictures_that_are_not_shown_leave_no_trace_on_the_wire() -> None:
    ran = Ran(results=(CallResult(call_id="a", text="1", pictures=(PICTURE,)),))
    assert [m["role"] for m in to_wire([Asked(text="q"), said("", CALL), ran], tools=True)[3:]] == ["tool"]


@pytest.mark.parametrize("arguments", ["print(1)", '{"code": "print(1)', "[1]", ""])
def test_arguments_that_are_no_json_object_go_back_as_one(arguments: str) -> None:
    message = assistant_message("", [ToolCall(id="a", name="python", arguments=arguments)], {})
    assert isinstance(json.loads(message["tool_calls"][0]["function"]["arguments"])["code"], str)


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (CODE, "print(1)"),
        ('{"code": "pri', "pri"),
        ('{"code": "a\\', "a"),
        ('{"co', None),
        ("print(1)", None),
        ('{"code": 1}', None),
    ],
)
def test_code_is_read_from_arguments_as_far_as_they_have_come(arguments: str, code: str | None) -> None:
    assert code_of(arguments) == code


# What is read


def test_a_call_in_pieces_keyed_by_index_is_joined_and_its_code_streams() -> None:
    pieces = [call_piece(0, "a", "python", "")] + [call_piece(0, None, "", p) for p in ('{"co', 'de": "pri', "nt(1)", '"}')]
    events, ended = read(*pieces, finish="tool_calls")
    assert ended.calls == (CALL,)
    assert "".join(e.text for e in events if isinstance(e, CodeDelta)) == "print(1)"


def test_two_calls_whose_pieces_are_mixed_stay_apart() -> None:
    _, ended = read(
        call_piece(0, "a", "python", '{"code": "1'),
        call_piece(1, "b", "bash", '{"code": "2'),
        call_piece(0, None, None, '"}'),
        call_piece(1, None, None, '"}'),
    )
    assert [(c.id, c.name, code_of(c.arguments)) for c in ended.calls] == [("a", "python", "1"), ("b", "bash", "2")]


def test_two_whole_calls_with_the_same_index_and_two_ids_are_two_calls() -> None:
    _, ended = read(call_piece(0, "a", "python", CODE), call_piece(0, "b", "python", CODE))
    assert [c.id for c in ended.calls] == ["a", "b"]


def test_whole_calls_without_an_index_are_told_apart() -> None:
    _, ended = read(call_piece(None, "a", "python", CODE), call_piece(None, "b", "bash", CODE))
    assert [(c.id, c.name) for c in ended.calls] == [("a", "python"), ("b", "bash")]


def test_a_repeated_name_is_not_doubled() -> None:
    _, ended = read(call_piece(0, "a", "python", '{"code": '), call_piece(0, "a", "python", '"print(1)"}'))
    assert ended.calls == (CALL,)


def test_a_call_without_an_id_gets_one_that_mistral_takes_too() -> None:
    _, ended = read(call_piece(0, None, "python", CODE))
    assert ended.wire is not None
    assert len(ended.calls[0].id) == 9
    assert ended.calls[0].id.isalnum()
    assert json.loads(ended.wire)["tool_calls"][0]["id"] == ended.calls[0].id


def test_arguments_that_are_an_object_become_text() -> None:
    _, ended = read(call_piece(0, "a", "python", {"code": "print(1)"}))
    assert ended.calls == (CALL,)


@pytest.mark.parametrize("finish", ["stop", "length", "content_filter", "whatever"])
def test_a_reply_with_whole_calls_is_a_turn_of_tools_whatever_the_finish_reason(finish: str) -> None:
    assert read(call_piece(0, "a", "python", CODE), finish=finish)[1].stop == "end"


def test_a_call_that_the_length_limit_cut_says_so() -> None:
    assert read(call_piece(0, "a", "python", CODE[:-4]), finish="length")[1].stop == "length"


@pytest.mark.parametrize(
    ("delta", "finish", "stop"),
    [
        ({"content": "x"}, "stop", "end"),
        ({"content": "x"}, "length", "length"),
        ({"content": "x"}, "content_filter", "refusal"),
        ({"refusal": "no"}, "stop", "refusal"),
    ],
)
def test_the_finish_reason_becomes_the_stop(delta: dict[str, Any], finish: str, stop: str) -> None:
    assert read(delta, finish=finish)[1].stop == stop


@pytest.mark.parametrize(
    "delta",
    [
        {"reasoning_content": "hm", "content": "x"},
        {"reasoning": "hm", "content": "x"},
        {"reasoning_details": [{"type": "reasoning.text", "text": "hm"}], "content": "x"},
        {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm"}], "content": "x"},
        {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "x"}]},
        {"content": "<think>hm</think>x"},
        {"content": "\n<think>hm</think>\n\nx"},
    ],
)
def test_reasoning_is_thinking_once_and_never_text(delta: dict[str, Any]) -> None:
    events, ended = read(delta)
    assert (thought_in(events), text_of(events), ended.text) == ("hm", "x", "x")


def test_a_tag_split_anywhere_is_still_a_tag() -> None:
    whole = "<think>a < b</think>c </x> d"
    for cut in range(len(whole) + 1):
        events, ended = read({"content": whole[:cut]}, {"content": whole[cut:]})
        assert (thought_in(events), text_of(events), ended.text) == ("a < b", "c </x> d", "c </x> d"), cut


def test_an_unclosed_thought_is_no_text() -> None:
    events, ended = read({"content": "<think>hm, hm</th"}, finish="length")
    assert (thought_in(events), ended.text, ended.stop) == ("hm, hm</th", "", "length")


def test_a_bare_closing_tag_takes_what_stood_before_it_out_of_the_text() -> None:
    reading = Reading()
    for piece in ("so ```python\nwrong\n```", " </thi", "nk>\n\nThe answer."):
        list(reading.take({"choices": [{"delta": {"content": piece}}]}))
    assert reading.ended().text == "The answer."
    assert reading.content.closed_unopened


def test_after_that_a_reply_is_taken_to_begin_inside_a_thought() -> None:
    events, ended = read({"content": "hm </think>x"}, begins_inside=True)
    assert (thought_in(events), text_of(events), ended.text) == ("hm ", "x", "x")


def test_a_reply_that_was_taken_to_begin_inside_a_thought_and_holds_no_tag_is_text_after_all() -> None:
    assert read({"content": "The answer."}, begins_inside=True)[1].text == "The answer."


def test_a_tag_in_the_text_is_text_where_the_server_parts_the_reasoning_itself() -> None:
    assert read({"reasoning": "hm"}, {"content": "write </think> so"})[1].text == "write </think> so"


def test_deepseeks_reasoning_goes_back_with_calls_even_when_it_is_empty() -> None:
    for deltas, reasoning in (([], ""), ([{"reasoning_content": "hm"}], "hm")):
        _, ended = read(*deltas, call_piece(0, "a", "python", CODE), sends_back=("reasoning_content",))
        assert json.loads(ended.wire or "")["reasoning_content"] == reasoning
    assert "reasoning_content" not in json.loads(read({"content": "x"}, sends_back=("reasoning_content",))[1].wire or "")


def test_openrouters_details_go_back_joined_as_a_whole_answer_would_hold_them() -> None:
    pieces = [
        {"type": "reasoning.text", "text": "h", "index": 0, "signature": None},
        {"type": "reasoning.text", "text": "m", "index": 0, "signature": "s"},
        {"type": "reasoning.encrypted", "data": "e", "index": 1},
    ]
    deltas = [{"reasoning_details": [p]} for p in pieces]
    _, ended = read(*deltas, call_piece(0, "a", "python", CODE), sends_back=("reasoning_details",))
    assert json.loads(ended.wire or "")["reasoning_details"] == [
        {"type": "reasoning.text", "text": "hm", "index": 0, "signature": "s"},
        {"type": "reasoning.encrypted", "data": "e", "index": 1},
    ]


def test_reasoning_goes_back_to_nobody_else() -> None:
    _, ended = read({"reasoning": "hm", "reasoning_content": "hm"}, call_piece(0, "a", "python", CODE))
    assert set(json.loads(ended.wire or "")) == {"role", "content", "tool_calls"}


@pytest.mark.parametrize(
    "chunk",
    [
        {},
        {"choices": None},
        {"choices": []},
        {"choices": [None]},
        {"choices": [{"delta": None}]},
        {"choices": [{"delta": {"tool_calls": [1]}}]},
    ],
)
def test_odd_chunks_are_passed_over(chunk: dict[str, Any]) -> None:
    assert not list(Reading().take(chunk))


@pytest.mark.parametrize("chunk", [[], "x", 1, None])
def test_what_is_no_chunk_is_a_fault(chunk: object) -> None:
    with pytest.raises(Fault):
        list(Reading().take(chunk))


def test_tokens_are_read_wherever_the_vendor_puts_them_and_a_missing_count_is_no_usage() -> None:
    reading = Reading()
    assert reading.usage() is None
    list(reading.take({"usage": {"prompt_tokens": 9, "completion_tokens": True, "prompt_cache_hit_tokens": 4}}))
    usage = reading.usage()
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.cost) == (9, 0, 4, None)


# What is left out after a refusal


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (400, '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'),
        (500, "tools param requires --jinja flag"),
        (404, "No endpoints found that support tool use. To learn more about provider routing, visit: https://openrouter.ai/docs"),
        (400, "registry.ollama.ai/library/gemma:2b does not support tools"),
        (400, "`tools` is not supported with this model"),
        (400, "Function calling is not supported for this model"),
        (422, '[{"type": "extra_forbidden", "loc": ["body", "tools"], "msg": "Extra inputs are not permitted"}]'),
        (400, "Unrecognized request argument supplied: tools"),
    ],
)
def test_servers_that_take_no_tools_are_understood(status: int, message: str) -> None:
    less = narrowed(Shape(), status, message)
    assert less is not None
    assert less[0] == Shape(tools=False)


@pytest.mark.parametrize(
    ("status", "message", "shape"),
    [
        (400, "Unrecognized request argument supplied: stream_options", Shape(asks_usage=False)),
        (400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead.", Shape(bound="max_completion_tokens")),
        (400, "This model's maximum context length is 4096 tokens. However, you requested 16100 tokens.", Shape(bound=None)),
        (400, "System role not supported", Shape(system_role=False)),
    ],
)
def test_other_refusals_leave_out_what_they_name(status: int, message: str, shape: Shape) -> None:
    less = narrowed(Shape(), status, message)
    assert less is not None
    assert less[0] == shape


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, "tools not supported"),
        (429, "tools not supported"),
        (400, "the model is sleeping"),
        (400, "An assistant message with 'tool_calls' must be followed by messages responding to each 'tool_call_id', unexpected"),
        (400, "The reasoning_content in the thinking mode must be passed back with tool calls, otherwise not supported"),
    ],
)
def test_other_errors_leave_out_nothing(status: int, message: str) -> None:
    assert narrowed(Shape(), status, message) is None


def test_each_part_is_left_out_once_so_that_asking_again_ends() -> None:
    everything = "tools not supported, stream_options not supported, max_tokens, max_completion_tokens, system role not supported"
    shape, times = Shape(), 0
    while (less := narrowed(shape, 400, everything)) is not None:
        shape, times = less[0], times + 1
    assert times == 5


# Facts


def test_a_failed_generation_is_kept_and_an_error_in_a_stream_may_bring_its_status() -> None:
    fault = fault_from_body({"code": "tool_use_failed", "failed_generation": "text", "message": "m"}, status=400)
    assert (fault.generated, fault.status) == ("text", 400)
    assert fault_from_body({"code": 502, "message": "m", "metadata": {"raw": "why"}}, status=None).said == "m: why"
    assert fault_from_body({"code": 502, "message": "m"}, status=None).status == 502
    assert fault_from_body({"code": "x"}, status=None).status is None


@pytest.mark.parametrize(
    ("usage", "cost"),
    [
        ({"cost": 0.5}, 0.5),
        ({"cost": 0}, 0.0),
        ({}, None),
        ({"cost": "1"}, None),
        ({"cost": float("nan")}, None),
        ({"cost": 0.1, "is_byok": True, "cost_details": {"upstream_inference_cost": 0.5}}, 0.6),
        ({"cost": 0.1, "is_byok": True, "cost_details": {"upstream_inference_cost": None}}, None),
    ],
)
def test_the_reported_cost_is_taken_and_never_guessed(usage: dict[str, Any], cost: float | None) -> None:
    assert reported_cost(usage) == (None if cost is None else pytest.approx(cost))


@pytest.mark.parametrize(
    ("value", "address"),
    [
        ("0.0.0.0", "http://127.0.0.1:11434/v1"),
        ("gpu:1234", "http://gpu:1234/v1"),
        ("http://gpu", "http://gpu:80/v1"),
        ("https://ollama.com", "https://ollama.com:443/v1"),
        ("https://ollama.com/v1/", "https://ollama.com:443/v1"),
        ("[::1]:99", "http://[::1]:99/v1"),
        (":99", "http://127.0.0.1:99/v1"),
    ],
)
def test_ollama_host_is_read_as_ollamas_own_client_reads_it(value: str, address: str) -> None:
    assert ollama_host(value) == address


def test_parameters_go_into_the_body_with_those_of_extra_body() -> None:
    assert checked({"temperature": 0, "tools": False, "extra_body": {"top_k": 1}}) == {"temperature": 0, "top_k": 1}


def test_a_splitter_holds_back_no_more_than_a_tag() -> None:
    splitter = ThoughtSplitter()
    given = "".join(e.text for piece in "a <b> </c> d" for e in splitter.feed(piece))
    assert given == "a <b> </c> d"
