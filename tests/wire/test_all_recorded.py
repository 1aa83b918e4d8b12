"""All recorded traffic: every file is read by the family it belongs to, and what comes out of each answer stands in a table.

A recording that is not in the table fails, so that a new one is not overlooked. What each means stands in its family's tests.
"""

from __future__ import annotations

import base64
import gzip
import json
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandloop.errors import ProviderError
from sandloop.events import CodeRan, CodeWritten, Event, ReplyEnded, Text, Thinking
from sandloop.limits import Limits
from sandloop.ports import ModelChoice, Turn
from sandloop_providers import catalog
from sandloop_providers.gemini_stream import Reading as GeminiReading
from sandloop_providers.gemini_wire import NATIVE as GEMINI
from sandloop_providers.plain_http import retry_delay
from sandloop_providers.responses_stream import Reading as ResponsesReading
from sandloop_providers.responses_wire import NATIVE as OPENAI
from wire.anthropic_script import Events
from wire.anthropic_server import AnthropicServer
from wire.anthropic_state import StoredFile
from wire.anthropic_talk import Talk
from wire.responses_server import Reply, ResponsesServer
from wire.test_anthropic_cassettes import Recording
from wire.test_chat import Sink
from wire.test_chat_recorded import ASKED, CASSETTES, answers, replies
from wire.test_responses_recorded import events as streamed

pytestmark = pytest.mark.skipif(not CASSETTES.is_dir(), reason=f"no recordings in {CASSETTES}")

TABLE: dict[str, list[str]] = {
    "anthropic/pydantic-ai/test_anthropic_code_execution_files.yaml": ["text, 1 ran"],
    "anthropic/pydantic-ai/test_anthropic_code_execution_tool_stream.yaml": ["text, 1 ran"],
    "anthropic/pydantic-ai/test_anthropic_text_editor_code_execution_tool.yaml": ["text, 4 ran, 2 failed"],
    "anthropic/ruby_llm/chat_code_execution_with_anthropic_claude-haiku-4-5_runs_code_server-side_and_returns_the_result_blocks"
    ".yml": ["text, 1 ran"],
    "anthropic/vercel-ai/anthropic-code-execution-20250825.2.chunks.txt": ["text, 3 ran"],
    "anthropic/vercel-ai/anthropic-code-execution-20250825.2.json": ["text, 3 ran"],
    "anthropic/vercel-ai/anthropic-programmatic-tool-calling.1.json": ["text, 4 calls, 1 ran"],
    "deepseek/pydantic-ai/test_deepseek_deferred_capability_with_thinking.yaml": ["text, 1 calls", "text, 2 calls", "text"],
    "deepseek/pydantic-ai/test_deepseek_responses_rejects_interleaved_function_calls.yaml": ["BadReply"],
    "deepseek/ruby_llm/chat_error_handling_with_deepseek_deepseek-chat_raises_appropriate_auth_error.yml": ["KeyRefused"],
    "deepseek/ruby_llm/chat_function_calling_deepseek_deepseek-chat_can_use_parallel_tool_calls.yml": ["text, 2 calls", "text"],
    "gemini/pydantic-ai/test_code_execution.yaml": ["text, 2 ran", "text, 2 ran"],
    "gemini/ruby_llm/chat_code_execution_with_gemini_gemini-3_5-flash_runs_code_server-side_and_replays_the_turn.yml": [
        "text, 1 ran",
        "text",
    ],
    "gemini/vercel-ai/google-429-retry-info.json": ["wait 34.4 s"],
    "gpustack-llamacpp/ruby_llm/chat_function_calling_gpustack_qwen3_can_use_tools.yml": ["thinking, 1 calls", "text"],
    "groq/pydantic-ai/test_tool_use_failed_error.yaml": ["text", "thinking, 1 calls", "text"],
    "huggingface/pydantic-ai/test_hf_model_thinking_part.yaml": ["text", "text"],
    "mistral/ruby_llm/chat_function_calling_mistral_mistral-small-latest_can_use_tools.yml": ["1 calls", "text"],
    "mistral/vercel-ai/mistral-reasoning.json": ["text"],
    "mistral/vercel-ai/mistral-tool-call.json": ["1 calls"],
    "ollama/pydantic-ai/test_ollama_cloud_tool_output.yaml": ["text", "thinking, 1 calls"],
    "ollama/ruby_llm/chat_function_calling_ollama_qwen3_can_use_tools.yml": ["thinking, 1 calls", "text"],
    "openai/pydantic-ai/test_openai_code_execution_files.yaml": ["text, 1 ran, 1 unknown"],
    "openai/pydantic-ai/test_openai_responses_code_execution_return_image_stream.yaml": ["text, 1 ran"],
    "openai/vercel-ai/openai-code-interpreter-tool.1.json": ["text, 3 ran, 1 unknown"],
    "openrouter/pydantic-ai/test_openrouter_stream_error.yaml": ["thinking"],
    "openrouter/pydantic-ai/test_openrouter_tool_calling.yaml": ["1 calls"],
    "openrouter/pydantic-ai/test_openrouter_usage.yaml": ["text", "text"],
}
"""Of each answer in a recording: text, calls for us, code that ran and how; or the error that it is."""


