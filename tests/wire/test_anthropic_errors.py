"""What the Anthropic API refuses, as sandloop's errors; what a model can do; and the key, which is nowhere."""

from __future__ import annotations

import socket
import subprocess
import sys
import traceback
from pathlib import Path

import pytest

from sandloop.errors import (
    BadReply,
    BadSetting,
    KeyRefused,
    MissingKey,
    ModelNotFound,
    NativeUnavailable,
    Overloaded,
    ProviderError,
    RateLimited,
    Unreachable,
)
from sandloop.events import CodeRan, Text, Usage
from sandloop.ports import ModelChoice
from sandloop_providers.anthropic import anthropic
from wire.anthropic_script import CutOff, Events, Failure, Part, Reply, StreamError, python, text
from wire.anthropic_server import AnthropicServer
from wire.anthropic_state import KEY
from wire.anthropic_talk import Talk, only

INVALID = "invalid_request_error"


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Failure(400, INVALID, "'claude-x' does not support tool types: code_execution_20260521."), NativeUnavailable),
        (Failure(400, INVALID, "container_upload: file has an unsupported type"), NativeUnavailable),
        (Failure(404, "not_found_error", "File not found: file_1"), NativeUnavailable),
        (Failure(403, "permission_error", "code execution is turned off for your organization"), NativeUnavailable),
        (Failure(400, INVALID, "prompt is too long: 300000 tokens > 200000 maximum"), BadReply),
        (Failure(400, INVALID, "Your credit balance is too low to access the API."), RateLimited),
        (Failure(401, "authentication_error", "invalid bearer token"), KeyRefused),
        (Failure(402, "billing_error", "no money"), RateLimited),
        (Failure(403, "permission_error", "not allowed"), KeyRefused),
        (Failure(404, "not_found_error", "model: claude-none"), ModelNotFound),
        (Failure(413, "request_too_large", "too large"), BadReply),
        (Failure(429, "rate_limit_error", "slow down"), RateLimited),
        (Failure(500), Overloaded),
        (Failure(529, "overloaded_error", "Overloaded"), Overloaded),
        (Failure(418, body=b"<html>I am a teapot</html>"), BadReply),
    ],
)
async def test_each_status_is_its_error(failure: Failure, error: type[ProviderError], tmp_path: Path) -> None:
    with AnthropicServer([failure]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Well?")
            with pytest.raises(error) as caught:
                await talk.reply()

    assert type(caught.value) is error
    assert len(server.replies_asked) == 1


async def test_how_long_to_wait_is_passed_on(tmp_path: Path) -> None:
    headers = {"x-should-retry": "false", "retry-after": "17"}
    with AnthropicServer([Failure(429, "rate_limit_error", "slow down", headers)]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Well?")
            with pytest.raises(RateLimited) as caught:
                await talk.reply()

    assert caught.value.wait == 17


@pytest.mark.parametrize(
    ("last", "error"),
    [
        (StreamError("overloaded_error", "Overloaded"), Overloaded),
        (StreamError("rate_limit_error", "slow down"), RateLimited),
        (StreamError("authentication_error", "no"), KeyRefused),
        (StreamError("invalid_request_error", "bad"), BadReply),
        (StreamError("an_error_of_next_year", "?"), Overloaded),
        (CutOff(), Unreachable),
        (CutOff(clean=True), Unreachable),
    ],
)
async def test_a_reply_that_breaks_off_is_its_error_and_keeps_what_came(
    last: Part, error: type[ProviderError], tmp_path: Path
) -> None:
    with AnthropicServer([Reply([text("I begin."), *python("print(1)", "1\n"), last])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Well?")
            with pytest.raises(error) as caught:
                await talk.reply()

    assert "1 pieces of code may have run" in str(caught.value)
    assert "".join(e.text for e in only(talk.history, Text)) == "I begin."
    assert len(only(talk.history, CodeRan)) == len(only(talk.history, Usage)) == 1


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_delta", "index": 7, "delta": {"type": "text_delta", "text": "x"}},
        {"type": "content_block_stop"},
    ],
)
async def test_a_stream_that_contradicts_itself_is_a_bad_reply(event: dict[str, object], tmp_path: Path) -> None:
    with AnthropicServer([Events([event])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Well?")
            with pytest.raises(BadReply):
                await talk.reply()


async def test_no_server_is_unreachable(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}"
        async with Talk(address, tmp_path) as talk:
            talk.ask("Well?")
            with pytest.raises(Unreachable) as caught:
                await talk.reply()

    assert caught.value.address == address


@pytest.mark.parametrize(("model", "runs"), [("claude-sonnet-5-5", True), ("claude-opus-4-1", False)])
async def test_the_server_is_asked_what_the_model_can_do(model: str, runs: bool, tmp_path: Path) -> None:
    with AnthropicServer() as server:
        choice = ModelChoice(provider="anthropic", model=model, base_url=server.url, key=KEY)
        async with Talk(server, tmp_path, choice=choice) as talk:
            can = await talk.provider.capabilities()
            assert await talk.provider.capabilities() is can

    assert (can.runs_code, can.file_bytes, can.sees_pictures) == (runs, 500_000_000 if runs else None, True)
    assert (model in can.runs_code_why) is not runs
    assert len(server.asked("GET", "/v1/models")) == 1


@pytest.mark.parametrize("failure", [None, Failure(404, body=b"nothing"), Failure(500), Failure(200, body=b"<html></html>")])
async def test_a_server_that_can_not_say_is_taken_to_run_code_and_says_so(failure: Failure | None, tmp_path: Path) -> None:
    with AnthropicServer(models={"claude-sonnet-5-5": None}) as server:
        if failure:
            server.before("GET", "/v1/models", failure)
        async with Talk(server, tmp_path) as talk:
            can = await talk.provider.capabilities()

    assert can.runs_code
    assert "did not say" in can.runs_code_why


async def test_a_refused_key_does_not_break_capabilities_and_shows_at_the_reply(tmp_path: Path) -> None:
    with AnthropicServer(key="another") as server:
        async with Talk(server, tmp_path) as talk:
            assert (await talk.provider.capabilities()).runs_code
            talk.ask("Read", a_csv=b"1")
            with pytest.raises(KeyRefused) as caught:
                await talk.reply()

    everything = "".join(traceback.format_exception(caught.value)) + repr(caught.value) + repr(talk.provider)
    assert "[key]" in caught.value.said
    assert KEY not in everything + repr(talk.history)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


async def test_a_key_in_a_stream_error_is_taken_out(tmp_path: Path) -> None:
    with AnthropicServer([Reply([StreamError("authentication_error", f"bad token {KEY}")])]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("Well?")
            with pytest.raises(KeyRefused) as caught:
                await talk.reply()

    assert KEY not in str(caught.value)
    assert KEY not in repr(talk.history)


def test_without_a_key_the_sentence_names_the_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    with pytest.raises(MissingKey) as caught:
        anthropic(ModelChoice(provider="anthropic"))
    assert caught.value.variables == ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
    anthropic(ModelChoice(provider="anthropic", base_url="http://localhost:8080"))


@pytest.mark.parametrize("variable", ["ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"])
async def test_key_and_address_come_from_the_environment(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with AnthropicServer([Reply([text("Yes.")])]) as server:
        for name in ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(variable, KEY)
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url + "/v1/")
        async with Talk(server, tmp_path, choice=ModelChoice(provider="anthropic")) as talk:
            talk.ask("Well?")
            await talk.reply()

    assert server.requests[-1].headers["authorization"] == f"Bearer {KEY}"


@pytest.mark.parametrize("name", ["temperature", "top_p", "model", "messages", "stream"])
def test_a_parameter_that_is_ours_or_refused_is_a_bad_setting(name: str) -> None:
    with pytest.raises(BadSetting):
        anthropic(ModelChoice(provider="anthropic", key="k", parameters={name: 1}))


async def test_other_parameters_go_along_and_the_tool_can_be_another(tmp_path: Path) -> None:
    parameters = {"output_config": {"effort": "low"}, "code_tool": "code_execution_20250825"}
    with AnthropicServer([Reply([text("Yes.")])]) as server:
        choice = ModelChoice(provider="anthropic", base_url=server.url, key=KEY, parameters=parameters)
        async with Talk(server, tmp_path, choice=choice) as talk:
            talk.ask("Well?")
            await talk.reply()

    (body,) = server.replies_asked
    assert body["output_config"] == {"effort": "low"}
    assert body["tools"] == [{"type": "code_execution_20250825", "name": "code_execution"}]
    assert "code_tool" not in body


def test_importing_the_provider_imports_no_sdk() -> None:
    check = "import sys, sandloop_providers.anthropic as a; sys.exit('anthropic' in sys.modules or 'httpx2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
