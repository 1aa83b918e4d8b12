"""What servers should never send, to every family: each ends in a `ProviderError` of one sentence, soon, and without the key."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest

from sandloop.errors import (
    BadReply,
    KeyRefused,
    ModelNotFound,
    NativeUnavailable,
    Overloaded,
    ProviderError,
    RateLimited,
    Unreachable,
)
from sandloop.events import Event, FileMade, RunStarted
from sandloop.limits import Limits
from sandloop.plugins import provider_factory
from sandloop.ports import ModelChoice, Turn
from wire.families import FAMILIES, KEY, Family
from wire.raw_server import RawServer

ASKED: list[Event] = [RunStarted(id="r", question="How many?", model="m")]


class Nowhere:
    """No file comes back from a server that is broken."""

    async def add(self, *_: Any, **__: Any) -> FileMade:
        raise AssertionError("there is nothing to download")

    def path(self, sha256: str) -> Path:
        return Path("none.png")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No waiting between the SDKs' own attempts."""
    for module in ("openai._base_client", "anthropic._base_client"):
        for name in ("INITIAL_RETRY_DELAY", "MAX_RETRY_DELAY"):
            monkeypatch.setattr(f"{module}.{name}", 0.01)
    monkeypatch.setattr("sandloop_providers.plain_http.RETRIES", 1)


@pytest.fixture(params=FAMILIES, ids=lambda f: f.name)
def family(request: pytest.FixtureRequest) -> Family:
    found: Family = request.param
    return found


@pytest.fixture(params=["claude-local", "openai-responses-local", "gemini-native", "mistral-native", "vllm-local"])
def wire(request: pytest.FixtureRequest) -> Family:
    """One family of each wire."""
    return next(f for f in FAMILIES if f.name == request.param)


async def replied(family: Family, url: str) -> list[Event]:
    choice = ModelChoice(provider=family.provider, model="test-model", base_url=url, key=KEY, parameters=family.parameters)
    provider = provider_factory(family.provider)(choice)
    turn = Turn(native=family.route == "native", files=(), sink=Nowhere(), limits=Limits())
    try:
        return [event async for event in provider.reply(ASKED, turn)]
    finally:
        await provider.close()


