"""A stream in all the forms that servers and proxies give it: each family reads the same reply out of every one of them."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from sandloop.errors import BadReply, KeyRefused, Overloaded, ProviderError, RateLimited, Unreachable
from sandloop.events import Event, ReplyEnded, Text
from wire.families import FAMILIES, KEY, Family
from wire.raw_server import RawServer
from wire.test_faults import replied

Payload = dict[str, Any]


def _claude(*events: Payload) -> list[Payload]:
    start = {"type": "message_start", "message": {"model": "m", "usage": {"input_tokens": 9, "output_tokens": 1}}}
    end = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}}
    return [start, *events, end, {"type": "message_stop"}]


STREAMS: dict[str, list[Payload]] = {
    "vllm-local": [
        {"choices": [{"index": 0, "delta": {"content": "Sé 1"}}]},
        {"choices": [{"index": 0, "delta": {"content": " and 2."}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ],
    "claude-local": _claude(
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "Sé 1"}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": " and 2."}},
        {"type": "content_block_stop", "index": 0},
    ),
    "openai-responses-local": [
        {"type": "response.output_text.delta", "delta": "Sé 1"},
        {"type": "response.output_text.delta", "delta": " and 2."},
        {
            "type": "response.output_item.done",
            "item": {"type": "message", "id": "m1", "content": [{"type": "output_text", "text": "Sé 1 and 2."}]},
        },
        {"type": "response.completed", "response": {"status": "completed", "output": []}},
    ],
    "gemini-local": [
        {"candidates": [{"content": {"parts": [{"text": "Sé 1"}]}}]},
        {"candidates": [{"content": {"parts": [{"text": " and 2."}]}}]},
        {"candidates": [{"finishReason": "STOP"}]},
    ],
    "mistral-native": [
        {"type": "message.output.delta", "content": "Sé 1"},
        {"type": "message.output.delta", "content": " and 2."},
        {"type": "conversation.response.done"},
    ],
}
"""The first piece of each holds the first words."""


def _lines(payloads: Sequence[Payload], end: str = "\n", before: str = "data: ", named: bool = False) -> bytes:
    told = [f"event: {payload.get('type', 'message')}{end}" if named else "" for payload in payloads]
    return "".join(
        f"{name}{before}{json.dumps(p, ensure_ascii=False)}{end}{end}" for name, p in zip(told, payloads, strict=True)
    ).encode()


def _between(extra: str) -> Callable[[Sequence[Payload]], bytes]:
    """Something beside the payloads, before each and after the last."""
    return lambda payloads: b"".join(extra.encode() + _lines([payload]) for payload in payloads) + extra.encode()


FORMS: dict[str, Callable[[Sequence[Payload]], bytes]] = {
    "as documented": _lines,
    "named": lambda p: _lines(p, named=True),
    "after a byte order mark": lambda p: b"\xef\xbb\xbf" + _lines(p),
    "lines that end with CR LF": lambda p: _lines(p, "\r\n"),
    "lines that end with CR": lambda p: _lines(p, "\r"),
    "no space after the colon": lambda p: _lines(p, before="data:"),
    "comments": _between(": keep-alive\n\n"),
    "comments alone": _between(":\n"),
    "data without data": _between("data:\n\n"),
    "data of a blank": _between("data: \n\n"),
    "the bare field": _between("data\n\n"),
    "a name without data": _between("event: ping\n\n"),
    "when to come again": _between("retry: 3000\n\n"),
    "an id, and blank lines": _between("id: 7\n\n\n\n"),
    "a field of next year": _between("shape: round\n\n"),
    "over several lines": lambda p: b"".join(
        b"".join(b"data: " + line + b"\n" for line in json.dumps(one, indent=1).encode().split(b"\n")) + b"\n" for one in p
    ),
    "without blank lines": lambda p: _lines(p).replace(b"\n\n", b"\n"),
    "ended by a word": lambda p: _lines(p) + b"data: [DONE]\n\n",
    "ended by a word that has a name": lambda p: _lines(p) + b"event: done\ndata: [DONE]\n\n",
    "without the last line end": lambda p: _lines(p).rstrip(b"\n"),
    "bytes that are no text": lambda p: _lines(p) + b": \xff\xfe\n\n",
}


@pytest.fixture(params=STREAMS)
def family(request: pytest.FixtureRequest) -> Family:
    return next(f for f in FAMILIES if f.name == request.param)


def said(events: Sequence[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, Text))


@pytest.mark.parametrize("kind", ["text/event-stream", "text/event-stream; charset=utf-8", "text/plain", "application/json"])
async def test_a_stream_is_known_by_what_it_holds(family: Family, kind: str) -> None:
    with RawServer(_lines(STREAMS[family.name]), kind=kind) as server:
        events = await replied(family, server.url)
    assert said(events) == "Sé 1 and 2."


WHOLE: dict[str, Payload] = {
    "vllm-local": {"choices": [{"message": {"content": "Sé 1 and 2."}, "finish_reason": "stop"}]},
    "claude-local": {
        "type": "message",
        "model": "m",
        "content": [{"type": "text", "text": "Sé 1 and 2."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 9, "output_tokens": 5},
    },
    "openai-responses-local": {
        "object": "response",
        "status": "completed",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Sé 1 and 2."}]}],
    },
    "gemini-local": {"candidates": [{"content": {"parts": [{"text": "Sé 1 and 2."}]}, "finishReason": "STOP"}]},
    "mistral-native": {"outputs": [{"type": "message.output", "content": "Sé 1 and 2."}]},
}


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json"])
async def test_a_server_that_does_not_stream_is_read_as_well(family: Family, kind: str) -> None:
    with RawServer(b"\n  \n" + json.dumps(WHOLE[family.name], indent=1).encode(), kind=kind) as server:
        events = await replied(family, server.url)
    (ended,) = [event for event in events if isinstance(event, ReplyEnded)]
    assert said(events) == ended.text == "Sé 1 and 2."


@pytest.mark.parametrize(
    ("body", "error"),
    [
        ({"code": 401, "message": "no key"}, KeyRefused),
        ({"code": "500", "message": "no key"}, Overloaded),
        ({"message": "no key"}, ProviderError),
        ({"object": "error", "type": "x", "code": 401, "message": "no key"}, KeyRefused),
        ({"error": "no key"}, ProviderError),
        ({"error": {"message": "no key", "type": "authentication_error"}}, KeyRefused),
    ],
)
async def test_an_error_that_comes_with_status_200_is_told(family: Family, body: Payload, error: type[ProviderError]) -> None:
    with RawServer(json.dumps(body).encode(), kind="application/json") as server, pytest.raises(error, match="key"):
        await replied(family, server.url)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("cut", ["whole", "in pieces"])
async def test_every_form_holds_the_same_reply(family: Family, form: str, cut: str) -> None:
    body = FORMS[form](STREAMS[family.name])
    pieces = [body] if cut == "whole" else [body[i : i + 37] for i in range(0, len(body), 37)]
    with RawServer(*pieces) as server:
        events = await replied(family, server.url)
    (ended,) = [event for event in events if isinstance(event, ReplyEnded)]
    assert said(events) == ended.text == "Sé 1 and 2."


async def test_a_stream_that_is_cut_inside_an_event_broke_off(family: Family) -> None:
    with RawServer(_lines(STREAMS[family.name][:2]) + b'data: {"choi') as server, pytest.raises(Unreachable, match="broke off"):
        await replied(family, server.url)


@pytest.mark.parametrize(
    "error",
    [
        '{"error": {"code": 503, "message": "no room"}}',
        '{\n "error": {\n  "message": "no room",\n  "code": 503\n }\n}',
        'error: {"code": 503, "message": "no room"}',
        'data: {"error": {"code": "503", "message": "no room"}}',
        'event: error\ndata: {"error": {"code": 503, "message": "no room"}}',
        'event: error\ndata: {"message": "no room", "code": 503}',
        "event: error\ndata: no room",
        'data: {"error": {"type": "server_error", "code": null, "message": "no room"}}',
        'data: {"error": {"type": "overloaded_error", "message": "no room"}}',
        'data: {"error": "no room", "code": 503}',
        'data: {"error": "no room", "error_type": "overloaded"}',
    ],
)
async def test_an_error_that_stands_in_the_stream_is_told(family: Family, error: str) -> None:
    body = _lines(STREAMS[family.name][:2]) + f"{error}\n\n".encode()
    with RawServer(body) as server, pytest.raises(ProviderError, match="no room") as raised:
        await replied(family, server.url)
    assert isinstance(raised.value, Overloaded) or not re.search(r"503|server_error|overloaded_error", error)


@pytest.mark.parametrize(
    ("facts", "error"),
    [
        ({"code": "rate_limit_exceeded"}, RateLimited),
        ({"code": 429}, RateLimited),
        ({"type": "rate_limit_error"}, RateLimited),
        ({"code": "insufficient_quota"}, RateLimited),
        ({"code": "invalid_api_key"}, KeyRefused),
        ({"type": "authentication_error", "code": None}, KeyRefused),
    ],
)
async def test_an_error_in_the_stream_has_the_class_of_its_status(
    family: Family, facts: dict[str, Any], error: type[ProviderError]
) -> None:
    body = f"data: {json.dumps({'error': {'message': 'no', **facts}})}\n\n".encode()
    with RawServer(body) as server, pytest.raises(error):
        await replied(family, server.url)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html><body>Log in</body></html>", "answered with a web page"),
        (b"\n<!DOCTYPE html>\n\n<body>Log in</body>", "answered with a web page"),
        (b"Welcome to the gateway", "Welcome to the gateway"),
    ],
)
async def test_what_is_no_stream_is_told_in_its_own_words(family: Family, body: bytes, said: str) -> None:
    with RawServer(body, kind="text/plain") as server, pytest.raises(BadReply, match=said):
        await replied(family, server.url)


async def test_a_server_that_does_not_hang_up_is_not_waited_for(family: Family) -> None:
    body = _lines(STREAMS[family.name]) + (b"data: [DONE]\n\n" if family.name == "vllm-local" else b"")
    began = time.monotonic()
    with RawServer(body, *[b": still here\n\n"] * 60, pause=0.1) as server:
        assert said(await replied(family, server.url)) == "Sé 1 and 2."
    if family.name != "gemini-local":  # nothing in its stream says that it is over
        assert time.monotonic() - began < 4


async def test_a_redirect_is_named(family: Family) -> None:
    away = RawServer(status="307 Temporary Redirect", headers=[f"Location: http://user:{KEY}@127.0.0.1:9/x"])
    with away as server, pytest.raises(Unreachable, match=r"redirects to http://127\.0\.0\.1:9") as raised:
        await replied(family, server.url)
    assert KEY not in str(raised.value)
