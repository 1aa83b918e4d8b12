"""A small real server on loopback that speaks chat completions from a script, and keeps what it was asked.

    with ChatServer([call("print(1)"), say("It is 1.")]) as server:
        Chat(... server.url ...)          # http://127.0.0.1:PORT/v1
        server.requests[0].json["messages"]

Each request for a reply takes the next entry of the script. When the script is over it answers 400 and says so.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

VLLM_NO_TOOLS = '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set'
USAGE = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}


@dataclass(frozen=True, kw_only=True)
class Scripted:
    """One answer: the `data:` payloads of a stream (dicts, or text as it stands), or one JSON body with a status."""

    chunks: Sequence[Mapping[str, Any] | str] = ()
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    cut: bool = False
    """Drop the connection after the chunks, without an end."""
    hold: threading.Event | None = None
    """Wait for it after the first chunk."""


def say(
    text: str,
    *,
    pieces: int = 3,
    finish: str | None = "stop",
    usage: Mapping[str, Any] | None = USAGE,
    cut: bool = False,
    hold: threading.Event | None = None,
) -> Scripted:
    """A reply of text, in pieces."""
    step = max(1, -(-len(text) // pieces))
    deltas: list[dict[str, Any]] = [{"content": text[i : i + step]} for i in range(0, len(text), step)]
    return stream(*deltas, finish=finish, usage=usage, cut=cut, hold=hold)


def call(
    code: str, *, name: str = "python", call_id: str | None = "call00001", text: str = "", usage: Mapping[str, Any] | None = USAGE
) -> Scripted:
    """A reply that calls a tool with code, its arguments in pieces of seven characters."""
    arguments = json.dumps({"code": code})
    deltas: list[dict[str, Any]] = [{"content": text}] if text else []
    deltas.append({"tool_calls": [{"index": 0, "id": call_id, "type": "function", "function": {"name": name, "arguments": ""}}]})
    pieces = [arguments[i : i + 7] for i in range(0, len(arguments), 7)]
    deltas.extend({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]} for piece in pieces)
    return stream(*deltas, finish="tool_calls", usage=usage)


def stream(
    *deltas: Mapping[str, Any],
    finish: str | None = "stop",
    usage: Mapping[str, Any] | None = USAGE,
    cut: bool = False,
    hold: threading.Event | None = None,
) -> Scripted:
    """A reply of deltas as they stand."""
    chunks: list[Mapping[str, Any] | str] = [_chunk({"delta": delta, "index": 0, "finish_reason": None}) for delta in deltas]
    if finish is not None and not cut:
        chunks.append(_chunk({"delta": {}, "index": 0, "finish_reason": finish}))
    if usage is not None and not cut:
        chunks.append({**_chunk(), "usage": dict(usage)})
    if not cut:
        chunks.append("[DONE]")
    return Scripted(chunks=chunks, cut=cut, hold=hold)


def error(status: int, message: str, *, headers: Mapping[str, str] | None = None, **facts: Any) -> Scripted:
    """An answer that is an error."""
    return Scripted(status=status, body={"error": {"message": message, **facts}}, headers=headers or {})


def _chunk(*choices: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "test-model", "choices": list(choices)}


@dataclass(frozen=True)
class Seen:
    """A request for a reply, as it came. Header names in lower case."""

    path: str
    headers: Mapping[str, str]
    json: Any


class ChatServer:
    """The server. `script` may be lengthened while it runs.

    Args:
        tools: False: requests that offer tools are answered with vLLM's 400.
        stream_options: False: requests with `stream_options` are answered with 400.
        models: What `/v1/models` lists.
        context: The tokens of context that `/api/ps` tells, as Ollama does of a model that is loaded; None: it is not there.
    """

    def __init__(
        self,
        script: Sequence[Scripted] = (),
        *,
        tools: bool = True,
        stream_options: bool = True,
        models: Sequence[str] = ("test-model",),
        context: int | None = None,
    ) -> None:
        self.context = context
        self.script, self.requests = list(script), list[Seen]()
        self.model_requests = 0
        self._tools, self._stream_options, self._models = tools, stream_options, list(models)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer_to(self, seen: Seen) -> Scripted:
        self.requests.append(seen)
        if "tools" in seen.json and not self._tools:
            return error(400, VLLM_NO_TOOLS)
        if "stream_options" in seen.json and not self._stream_options:
            return error(400, "Unrecognized request argument supplied: stream_options")
        return self.script.pop(0) if self.script else error(400, "the script of the test server is over")

    def models(self) -> dict[str, Any]:
        self.model_requests += 1
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in self._models]}


def _handler(server: ChatServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

        def do_GET(self) -> None:
            if self.path.endswith("/models"):
                self._json(200, server.models())
            elif self.path == "/api/ps" and server.context is not None:
                self._json(200, {"models": [{"name": "m:latest", "model": "m:latest", "context_length": server.context}]})
            else:
                self._json(404, {"detail": "Not Found"})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if not self.path.endswith("/v1/chat/completions"):
                self._json(404, {"detail": "Not Found"})
                return
            seen = Seen(self.path, {k.lower(): v for k, v in self.headers.items()}, json.loads(body))
            answer = server.answer_to(seen)
            if answer.body is not None:
                self._json(answer.status, answer.body, answer.headers)
            else:
                self._stream(answer)

        def _json(self, status: int, body: Any, headers: Mapping[str, str] | None = None) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"Content-Type": "application/json", **(headers or {}), "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, answer: Scripted) -> None:
            self.send_response(answer.status)
            self.send_header("Content-Type", "text/event-stream")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for position, chunk in enumerate(answer.chunks):
                payload = chunk if isinstance(chunk, str) else json.dumps(chunk)
                data = f"data: {payload}\n\n".encode()
                try:
                    self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
                    self.wfile.flush()
                except OSError:  # the client has gone
                    return
                if position == 0 and answer.hold is not None:
                    answer.hold.wait(30)
            if answer.cut:
                self.close_connection = True
                return
            self.wfile.write(b"0\r\n\r\n")

    return Handler
