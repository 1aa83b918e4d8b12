"""What single servers do differently, each over loopback: what it becomes here, and what goes back to it."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from sandloop.events import CodeRan, CodeWritten, Event, ReplyEnded, Retried, Text, Thinking, Usage
from sandloop_providers import catalog
from wire.chat_server import VLLM_NO_TOOLS, ChatServer, error, say, stream
from wire.test_chat import ASKED, opened, replied

JINJA = "tools param requires --jinja flag"
CALL: dict[str, Any] = {
    "index": 0,
    "id": "call_a",
    "type": "function",
    "function": {"name": "python", "arguments": '{"code": "1"}'},
}


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between the SDK's own attempts."""
    for name in ("INITIAL_RETRY_DELAY", "MAX_RETRY_DELAY"):
        monkeypatch.setattr(f"openai._base_client.{name}", 0.01)


async def twice(vendor: catalog.Vendor, *deltas: dict[str, Any]) -> tuple[list[Event], dict[str, Any]]:
    """The events of a reply with a call, and that reply as it goes back with the call's result."""
    with ChatServer([stream(*deltas, finish="tool_calls"), say("It is 1.")]) as server:
        chat = opened(server, vendor)
        events = await replied(chat)
        ended = events[-1]
        assert isinstance(ended, ReplyEnded)
        ran: list[Event] = [
            CodeWritten(code_id="c1", language="python", source="1", origin="tool_call", call_id=ended.calls[0].id),
            CodeRan(code_id="c1", exit_code=0, stdout="1\n"),
        ]
        await replied(chat, [ASKED, *events, *ran])
        await chat.close()
        messages = server.requests[1].json["messages"]
    assert messages[-1]["role"] == "tool"
    back: dict[str, Any] = next(m for m in messages if m["role"] == "assistant")
    assert messages[-1]["tool_call_id"] == back["tool_calls"][0]["id"]
    return events, back


@pytest.mark.parametrize(
    ("vendor", "deltas", "thought", "extra"),
    [
        ("deepseek", [{"reasoning_content": "hm"}, {"tool_calls": [CALL]}], "hm", {"reasoning_content": "hm"}),
        ("deepseek", [{"reasoning_content": ""}, {"tool_calls": [CALL]}], "", {"reasoning_content": ""}),
        ("deepseek", [{"tool_calls": [CALL]}], "", {"reasoning_content": ""}),
        ("vllm", [{"reasoning": "hm"}, {"tool_calls": [CALL]}], "hm", {}),
        ("ollama", [{"reasoning": "hm", "content": ""}, {"tool_calls": [CALL]}], "hm", {}),
        ("groq", [{"reasoning": "hm"}, {"tool_calls": [CALL]}], "hm", {}),
        ("llamacpp", [{"reasoning_content": "hm"}, {"tool_calls": [CALL]}], "hm", {}),
        # gpt-oss templates fail on content beside reasoning: no reasoning goes back
        ("llamacpp", [{"reasoning_content": "hm", "content": "Look."}, {"tool_calls": [CALL]}], "hm", {}),
        ("huggingface", [{"content": "<think>hm</think>"}, {"tool_calls": [CALL]}], "hm", {}),
        (
            "mistral",
            [{"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]}, {"tool_calls": [CALL]}],
            "hm",
            {},
        ),
        (
            "openrouter",
            [
                {"reasoning": "hm", "reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s"}]},
                {"tool_calls": [CALL]},
            ],
            "hm",
            {"reasoning_details": [{"type": "reasoning.text", "text": "hm", "signature": "s"}]},
        ),
    ],
)
async def test_reasoning_goes_back_only_where_it_must(
    vendor: str, deltas: list[dict[str, Any]], thought: str, extra: dict[str, Any]
) -> None:
    events, back = await twice(getattr(catalog, vendor), *deltas)
    assert "".join(e.text for e in events if isinstance(e, Thinking)) == thought
    assert {k: v for k, v in back.items() if k not in ("role", "content", "tool_calls")} == extra
    assert isinstance(back["content"], str)
    assert "think" not in back["content"]


