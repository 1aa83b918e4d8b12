"""Recorded traffic of real servers, replayed from loopback through the SDK. Skipped where the recordings are not."""

from __future__ import annotations

import gzip
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandloop.errors import KeyRefused
from sandloop.events import Event, Noted, ReplyEnded, RunStarted, Text, Thinking, Usage
from sandloop.limits import Limits
from sandloop.ports import ModelChoice, Turn
from sandloop_providers import catalog
from wire.chat_server import ChatServer, Scripted
from wire.test_chat import Sink

CASSETTES = Path(__file__).parents[3] / "shared/cassettes"
pytestmark = pytest.mark.skipif(not CASSETTES.is_dir(), reason=f"no recordings in {CASSETTES}")
ASKED = RunStarted(id="1", question="q", model="m")


def answers(path: str) -> list[Scripted]:
    """The answers of a recording, in order."""
    file = CASSETTES / path
    if file.suffix == ".json":
        return [Scripted(body=json.loads(file.read_text("utf-8")))]
    recorded: dict[str, Any] = yaml.safe_load(file.read_text("utf-8"))
    responses = [i["response"] for i in recorded.get("interactions") or recorded["http_interactions"]]
    return [_answer(r["status"]["code"], r.get("parsed_body") or r["body"]["string"]) for r in responses]


def _answer(status: int, body: Any) -> Scripted:
    if isinstance(body, bytes):
        body = (gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body).decode()
    if isinstance(body, str) and body.lstrip().startswith(":"):
        return Scripted(chunks=[line.removeprefix("data: ") for line in body.splitlines() if line.startswith("data: ")])
    return Scripted(status=status, body=json.loads(body) if isinstance(body, str) else body)


async def replies(path: str, vendor: catalog.Vendor) -> list[list[Event]]:
    """What each recorded answer becomes."""
    script = answers(path)
    given: list[list[Event]] = []
    with ChatServer(script) as server:
        chat = vendor(ModelChoice(provider=vendor.name, model="m", base_url=server.url, key="sk-of-the-test"))
        try:
            for _ in list(script):
                turn = Turn(native=False, files=(), sink=Sink(Path("none")), limits=Limits())
                async with aclosing(chat.reply([ASKED], turn)) as events:
                    given.append([e async for e in events])
        finally:
            await chat.close()
    return given


def ended(events: list[Event]) -> ReplyEnded:
    last = events[-1]
    assert isinstance(last, ReplyEnded)
    assert sum(isinstance(e, ReplyEnded) for e in events) == 1
    assert sum(isinstance(e, Usage) for e in events) <= 1
    return last


@pytest.mark.parametrize(
    ("path", "vendor", "calls"),
    [
        ("deepseek/pydantic-ai/test_deepseek_deferred_capability_with_thinking.yaml", catalog.deepseek, [1, 2, 0]),
        (
            "deepseek/ruby_llm/chat_function_calling_deepseek_deepseek-chat_can_use_parallel_tool_calls.yml",
            catalog.deepseek,
            [2, 0],
        ),
        ("gpustack-llamacpp/ruby_llm/chat_function_calling_gpustack_qwen3_can_use_tools.yml", catalog.llamacpp, [1, 0]),
        ("groq/pydantic-ai/test_tool_use_failed_error.yaml", catalog.groq, [0, 1, 0]),
        ("huggingface/pydantic-ai/test_hf_model_thinking_part.yaml", catalog.compatible, [0, 0]),
        ("mistral/ruby_llm/chat_function_calling_mistral_mistral-small-latest_can_use_tools.yml", catalog.mistral, [1, 0]),
        ("mistral/vercel-ai/mistral-tool-call.json", catalog.mistral, [1]),
        ("mistral/vercel-ai/mistral-reasoning.json", catalog.mistral, [0]),
        ("ollama/pydantic-ai/test_ollama_cloud_tool_output.yaml", catalog.ollama, [0, 1]),
        ("ollama/ruby_llm/chat_function_calling_ollama_qwen3_can_use_tools.yml", catalog.ollama, [1, 0]),
        ("openrouter/pydantic-ai/test_openrouter_tool_calling.yaml", catalog.openrouter, [1]),
        ("openrouter/pydantic-ai/test_openrouter_usage.yaml", catalog.openrouter, [0, 0]),
    ],
)
async def test_every_recorded_answer_is_read(path: str, vendor: catalog.Vendor, calls: list[int]) -> None:
    given = await replies(path, vendor)
    assert [len(ended(events).calls) for events in given] == calls
    for events in given:
        last = ended(events)
        assert last.text or last.calls
        assert "<think>" not in last.text
        assert json.loads(last.wire or "")["role"] == "assistant"
        assert all(c.id and json.loads(c.arguments) is not None for c in last.calls)


async def test_reasoning_of_every_vendor_is_thinking() -> None:
    for path, vendor in (
        ("deepseek/pydantic-ai/test_deepseek_deferred_capability_with_thinking.yaml", catalog.deepseek),
        ("gpustack-llamacpp/ruby_llm/chat_function_calling_gpustack_qwen3_can_use_tools.yml", catalog.llamacpp),
        ("huggingface/pydantic-ai/test_hf_model_thinking_part.yaml", catalog.compatible),
        ("mistral/vercel-ai/mistral-reasoning.json", catalog.mistral),
        ("ollama/pydantic-ai/test_ollama_cloud_tool_output.yaml", catalog.ollama),
    ):
        for events in await replies(path, vendor):
            assert any(isinstance(e, Thinking) and e.text.strip() for e in events), path


async def test_groqs_refused_call_is_text() -> None:
    first = (await replies("groq/pydantic-ai/test_tool_use_failed_error.yaml", catalog.groq))[0]
    assert json.loads(ended(first).text)["name"] == "get_something_by_name"
    assert isinstance(first[0], Text)


async def test_openrouters_cost_is_reported() -> None:
    _, second = await replies("openrouter/pydantic-ai/test_openrouter_usage.yaml", catalog.openrouter)
    assert next(e for e in second if isinstance(e, Usage)).cost == 0.00435825


async def test_openrouters_error_after_the_end_keeps_the_reply() -> None:
    (events,) = await replies("openrouter/pydantic-ai/test_openrouter_stream_error.yaml", catalog.openrouter)
    assert ended(events).stop == "length"
    assert any(isinstance(e, Noted) and "Token limit reached" in e.text for e in events)
    assert "".join(e.text for e in events if isinstance(e, Thinking)).startswith("We need to respond")


async def test_deepseeks_refusal_of_a_key_says_so() -> None:
    with pytest.raises(KeyRefused):
        await replies(
            "deepseek/ruby_llm/chat_error_handling_with_deepseek_deepseek-chat_raises_appropriate_auth_error.yml", catalog.deepseek
        )
