"""Claude's own code execution: what is sent, and what comes of a streamed reply."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sandloop.events import (
    CodeDelta,
    CodeError,
    CodeRan,
    CodeWritten,
    FileMade,
    ReplyEnded,
    Retried,
    Text,
    Thinking,
    Usage,
)
from sandloop.prompts import NATIVE_RULES
from sandloop_providers.anthropic_wire import NATIVE
from wire.anthropic_script import (
    AGAIN,
    Block,
    Events,
    Failure,
    Json,
    Made,
    Reply,
    python,
    refused,
    result,
    text,
    thinking,
    use,
)
from wire.anthropic_server import AnthropicServer
from wire.anthropic_talk import Talk, only


async def test_the_request_names_the_newest_tool_the_rules_and_the_file_once(tmp_path: Path) -> None:
    with AnthropicServer([Reply([text("Done.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("What is the total?", a_csv=b"a\n1\n")
            await talk.reply()
            (uploaded,) = server.files

    (request,) = server.asked("POST", "/v1/messages")
    assert request.headers["anthropic-version"] == "2026-10-21"
    assert "anthropic-beta" not in request.headers
    (content,) = [m.pop("content") for m in request.json["messages"]]
    assert request.json == {
        "model": "claude-sonnet-5-5",
        "max_tokens": 16_000,
        "stream": True,
        "system": NATIVE_RULES,
        "tools": [{"type": "code_execution_20260521", "name": "code_execution"}],
        "messages": [{"role": "user"}],
    }
    assert content[0]["text"].endswith("Question: What is the total?")
    assert content[1:] == [{"type": "container_upload", "file_id": uploaded}]


async def test_a_reply_comes_as_events_in_the_order_it_happened(tmp_path: Path) -> None:
    source = 'print("é😀 \\"quoted\\"")\nx = 1'
    script = Reply([thinking("Let me think."), text("I will count."), *python(source, "é😀\n"), text("It is 1.")])
    with AnthropicServer([script]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("How many?")
            events = await talk.reply()

    kinds = list(dict.fromkeys(type(e) for e in events))
    assert kinds == [Thinking, Text, CodeDelta, CodeWritten, CodeRan, Usage, ReplyEnded]
    assert "".join(e.text for e in only(events, CodeDelta)) == source
    assert len(only(events, CodeDelta)) > 2
    (written,), (ran,) = only(events, CodeWritten), only(events, CodeRan)
    assert (written.language, written.source, written.origin) == ("python", source, "provider")
    assert (ran.code_id, ran.stdout, ran.exit_code, ran.ok) == (written.code_id, "é😀\n", 0, True)
    ended = only(events, ReplyEnded)[-1]
    assert (ended.stop, ended.text, ended.family) == ("end", "I will count.\n\nIt is 1.", NATIVE)
    assert ended.container in server.containers
    assert json.loads(ended.wire or "") == server.sent


async def test_several_calls_in_a_row_are_paired_by_id_with_results_in_any_order(tmp_path: Path) -> None:
    parts = [
        use("code_execution", {"code": "print('one')"}, "srvtoolu_A"),
        use("bash_code_execution", {"command": "echo two"}, "srvtoolu_B"),
        result("srvtoolu_B", "two\n", tool="bash_code_execution", made=[Made("two.txt")]),
        result("srvtoolu_A", "one\n"),
    ]
    with AnthropicServer([Reply(parts)]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Two things")
            events = await talk.reply()

    assert [(e.code_id, e.language, e.source) for e in only(events, CodeWritten)] == [
        ("srvtoolu_A", "python", "print('one')"),
        ("srvtoolu_B", "bash", "echo two"),
    ]
    assert {e.code_id: e.stdout for e in only(events, CodeRan)} == {"srvtoolu_A": "one\n", "srvtoolu_B": "two\n"}
    assert [(e.name, e.code_id) for e in only(events, FileMade)] == [("two.txt", "srvtoolu_B")]


async def test_failing_code_is_a_result_with_its_traceback(tmp_path: Path) -> None:
    trace = 'Traceback (most recent call last):\n  File "<stdin>", line 1, in <module>\nValueError: no\nsuch thing\n'
    with AnthropicServer([Reply(python("raise ValueError", "before\n", stderr="warned\n" + trace, code=1))]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Fail")
            (ran,) = only(await talk.reply(), CodeRan)

    assert ran.error == CodeError(name="ValueError", value="no\nsuch thing", traceback=trace)
    assert (ran.exit_code, ran.stdout, ran.stderr, ran.stopped_by, ran.ok) == (1, "before\n", "warned\n", "itself", False)


@pytest.mark.parametrize(
    ("code", "stopped_by", "state"),
    [
        ("execution_time_exceeded", "time", "unknown"),
        ("unavailable", "provider", "kept"),
        ("too_many_requests", "provider", "kept"),
        ("invalid_tool_input", "provider", "kept"),
        ("output_file_too_large", "provider", "kept"),
        ("container_expired", "provider", "lost"),
        ("a_code_of_next_year", "provider", "kept"),
    ],
)
async def test_every_error_code_is_a_step_that_was_stopped(code: str, stopped_by: str, state: str, tmp_path: Path) -> None:
    parts = [use("bash_code_execution", {"command": "x"}, "srvtoolu_A"), refused("srvtoolu_A", code, tool="bash_code_execution")]
    with AnthropicServer([Reply([*parts, text("It did not work.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Try")
            (ran,) = only(await talk.reply(), CodeRan)

    assert (ran.stopped_by, ran.state, ran.exit_code, ran.ok) == (stopped_by, state, None, False)
    assert ran.stderr.startswith(code + ": ")


async def test_file_edits_are_steps_one_can_read(tmp_path: Path) -> None:
    tool = "text_editor_code_execution"

    def edited(use_id: str, **content: object) -> Block:
        return Block({"type": f"{tool}_tool_result", "tool_use_id": use_id, "content": content})

    parts = [
        use(tool, {"command": "create", "path": "/tmp/a.py", "file_text": "x = 1\n"}, "srvtoolu_A"),
        edited("srvtoolu_A", type=f"{tool}_create_result", is_file_update=False),
        use(tool, {"command": "str_replace", "path": "/tmp/a.py", "old_str": "1", "new_str": "2"}, "srvtoolu_B"),
        edited("srvtoolu_B", type=f"{tool}_str_replace_result", lines=["-x = 1", "+x = 2"]),
        use(tool, {"command": "view", "path": "/tmp/a.py"}, "srvtoolu_C"),
        edited("srvtoolu_C", type=f"{tool}_view_result", file_type="text", content="x = 2\n"),
    ]
    with AnthropicServer([Reply(parts)]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Edit")
            events = await talk.reply()

    written = only(events, CodeWritten)
    assert [e.language for e in written] == ["text"] * 3
    assert written[0].source == "create /tmp/a.py\nx = 1\n"
    assert written[1].source == "replace in /tmp/a.py\n--- old\n1\n+++ new\n2"
    assert written[2].source == "view /tmp/a.py"
    assert [e.stdout for e in only(events, CodeRan)] == ["File created.", "-x = 1\n+x = 2", "x = 2\n"]
    assert "".join(e.text for e in only(events, CodeDelta)) == "x = 1\n2"


async def test_an_encrypted_result_says_so_and_goes_back_unchanged(tmp_path: Path) -> None:
    content: Json = {
        "type": "encrypted_code_execution_result",
        "encrypted_stdout": "AAA",
        "stderr": "",
        "return_code": 0,
        "content": [],
    }
    parts = [
        use("code_execution", {"code": "search()"}, "srvtoolu_A"),
        Block({"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_A", "content": content}),
    ]
    with AnthropicServer([Reply(parts), Reply([text("More.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Search")
            (ran,) = only(await talk.reply(), CodeRan)
            talk.ask("And then?")
            await talk.reply()

    assert ran.ok
    assert "encrypted" in ran.stdout
    assert server.replies_asked[1]["messages"][1]["content"] == server.sent[:2]


async def test_a_block_nobody_has_heard_of_goes_back_as_it_came(tmp_path: Path) -> None:
    strange = {"type": "hologram", "depth": [1, {"null": None}], "text": "x"}
    with AnthropicServer([Reply([Block(strange), text("Look.")]), Reply([text("Again.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Show")
            await talk.reply()
            talk.ask("Again")
            await talk.reply()

    assert server.replies_asked[1]["messages"][1]["content"][0] == strange


async def test_after_a_pause_the_reply_goes_back_unchanged_with_its_container_and_no_new_message(tmp_path: Path) -> None:
    first = Reply([thinking("Long."), text("Working."), use("code_execution", {"code": "slow()"}, "srvtoolu_A")], stop="pause_turn")
    second = Reply([result("srvtoolu_A", "42\n"), text("It is 42.")])
    with AnthropicServer([first, second]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Compute", a_csv=b"1\n")
            paused = only(await talk.reply(), ReplyEnded)[-1]
            rest = await talk.reply()

    assert paused.stop == "pause"
    before, after = server.replies_asked
    assert after["messages"] == [*before["messages"], {"role": "assistant", "content": server.sent[:3]}]
    assert after["container"] == paused.container
    assert after["tools"] == before["tools"]
    assert [(e.code_id, e.stdout) for e in only(rest, CodeRan)] == [("srvtoolu_A", "42\n")]
    assert len(server.asked("POST", "/v1/files")) == 1


async def test_the_container_is_kept_over_questions_and_when_a_reply_leaves_it_out(tmp_path: Path) -> None:
    script = [
        Reply(python("x = 1")),
        Reply([text("Nothing ran.")], names_container=False),
        Reply(python("print(x)", "1\n")),
    ]
    with AnthropicServer(script) as server:
        async with Talk(server, tmp_path) as talk:
            for question in ("One", "Two", "Three"):
                talk.ask(question)
                await talk.reply()

    named = [body.get("container") for body in server.replies_asked]
    assert named[0] is None
    assert named[1] == named[2] in server.containers


@pytest.mark.parametrize(
    ("wire", "stop"),
    [
        ("end_turn", "end"),
        ("stop_sequence", "end"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("pause_turn", "pause"),
        ("a_reason_of_next_year", "end"),
    ],
)
async def test_every_stop_reason_has_its_meaning(wire: str, stop: str, tmp_path: Path) -> None:
    with AnthropicServer([Reply([text("So.")], stop=wire)]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Well?")
            assert only(await talk.reply(), ReplyEnded)[-1].stop == stop


async def test_a_refusal_says_why(tmp_path: Path) -> None:
    details = {"type": "refusal", "category": "cyber", "explanation": "This could do harm."}
    with AnthropicServer([Reply([], stop="refusal", details=details)]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Attack")
            ended = only(await talk.reply(), ReplyEnded)[-1]

    assert (ended.stop, ended.text) == ("refusal", "cyber: This could do harm.")


async def test_code_that_was_cut_off_is_not_taken_for_code_and_does_not_spoil_the_next_request(tmp_path: Path) -> None:
    cut: Json = {"type": "server_tool_use", "id": "srvtoolu_A", "name": "code_execution", "input": {}}
    half: list[Json] = [
        {"type": "message_start", "message": {"model": "claude-sonnet-5-5", "usage": {"input_tokens": 1, "output_tokens": 1}}},
        {"type": "content_block_start", "index": 0, "content_block": cut},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": '{"code": "pri'}},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 9}},
        {"type": "message_stop"},
    ]
    with AnthropicServer([Events(half), Reply([text("Shorter.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Write much")
            events = await talk.reply()
            talk.ask("Shorter")
            await talk.reply()

    assert [type(e) for e in events] == [CodeDelta, Usage, ReplyEnded]
    assert only(events, ReplyEnded)[-1].stop == "length"
    assert server.replies_asked[1]["messages"][1]["content"] == [{"type": "text", "text": "(cut off)"}]


async def test_tokens_are_counted_by_kind_and_priced(tmp_path: Path) -> None:
    usage = {
        "input_tokens": 100,
        "cache_read_input_tokens": 30,
        "cache_creation_input_tokens": 20,
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 15},
        "service_tier": "standard",
    }
    with AnthropicServer([Reply([text("So.")], usage=usage), Reply([text("Fast.")], usage=usage | {"speed": "fast"})]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Count")
            (counted,) = only(await talk.reply(), Usage)
            talk.ask("Fast")
            (fast,) = only(await talk.reply(), Usage)

    assert (counted.input_tokens, counted.output_tokens) == (150, 50)
    assert (counted.cached_tokens, counted.cache_write_tokens, counted.reasoning_tokens) == (30, 20, 15)
    assert counted.cost is not None
    assert 0 < counted.cost < 0.01
    assert fast.cost is None


async def test_a_request_the_sdk_had_to_repeat_is_told(tmp_path: Path) -> None:
    with AnthropicServer([Failure(500, headers=AGAIN), Reply([text("At last.")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Well?")
            events = await talk.reply()

    (retried,) = only(events, Retried)
    assert "once more" in retried.reason
    assert "may have run" in retried.reason
