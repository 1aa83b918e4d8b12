"""Claude on Bedrock and Vertex: settings, missing packages, and Vertex over the loopback server with a token in hand."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import anyio
import pytest

from sandloop.errors import (
    BadSetting,
    KeyRefused,
    MissingExtra,
    ModelNotFound,
    Overloaded,
    RateLimited,
    SandloopError,
    Unreachable,
    UsageError,
)
from sandloop.events import ReplyEnded, Usage
from sandloop.ports import ModelChoice
from sandloop_providers import anthropic_hosted
from sandloop_providers.anthropic_hosted import bedrock, vertex
from wire.anthropic_script import Failure, Reply, StreamError, call
from wire.anthropic_server import AnthropicServer
from wire.anthropic_state import KEY
from wire.anthropic_talk import Talk, only
from wire.raw_server import RawServer

PLACE = {"region": "eu", "project": "p"}


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    names = (*bedrock.key_variables, *bedrock.secrets, *vertex.key_variables, *anthropic_hosted.PROJECTS)
    for name in (*names, *(n for of in anthropic_hosted.REGIONS.values() for n in of), *anthropic_hosted.ADDRESSES.values()):
        monkeypatch.delenv(name, raising=False)


def on_vertex(server: AnthropicServer, tmp_path: Path) -> Talk:
    choice = ModelChoice(provider="vertex", model="claude-sonnet-5-5", key=KEY, base_url=server.url + "/v1", parameters=PLACE)
    talk = Talk(server, tmp_path, native=False)
    talk.provider = vertex(choice)
    return talk


async def test_vertex_takes_the_local_route_with_client_tools_and_its_own_path(tmp_path: Path) -> None:
    with AnthropicServer([Reply([call("python", {"code": "print(1)"}, "toolu_1")], stop="tool_use")]) as server:
        async with on_vertex(server, tmp_path) as talk:
            assert not (await talk.provider.capabilities()).runs_code
            talk.ask("One", a_csv=b"1")
            events = await talk.reply()

    (ended,) = only(events, ReplyEnded)
    assert [c.name for c in ended.calls] == ["python"]
    assert [u.input_tokens for u in only(events, Usage)] == [100]
    (request,) = server.requests
    assert request.path.endswith("/publishers/anthropic/models/claude-sonnet-5-5:streamRawPredict")
    assert request.json["anthropic_version"]
    assert "tool_choice" not in request.json
    assert "cache_control" not in request.json
    assert request.json["messages"][-1]["content"][-1]["cache_control"] == {"type": "ephemeral"}


@pytest.mark.parametrize(
    ("failure", "error"),
    [
        (Failure(401, "authentication_error", f"bad {KEY}"), KeyRefused),
        (Failure(404, "not_found_error", "no such publisher model"), ModelNotFound),
        (Failure(429, "rate_limit_error", "slow down"), RateLimited),
        (Failure(500), Overloaded),
        (Reply([StreamError()]), Overloaded),
    ],
)
async def test_errors_of_vertex_are_mapped_and_name_it(
    failure: Failure | Reply, error: type[SandloopError], tmp_path: Path
) -> None:
    with AnthropicServer([failure]) as server:
        async with on_vertex(server, tmp_path) as talk:
            talk.ask("One")
            with pytest.raises(error, match="Vertex") as caught:
                await talk.reply()

    assert KEY not in str(caught.value)


def hosted(host: anthropic_hosted.Host, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Talk:
    """Bedrock without Amazon's library, which would only read the answer."""
    monkeypatch.setattr(anthropic_hosted, "find_spec", lambda _: True)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setattr(anthropic_hosted.HostedClaude, "_decoder", lambda _: None)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    parameters = PLACE if host.name == "vertex" else {"region": "eu-west-1"}
    talk = Talk(url, tmp_path, native=False)
    talk.provider = host(ModelChoice(provider=host.name, model="m", key=KEY, base_url=url, parameters=parameters))
    talk.ask("One")
    return talk


@pytest.mark.parametrize("host", [bedrock, vertex], ids=lambda h: h.name)
@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_takes_neither_key_nor_question_elsewhere(
    host: anthropic_hosted.Host, status: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer() as elsewhere:
        away = RawServer(status=status, headers=[f"Location: {elsewhere.url}"])
        with away as server:
            async with hosted(host, server.url, tmp_path, monkeypatch) as talk:
                with pytest.raises(Unreachable, match="redirects to"):
                    await talk.reply()
    assert elsewhere.visits == 0


@pytest.mark.parametrize("host", [bedrock, vertex], ids=lambda h: h.name)
@pytest.mark.parametrize("wait", ["90", "inf"])
async def test_a_long_wait_is_told_and_not_sat_out(
    host: anthropic_hosted.Host, wait: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    busy = RawServer(
        b'{"error": {"message": "busy"}}', status="429 Busy", kind="application/json", headers=[f"retry-after: {wait}"]
    )
    with anyio.fail_after(10), busy as server:
        async with hosted(host, server.url, tmp_path, monkeypatch) as talk:
            with pytest.raises(RateLimited):
                await talk.reply()
    assert busy.visits == 1


@pytest.mark.parametrize(
    ("host", "model", "parameters", "error", "said"),
    [
        (bedrock, None, {"region": "eu-west-1"}, UsageError, "bedrock:MODEL"),
        (bedrock, "m", {}, BadSetting, "AWS_REGION"),
        (bedrock, "m", {"region": 1}, BadSetting, "text"),
        (vertex, "m", {"project": "p"}, BadSetting, "CLOUD_ML_REGION"),
        (vertex, "m", {"region": "eu"}, BadSetting, "ANTHROPIC_VERTEX_PROJECT_ID"),
        (vertex, "m", {**PLACE, "temperature": 1}, BadSetting, "temperature"),
    ],
)
def test_what_is_missing_is_a_sentence(
    host: anthropic_hosted.Host,
    model: str | None,
    parameters: Mapping[str, object],
    error: type[SandloopError],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(anthropic_hosted, "find_spec", lambda _: True)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    with pytest.raises(error, match=said):
        host(ModelChoice(provider=host.name, model=model, key="k", parameters=parameters))


@pytest.mark.parametrize("host", [bedrock, vertex])
def test_a_missing_package_is_named_with_its_extra(host: anthropic_hosted.Host, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(name: str) -> object:
        return None if name in ("boto3", "botocore", "google") else find_spec(name)

    monkeypatch.setattr(anthropic_hosted, "find_spec", without)
    with pytest.raises(MissingExtra, match=rf"sandloop\[{host.name}\]"):
        host(ModelChoice(provider=host.name, model="m", parameters=PLACE))


@pytest.mark.parametrize(
    ("variable", "host"), [("AWS_DEFAULT_REGION", "bedrock-runtime.eu-west-1"), ("AWS_REGION", "bedrock-runtime.eu-west-1")]
)
def test_the_region_comes_from_the_environment(variable: str, host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anthropic_hosted, "find_spec", lambda _: True)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    monkeypatch.setenv(variable, "eu-west-1")
    made = bedrock(ModelChoice(provider="bedrock", model="m", key="k"))
    assert host in made._address  # pyright: ignore[reportPrivateUsage]
