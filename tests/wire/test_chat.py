"""The chat-completions family against a real server on loopback: what comes out, and what was asked."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any, Literal

import pytest

from sandloop.errors import (
    BadReply,
    BadSetting,
    KeyRefused,
    MissingKey,
    ModelNotFound,
    Overloaded,
    ProviderError,
    RateLimited,
    Refused,
    Unreachable,
    UsageError,
)
from sandloop.events import (
    CodeDelta,
    CodeRan,
    CodeWritten,
    Event,
    FileMade,
    Noted,
    ReplyEnded,
    Retried,
    RunStarted,
    Text,
    Thinking,
    Usage,
)
from sandloop.limits import Limits
from sandloop.ports import ModelChoice, Turn
from sandloop_providers import catalog
from sandloop_providers.chat import Chat
from wire.chat_server import ChatServer, Scripted, call, error, say, stream
from wire.raw_server import RawServer

KEY = "sk-secret-value"
ASKED = RunStarted(id="1", question="What is it?", model="m")
FACTS: dict[str, Any] = {"provider": "compatible", "model": "m", "key": KEY}


class Sink:
    """Knows one picture."""

    def __init__(self, picture: Path) -> None:
        self._picture = picture

    async def add(
        self, name: str, chunks: AsyncIterator[bytes], *, code_id: str | None = None, change: Literal["new", "changed"] = "new"
    ) -> FileMade:
        raise AssertionError("nothing is downloaded on this route")

    def path(self, sha256: str) -> Path:
        return self._picture


def turn(picture: Path = Path("none.png"), **limits: Any) -> Turn:
    return Turn(native=False, files=(), sink=Sink(picture), limits=Limits(**limits))


def opened(server: ChatServer | RawServer, vendor: catalog.Vendor = catalog.compatible, **facts: Any) -> Chat:
    given: dict[str, Any] = {**FACTS, "provider": vendor.name, "base_url": server.url, **facts}
    return vendor.chat(ModelChoice(**given))


async def replied(chat: Chat, history: Sequence[Event] = (ASKED,), at: Turn | None = None) -> list[Event]:
    async with aclosing(chat.reply(history, at or turn())) as events:
        return [event async for event in events]


async def one(server: ChatServer, vendor: catalog.Vendor = catalog.compatible, **facts: Any) -> list[Event]:
    chat = opened(server, vendor, **facts)
    try:
        return await replied(chat)
    finally:
        await chat.close()


async def failing(*script: Scripted, **facts: Any) -> ProviderError:
    with ChatServer(script) as server:
        chat = opened(server, **facts)
        with pytest.raises(ProviderError) as caught:
            await replied(chat)
        await chat.close()
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None
    return caught.value


async def test_text_streams_and_ends_with_one_usage_and_one_end() -> None:
    with ChatServer([say("It is 42.")]) as server:
        events = await one(server)
    assert [type(e) for e in events] == [Text, Text, Text, Usage, ReplyEnded]
    ended = events[-1]
    assert isinstance(ended, ReplyEnded)
    assert (ended.text, ended.stop, ended.family, ended.calls, ended.model) == ("It is 42.", "end", "chat", (), "test-model")
    assert events[-2] == Usage(model="test-model", input_tokens=100, output_tokens=10)


async def test_the_request_offers_both_tools_a_bound_and_asks_for_the_count_of_tokens() -> None:
    with ChatServer([say("x")]) as server:
        chat = opened(server, parameters={"temperature": 0.5, "extra_body": {"top_k": 3}})
        await replied(chat, at=turn(reply_tokens=77))
        await chat.close()
        sent = server.requests[0]
    body = sent.json
    assert [t["function"]["name"] for t in body.pop("tools")] == ["python", "bash"]
    assert [m["role"] for m in body.pop("messages")] == ["system", "user"]
    assert body == {
        "model": "m",
        "stream": True,
        "max_tokens": 77,
        "stream_options": {"include_usage": True},
        "temperature": 0.5,
        "top_k": 3,
    }
    assert sent.headers["authorization"] == f"Bearer {KEY}"


async def test_code_streams_out_of_a_call_and_its_result_goes_back_under_its_id() -> None:
    source = "import pandas as pd\nprint('ä\"')"
    with ChatServer([call(source, text="Let me see."), say("Done.")]) as server:
        chat = opened(server)
        events = await replied(chat)
        ended = events[-1]
        assert isinstance(ended, ReplyEnded)
        assert "".join(e.text for e in events if isinstance(e, CodeDelta)) == source
        written = CodeWritten(code_id="c1", language="python", source=source, origin="tool_call", call_id=ended.calls[0].id)
        await replied(chat, [ASKED, *events, written, CodeRan(code_id="c1", exit_code=0, stdout="ä\n")])
        await chat.close()
        said, result = server.requests[1].json["messages"][2:]
    assert said["tool_calls"][0]["function"]["arguments"] == ended.calls[0].arguments
    assert result == {"role": "tool", "tool_call_id": "call00001", "content": "Output:\nä"}


async def test_a_server_without_tools_is_asked_again_for_fenced_blocks_and_never_offered_tools_again() -> None:
    with ChatServer([say("```python\nprint(1)\n```"), say("1")], tools=False) as server:
        chat = opened(server)
        events = await replied(chat)
        assert isinstance(events[0], Retried)
        assert "no tools" in events[0].reason
        written = CodeWritten(code_id="c1", language="python", source="print(1)", origin="fenced")
        again = await replied(chat, [ASKED, *events, written, CodeRan(code_id="c1", exit_code=0, stdout="1\n")])
        await chat.close()
        first, second, third = (r.json for r in server.requests)
    assert not any(isinstance(e, Retried) for e in again)
    assert "Call the tool" in first["messages"][0]["content"]
    assert "starts with ```python" in second["messages"][0]["content"]
    assert "tools" not in second
    assert "tools" not in third
    assert third["messages"][2:] == [
        {"role": "assistant", "content": "```python\nprint(1)\n```"},
        {"role": "user", "content": "Output:\n1"},
    ]


async def test_tools_can_be_switched_off_by_a_parameter() -> None:
    with ChatServer([say("x")]) as server:
        await one(server, parameters={"tools": False})
        assert "tools" not in server.requests[0].json


async def test_a_server_that_refuses_stream_options_is_asked_without() -> None:
    with ChatServer([say("x", usage=None)], stream_options=False) as server:
        events = await one(server)
        assert [("stream_options" in r.json) for r in server.requests] == [True, False]
    assert isinstance(events[0], Retried)
    assert not any(isinstance(e, Usage) for e in events)


async def test_a_call_the_server_refused_as_malformed_becomes_the_replys_text() -> None:
    written = '{"name": "python", "arguments": {"cod": "print(1)"}}'
    with ChatServer([error(400, "Tool call validation failed", code="tool_use_failed", failed_generation=written)]) as server:
        events = await one(server)
    ended = events[-1]
    assert isinstance(ended, ReplyEnded)
    assert (ended.text, ended.stop) == (written, "end")
    assert events[0] == Text(text=written)


async def test_a_stream_that_is_cut_is_unreachable_after_its_text_was_given() -> None:
    with ChatServer([say("It is", cut=True)]) as server:
        chat = opened(server)
        seen: list[Event] = []

        async def collect() -> None:
            async with aclosing(chat.reply([ASKED], turn())) as events:
                async for event in events:
                    seen.append(event)  # noqa: PERF401 - what came before the error is the point

        with pytest.raises(Unreachable):
            await collect()
        await chat.close()
    assert "".join(e.text for e in seen if isinstance(e, Text)) == "It is"
    assert not any(isinstance(e, ReplyEnded) for e in seen)
    assert len(server.requests) == 1


async def test_a_stream_that_ends_without_a_finish_reason_broke_off() -> None:
    assert "broke off" in str(await failing(say("It is", finish=None)))


async def test_text_is_given_while_the_server_is_still_writing() -> None:
    hold = threading.Event()
    with ChatServer([say("It is 42.", hold=hold)]) as server:
        chat = opened(server)
        async with aclosing(chat.reply([ASKED], turn())) as events:
            assert await anext(events) == Text(text="It ")
            hold.set()
            rest = [e async for e in events]
        await chat.close()
    assert isinstance(rest[-1], ReplyEnded)


async def test_leaving_a_reply_closes_its_request() -> None:
    hold = threading.Event()
    with ChatServer([say("It is 42.", hold=hold), say("again")]) as server:
        chat = opened(server)
        async with aclosing(chat.reply([ASKED], turn())) as events:
            await anext(events)
        hold.set()
        assert isinstance((await replied(chat))[-1], ReplyEnded)
        await chat.close()


async def test_a_whole_answer_instead_of_a_stream_is_read_as_one_piece() -> None:
    message = {"content": None, "tool_calls": [{"id": "a", "function": {"name": "python", "arguments": '{"code": "1"}'}}]}
    body = {"model": "w", "choices": [{"message": message, "finish_reason": "tool_calls"}], "usage": {"prompt_tokens": 3}}
    with ChatServer([Scripted(body=body)]) as server:
        events = await one(server)
    assert [type(e) for e in events] == [CodeDelta, Usage, ReplyEnded]


async def test_an_error_inside_a_stream_has_the_status_its_code_says() -> None:
    failed = await failing(Scripted(chunks=[{"error": {"code": 502, "message": "upstream is down"}}, "[DONE]"]))
    assert isinstance(failed, Overloaded)
    assert failed.status == 502


@pytest.mark.parametrize(
    ("body", "kind", "said"),
    [
        (b'{"object": "error", "message": "the model is asleep", "code": 503}', "application/json", "the model is asleep"),
        (b'{"detail": "no model is loaded"}', "application/json", "no model is loaded"),
        (b'data: {"detail": "no model is loaded"}\n\n', "text/event-stream", "no model is loaded"),
        (b"<html><body>Log in</body></html>", "text/html; charset=utf-8", "answered with a web page"),
    ],
)
async def test_what_came_in_the_place_of_a_reply_is_said(body: bytes, kind: str, said: str) -> None:
    with RawServer(body, kind=kind) as server, pytest.raises(ProviderError, match=said):
        await replied(opened(server))


async def test_an_error_after_the_end_of_a_reply_is_noted_and_the_reply_stands() -> None:
    chunk = {"choices": [{"delta": {"content": "x"}, "finish_reason": "length"}]}
    with ChatServer([Scripted(chunks=[chunk, {"error": {"code": 400, "message": "Token limit reached"}}, "[DONE]"])]) as server:
        events = await one(server)
    assert [type(e) for e in events] == [Text, Noted, ReplyEnded]
    ended = events[-1]
    assert isinstance(ended, ReplyEnded)
    assert ended.stop == "length"


async def test_garbage_in_the_stream_is_a_bad_reply() -> None:
    assert isinstance(await failing(Scripted(chunks=["{not json"])), BadReply)


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, f"Incorrect API key provided: {KEY}.", KeyRefused),
        (403, "not allowed for this account", KeyRefused),
        (403, "Your input was flagged by moderation", Refused),
        (404, "The model `m` does not exist", ModelNotFound),
        (404, "404 page not found", Unreachable),
        (402, "Insufficient credits", RateLimited),
        (400, "You exceeded your current quota", RateLimited),
        (400, "the prompt is odd", BadReply),
        (413, "too large", BadReply),
    ],
)
async def test_errors_are_mapped_by_status_and_hold_no_key(status: int, message: str, kind: type[ProviderError]) -> None:
    assert isinstance(await failing(error(status, message)), kind)


@pytest.mark.parametrize(("status", "kind"), [(429, RateLimited), (503, Overloaded)])
async def test_a_busy_server_is_asked_three_times(status: int, kind: type[ProviderError]) -> None:
    busy = error(status, "busy", headers={"retry-after-ms": "1"})
    assert isinstance(await failing(busy, busy, busy), kind)


async def test_a_repeated_request_is_told() -> None:
    with ChatServer([error(503, "busy", headers={"retry-after-ms": "1"}), say("x")]) as server:
        events = await one(server)
    assert isinstance(events[0], Retried)
    assert isinstance(events[-1], ReplyEnded)


async def test_a_server_that_is_not_there_is_unreachable() -> None:
    with ChatServer() as server:
        pass
    with pytest.raises(Unreachable):
        await one(server)


async def test_nothing_the_sdk_finds_in_the_environment_goes_to_another_vendor(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("OPENAI_ORG_ID", "org-of-openai")
    monkeypatch.setenv("OPENAI_CUSTOM_HEADERS", "Authorization: Bearer sk-of-openai\nX-Mine: sk-of-openai")
    with ChatServer([say("x")]) as server:
        await one(server)
        headers = server.requests[0].headers
    assert "of-openai" not in str(headers)
    assert headers["authorization"] == f"Bearer {KEY}"


async def test_proxy_variables_are_not_obeyed_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    with ChatServer([say("x")]) as server:
        assert isinstance((await one(server))[-1], ReplyEnded)


async def test_the_first_model_a_local_server_lists_is_taken_when_none_is_named() -> None:
    with ChatServer([say("x")], models=("first", "second")) as server:
        chat = opened(server, catalog.vllm, model=None)
        can = await chat.capabilities()
        await replied(chat)
        await chat.close()
        assert server.requests[0].json["model"] == "first"
    assert (can.runs_code, can.runs_code_why) == (False, "vLLM runs no code itself")


async def test_without_a_name_and_without_a_list_the_user_is_told_what_to_do() -> None:
    with ChatServer(models=()) as server:
        chat = opened(server, catalog.ollama, model=None)
        with pytest.raises(UsageError, match="ollama pull"):
            await replied(chat)
        await chat.close()


async def test_a_local_server_is_asked_for_its_models_and_one_that_is_gone_serves_none() -> None:
    with ChatServer(models=("a", "b")) as server:
        assert await catalog.llamacpp.serving(server.url) == ["a", "b"]
    assert await catalog.llamacpp.serving(server.url) == []


async def test_ollama_is_found_where_its_own_variable_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_API_KEY", "cloud-key")
    with ChatServer([say("x")], models=("qwen3",)) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url.removeprefix("http://").removesuffix("/v1"))
        assert await catalog.ollama.serving() == ["qwen3"]
        chat = catalog.ollama.chat(ModelChoice(provider="ollama"))
        await replied(chat)
        await chat.close()
        assert server.requests[0].headers["authorization"] == "Bearer none"


def test_a_vendor_without_its_key_says_which_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GROQ_API_KEY", raising=False)
    with pytest.raises(MissingKey) as caught:
        catalog.groq(ModelChoice(provider="groq"))
    assert caught.value.variables == ("GROQ_API_KEY",)


def test_a_vendor_without_a_usual_model_asks_for_one() -> None:
    with pytest.raises(UsageError, match="together:MODEL"):
        catalog.together(ModelChoice(provider="together", key=KEY))


def test_a_compatible_server_needs_an_address() -> None:
    with pytest.raises(UsageError, match="base_url"):
        catalog.compatible(ModelChoice(provider="compatible", model="m"))


@pytest.mark.parametrize("base_url", ["localhost:8000", "ftp://x/v1", "http://"])
def test_an_address_that_is_none_is_refused(base_url: str) -> None:
    with pytest.raises(BadSetting):
        catalog.compatible(ModelChoice(provider="compatible", model="m", base_url=base_url))


@pytest.mark.parametrize("parameters", [{"messages": []}, {"tools": "no"}, {"stream": False}, {"extra_body": 1}])
def test_parameters_that_are_ours_are_refused(parameters: dict[str, Any]) -> None:
    with pytest.raises(BadSetting):
        catalog.compatible(ModelChoice(provider="compatible", model="m", base_url="http://127.0.0.1:1/v1", parameters=parameters))


@pytest.mark.parametrize("sees", [True, False])
async def test_made_pictures_are_shown_only_to_a_model_that_sees(sees: bool, tmp_path: Path) -> None:
    picture = tmp_path / "p.png"
    picture.write_bytes(b"png")
    made = FileMade(name="p.png", size=3, mime="image/png", sha256="f" * 64, code_id="c1")
    with ChatServer([call("plot()"), say("x")]) as server:
        chat = opened(server, parameters={"pictures": sees})
        events = await replied(chat)
        written = CodeWritten(code_id="c1", language="python", source="plot()", origin="tool_call", call_id="call00001")
        await replied(chat, [ASKED, *events, written, CodeRan(code_id="c1", exit_code=0), made], turn(picture))
        await chat.close()
        roles = [m["role"] for m in server.requests[1].json["messages"][3:]]
    assert roles == (["tool", "user"] if sees else ["tool"])


async def test_thinking_that_a_session_never_opens_is_learnt_from_its_first_reply() -> None:
    with ChatServer([say("hm </think>One.", pieces=1), say("hm again </think>Two.", pieces=4)]) as server:
        chat = opened(server)
        first, second = await replied(chat), await replied(chat)
        await chat.close()
    assert isinstance(first[-1], ReplyEnded)
    assert first[-1].text == "One."
    assert "".join(e.text for e in second if isinstance(e, Text)) == "Two."
    assert "".join(e.text for e in second if isinstance(e, Thinking)) == "hm again "


async def test_deepseeks_reasoning_goes_back_with_the_call_it_led_to() -> None:
    deltas: list[dict[str, Any]] = [
        {"reasoning_content": "hm"},
        {"tool_calls": [{"index": 0, "id": "a", "function": {"name": "python", "arguments": "{}"}}]},
    ]
    with ChatServer([stream(*deltas, finish="tool_calls"), say("x")]) as server:
        chat = opened(server, catalog.deepseek)
        events = await replied(chat)
        await replied(chat, [ASKED, *events])
        await chat.close()
        assert server.requests[1].json["messages"][2]["reasoning_content"] == "hm"


async def test_the_cost_that_openrouter_reports_is_taken() -> None:
    with ChatServer([say("x", usage={"prompt_tokens": 1, "completion_tokens": 1, "cost": 0.25})]) as server:
        events = await one(server, catalog.openrouter)
    assert next(e for e in events if isinstance(e, Usage)).cost == 0.25


async def test_closing_twice_is_fine() -> None:
    with ChatServer([say("x")]) as server:
        chat = opened(server)
        await replied(chat)
        await chat.close()
        await chat.close()