CASES: dict[str, Callable[[], RawServer]] = {
    "nothing at all": lambda: RawServer(kind="application/json"),
    "an empty stream": RawServer,
    "garbage": lambda: RawServer(b"\x00\xff\xfe garbage \r\n\r\n"),
    "events that are no JSON": lambda: RawServer(b"data: {nope\n\ndata: [1,\n\n"),
    "JSON that is no object": lambda: RawServer(b"data: 3\n\ndata: [1]\n\ndata: null\n\n"),
    "a page": lambda: RawServer(b"<html><body>Hello</body></html>", kind="text/html"),
    "JSON cut in the middle": lambda: RawServer(b'{"id": "x", "choices": [{"mess', kind="application/json"),
    "JSON too deep": lambda: RawServer(b"[" * 200_000, kind="application/json"),
    "a broken gateway": lambda: RawServer(b"<h1>502</h1>", status="502 Bad Gateway", kind="text/html"),
    "an error in words": lambda: RawServer(b"no \xff way", status="400 Bad Request", kind="text/plain"),
    "fewer bytes than promised": lambda: RawServer(b"{}", kind="application/json", headers=["Content-Length: 9999"]),
    "an error inside a stream": lambda: RawServer(
        b'event: error\ndata: {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}\n\n'
    ),
    "a redirect to elsewhere": lambda: RawServer(status="302 Found", headers=["Location: http://127.0.0.1:9/"]),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_no_honest_server_sends_is_a_sentence(family: Family, case: str) -> None:
    began = time.monotonic()
    with CASES[case]() as server, pytest.raises(ProviderError) as raised:
        await replied(family, server.url)

    assert time.monotonic() - began < 20
    assert KEY not in str(raised.value)
    assert len(str(raised.value)) < 1_000
    assert raised.value.__cause__ is None or KEY not in repr(raised.value.__cause__)


@pytest.mark.parametrize("status", ["302 Found", "307 Temporary Redirect", "308 Permanent Redirect"])
async def test_a_redirect_takes_neither_key_nor_question_to_another_server(family: Family, status: str) -> None:
    with RawServer() as elsewhere:
        with RawServer(status=status, headers=[f"Location: {elsewhere.url}"]) as server, pytest.raises(ProviderError):
            await replied(family, server.url)
        assert elsewhere.visits == 0


STATUSES: list[tuple[int, str, tuple[type[ProviderError], ...]]] = [
    (402, "insufficient credit", (RateLimited,)),
    (404, "the model test-model does not exist", (ModelNotFound, NativeUnavailable)),
    (408, "timed out", (Overloaded,)),
    (409, "conflict", (Overloaded,)),
    (413, "the request is too large", (BadReply, NativeUnavailable)),
    (429, "slow down", (RateLimited,)),
    (500, "internal", (Overloaded,)),
    (529, "overloaded", (Overloaded,)),
    (401, "bad key", (KeyRefused,)),
]


@pytest.mark.parametrize(("status", "message", "classes"), STATUSES)
async def test_each_status_has_its_class(
    family: Family, status: int, message: str, classes: tuple[type[ProviderError], ...]
) -> None:
    with family.server() as server:
        server.script += [family.refuse(status, message)] * 4
        with pytest.raises(classes) as raised:
            await replied(family, server.url)
    assert message.split()[0] in str(raised.value) or str(status) in str(raised.value)


async def test_a_busy_server_is_asked_again_and_that_is_told(family: Family) -> None:
    busy = RawServer(
        b'{"error": {"message": "busy"}}', status="429 Too Many Requests", kind="application/json", headers=["retry-after-ms: 1"]
    )
    with busy as server, pytest.raises(RateLimited):
        await replied(family, server.url)
    assert busy.visits > 1


RETRY_INFO = b'{"error": {"message": "busy", "details": [{"@type": "x/google.rpc.RetryInfo", "retryDelay": "90.4s"}]}}'


def _in_a_while(form: str = "%a, %d %b %Y %H:%M:%S GMT") -> str:
    return f"{datetime.now(UTC) + timedelta(seconds=95):{form}}"


@pytest.mark.parametrize(
    ("header", "least", "most"),
    [
        (lambda: "retry-after: 90", 90, 90),
        (lambda: "retry-after-ms: 90400", 90.4, 90.4),
        (lambda: f"retry-after: {_in_a_while()}", 60, 95),
        (lambda: "retry-after: 1m30s", 90, 90),
        (lambda: "retry-after: 5\r\nx-should-retry: false", 5, 5),
        (lambda: "x-ratelimit-reset-tokens: 1m30s\r\nx-ratelimit-remaining-tokens: 0", 90, 90),
        (lambda: f"anthropic-ratelimit-tokens-reset: {_in_a_while('%Y-%m-%dT%H:%M:%SZ')}", 60, 95),
    ],
    ids=["seconds", "milliseconds", "date", "duration", "not again", "reset in a while", "reset at a time"],
)
async def test_a_long_wait_is_told_and_not_sat_out(family: Family, header: Callable[[], str], least: float, most: float) -> None:
    busy = RawServer(b'{"error": {"message": "busy"}}', status="429 Too Many Requests", kind="application/json", headers=[header()])
    began = time.monotonic()
    with busy as server, pytest.raises(RateLimited) as raised:
        await replied(family, server.url)
    assert time.monotonic() - began < 20
    assert busy.visits == (2 if family.provider == "ollama" else 1)  # it is asked for its context, too
    assert raised.value.wait is not None
    assert least <= raised.value.wait <= most
    assert f"Try again in {raised.value.wait:.0f} s" in str(raised.value)


@pytest.mark.parametrize(
    "header",
    [
        "retry-after: inf",
        "retry-after: 1e9",
        "retry-after: 1e999",
        "retry-after: Thu, 01 Jan 2099 00:00:00 GMT",
        "retry-after-ms: inf",
    ],
)
async def test_a_wait_without_end_is_not_sat_out(wire: Family, header: str) -> None:
    busy = RawServer(b'{"error": {"message": "busy"}}', status="429 Too Many Requests", kind="application/json", headers=[header])
    with anyio.fail_after(10), busy as server, pytest.raises(RateLimited) as raised:
        await replied(wire, server.url)
    assert busy.visits == 1
    assert raised.value.wait is None


@pytest.mark.parametrize("header", ["-5", "0", "nan", "soon", "", "Thu, 01 Jan 2015 00:00:00 GMT", "9 9"])
async def test_a_wait_that_is_none_is_the_usual_one(wire: Family, header: str) -> None:
    busy = RawServer(
        b'{"error": {"message": "busy"}}',
        status="429 Too Many Requests",
        kind="application/json",
        headers=[f"retry-after: {header}"],
    )
    with anyio.fail_after(10), busy as server, pytest.raises(RateLimited) as raised:
        await replied(wire, server.url)
    assert busy.visits > 1
    assert raised.value.wait is None


@pytest.mark.parametrize("gemini", [f for f in FAMILIES if f.provider == "gemini"], ids=lambda f: f.name)
async def test_the_wait_that_google_puts_into_the_body_is_told(gemini: Family) -> None:
    busy = RawServer(RETRY_INFO, status="429 Too Many Requests", kind="application/json")
    with busy as server, pytest.raises(RateLimited, match="Try again in 90 s"):
        await replied(gemini, server.url)
    assert busy.visits == 1


async def test_a_server_without_trust_is_unreachable(family: Family) -> None:
    """It speaks TLS with a certificate that nobody signed; here, it does not even finish its greeting."""
    with RawServer(b"not a greeting") as server, pytest.raises(Unreachable):
        await replied(family, server.url.replace("http://", "https://"))


async def test_a_slow_drip_can_be_cancelled_at_once(family: Family) -> None:
    with RawServer(*[b": ping\n\n"] * 200, pause=0.1) as server:
        began = time.monotonic()
        with anyio.move_on_after(1.0):
            await replied(family, server.url)
    assert time.monotonic() - began < 15


def _endless(head: bytes, before: bytes, after: bytes, times: int) -> RawServer:
    """Pieces of a megabyte, as a model that never ends would send them."""
    return RawServer(head, *[before + b"x" * 1_000_000 + after] * times)


ENDLESS: dict[str, tuple[str, Callable[[], RawServer]]] = {
    "chat": ("vllm-local", lambda: _endless(b"", b'data: {"choices": [{"delta": {"content": "', b'"}}]}\n\n', 25)),
    "claude": (
        "claude-local",
        lambda: _endless(
            b'event: content_block_start\ndata: {"type": "content_block_start", "index": 0, "content_block": {"type": "text"}}\n\n',
            b'data: {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "',
            b'"}}\n\n',
            65,
        ),
    ),
    "responses": (
        "openai-responses-local",
        lambda: _endless(b"", b'data: {"type": "response.output_text.delta", "delta": "', b'"}\n\n', 65),
    ),
    "gemini": (
        "gemini-native",
        lambda: _endless(b"", b'data: {"candidates": [{"content": {"parts": [{"text": "', b'"}]}}]}\n\n', 65),
    ),
    "mistral": (
        "mistral-native",
        lambda: _endless(b"", b'data: {"type": "message.output.delta", "content": "', b'"}\n\n', 25),
    ),
}


@pytest.mark.parametrize("wire", ENDLESS)
async def test_a_reply_without_end_is_ended(wire: str) -> None:
    name, serve = ENDLESS[wire]
    family = next(f for f in FAMILIES if f.name == name)
    with serve() as server, pytest.raises(BadReply, match="longer than"):
        await replied(family, server.url)