@pytest.mark.parametrize(
    ("vendor", "status", "message"),
    [
        ("llamacpp", 500, JINJA),
        ("vllm", 400, VLLM_NO_TOOLS),
        ("ollama", 400, "registry.ollama.ai/library/gemma:2b does not support tools"),
        ("openrouter", 404, "No endpoints found that support tool use"),
    ],
)
async def test_a_server_that_takes_no_tools_is_asked_for_fenced_blocks(vendor: str, status: int, message: str) -> None:
    written = "```python\nprint(1)\n```"
    refusals = [error(status, message)] * (3 if status == 500 else 1)  # the SDK itself tries a 500 three times
    with ChatServer([*refusals, say(written)]) as server:
        chat = opened(server, getattr(catalog, vendor))
        events = await replied(chat)
        await chat.close()
        assert "tools" not in server.requests[-1].json
    assert [e.reason for e in events if isinstance(e, Retried)] != []
    assert "fenced code blocks" in next(e.reason for e in events if isinstance(e, Retried))
    assert "".join(e.text for e in events if isinstance(e, Text)) == written


@pytest.mark.parametrize("call_id", [None, ""])
async def test_a_call_without_an_id_gets_one_of_the_form_that_mistral_takes(call_id: str | None) -> None:
    _, back = await twice(catalog.mistral, {"tool_calls": [{**CALL, "id": call_id}]})
    assert re.fullmatch(r"[A-Za-z0-9]{9}", back["tool_calls"][0]["id"])


async def test_mistrals_own_ids_go_back_as_they_came() -> None:
    _, back = await twice(catalog.mistral, {"tool_calls": [{**CALL, "id": "bAyGEuxg1"}]})
    assert back["tool_calls"][0]["id"] == "bAyGEuxg1"


async def test_arguments_that_are_an_object_go_back_as_text() -> None:
    function = {"name": "python", "arguments": {"code": "1"}}
    _, back = await twice(catalog.ollama, {"tool_calls": [{**CALL, "function": function}]})
    assert json.loads(back["tool_calls"][0]["function"]["arguments"]) == {"code": "1"}


def _piece(call_id: str | None, text: str, index: int | None = None, name: str | None = None) -> dict[str, Any]:
    told = {"index": index, "id": call_id, "function": {"name": name, "arguments": text}}
    return {"tool_calls": [{key: value for key, value in told.items() if value is not None}]}


@pytest.mark.parametrize(
    "deltas",
    [
        pytest.param(
            [
                _piece("a", '{"co', None, "python"),
                _piece("b", '{"code"', None, "python"),
                _piece("a", 'de":"1"}'),
                _piece("b", ':"2"}'),
            ],
            id="by id alone, in turns",
        ),
        pytest.param(
            [
                _piece("a", "", 0, "python"),
                _piece(None, '{"code":"1"}', 0),
                _piece("b", "", 0, "python"),
                _piece(None, '{"code":"2"}', 0),
            ],
            id="all with the index 0",
        ),
    ],
)
async def test_the_pieces_of_two_calls_come_together(deltas: list[dict[str, Any]]) -> None:
    with ChatServer([stream(*deltas, finish="tool_calls")]) as server:
        chat = opened(server, catalog.compatible)
        ended = (await replied(chat))[-1]
        await chat.close()
    assert isinstance(ended, ReplyEnded)
    assert [(call.id, json.loads(call.arguments)) for call in ended.calls] == [("a", {"code": "1"}), ("b", {"code": "2"})]


@pytest.mark.parametrize("count", ["5", -5, None, [5], True])
async def test_a_count_of_tokens_that_is_none_is_unknown_and_not_0(count: object) -> None:
    with ChatServer([say("It is 1.", usage={"prompt_tokens": count, "completion_tokens": count})]) as server:
        chat = opened(server, catalog.compatible)
        events = await replied(chat)
        await chat.close()
    assert not any(isinstance(event, Usage) for event in events)