def come_out(events: list[Event]) -> str:
    """What an answer became, in a few words."""
    said = any(isinstance(e, Text) and e.text.strip() for e in events)
    calls = sum(len(e.calls) for e in events if isinstance(e, ReplyEnded))
    wrote = sum(isinstance(e, CodeWritten) for e in events)
    ran = [e for e in events if isinstance(e, CodeRan)]
    unknown, bad = sum(e.outcome == "unknown" for e in ran), sum(not e.ok and e.outcome == "known" for e in ran)
    assert wrote == len(ran)
    thought = not said and any(isinstance(e, Thinking) for e in events)
    parts = [
        "text" if said else "",
        "thinking" if thought else "",
        f"{calls} calls" if calls else "",
        f"{wrote} ran" if wrote else "",
    ]
    parts += [f"{bad} failed" if bad else "", f"{unknown} unknown" if unknown else ""]
    return ", ".join(p for p in parts if p)


def bodies(path: Path) -> list[Any]:
    """The bodies of the answers to requests for a reply."""
    if path.suffix == ".json":
        return [json.loads(path.read_text("utf-8"))]
    recorded: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    interactions = recorded.get("interactions") or recorded["http_interactions"]
    asked = [i["response"] for i in interactions if i["request"]["uri"].endswith(("/responses", ":generateContent"))]
    return [_plain(r.get("parsed_body") or r["body"]["string"]) for r in asked]


def _plain(body: Any) -> Any:
    if not isinstance(body, str | bytes):
        return body
    raw = body if isinstance(body, bytes) else body.encode()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    if raw.lstrip()[:1] == b"{":
        return json.loads(raw)
    return list(streamed(raw.decode())) if raw.startswith(b"event:") else json.loads(base64.b64decode(raw))


async def of_anthropic(path: Path, folder: Path) -> list[str]:
    recording = Recording(path)
    with AnthropicServer([Events(recording.events)]) as server:
        for file_id in recording.file_ids:
            server.store(StoredFile(f"{file_id}.bin", "application/octet-stream", b"x", downloadable=True), file_id)
        async with Talk(server, folder) as talk:
            talk.ask("As recorded")
            return [come_out(await talk.reply())]


def of_openai(path: Path) -> list[str]:
    found: list[str] = []
    for body in bodies(path):
        reading = ResponsesReading(family=OPENAI, output_kept=200_000)
        wires: list[Any] = [body] if hasattr(body, "keys") else list(body)
        taken = [e for wire in wires for e in reading.take(wire)]
        found.append(come_out([*taken, reading.ended(container=None)]))
    return found


def of_gemini(path: Path) -> list[str]:
    found: list[str] = []
    for body in bodies(path):
        if (wait := retry_delay(body)) is not None:
            found.append(f"wait {wait} s")
            continue
        reading = GeminiReading(family=GEMINI, output_kept=200_000)
        found.append(come_out([*reading.take(body), reading.ended()]))
    return found


async def of_responses_elsewhere(path: Path) -> list[str]:
    """A refusal of another vendor's Responses API, as our provider of that API takes it."""
    (answer,) = answers(str(path.relative_to(CASSETTES)))
    with ResponsesServer([Reply(status=answer.status, body=answer.body, headers={"x-should-retry": "false"})]) as server:
        model = catalog.openai(
            ModelChoice(provider="openai", model="m", base_url=server.url, key="k", parameters={"api": "responses"})
        )
        try:
            turn = Turn(native=False, files=(), sink=Sink(Path("none")), limits=Limits())
            async with aclosing(model.reply([ASKED], turn)) as events:
                return [come_out([e async for e in events])]
        except ProviderError as error:
            return [type(error).__name__]
        finally:
            await model.close()


async def of_chat(path: Path) -> list[str]:
    name = path.relative_to(CASSETTES).parts[0]
    vendor = getattr(catalog, {"gpustack-llamacpp": "llamacpp"}.get(name, name))
    try:
        return [come_out(events) for events in await replies(str(path.relative_to(CASSETTES)), vendor)]
    except ProviderError as error:
        return [type(error).__name__]


async def read(path: Path, folder: Path) -> list[str]:
    match path.relative_to(CASSETTES).parts[0], "responses" in path.name:
        case "anthropic", _:
            return await of_anthropic(path, folder)
        case "openai", _:
            return of_openai(path)
        case "gemini", _:
            return of_gemini(path)
        case _, True:
            return await of_responses_elsewhere(path)
        case _:
            return await of_chat(path)


def recordings() -> list[Path]:
    return sorted(p for p in CASSETTES.rglob("*") if p.is_file() and p != CASSETTES / "README.md")


def test_every_recording_is_in_the_table() -> None:
    assert {str(p.relative_to(CASSETTES)) for p in recordings()} == set(TABLE)


@pytest.mark.parametrize("name", TABLE)
async def test_a_recording_gives_what_the_table_says(name: str, tmp_path: Path) -> None:
    assert await read(CASSETTES / name, tmp_path) == TABLE[name]
