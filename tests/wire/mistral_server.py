"""A small server on loopback that speaks Mistral's Conversations and Files APIs, from a script."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

USAGE = {"prompt_tokens": 100, "completion_tokens": 30, "connector_tokens": 20, "total_tokens": 150}
Wire = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer: its events, or one JSON body with a status."""

    events: Sequence[Wire] = ()
    done: bool = True
    status: int = 200
    body: Any = None
    hold: threading.Event | None = None


def reply(*parts: Sequence[Wire], done: bool = True, hold: threading.Event | None = None) -> Reply:
    return Reply(events=[event for part in parts for event in part], done=done, hold=hold)


def ran(code: str, output: str, *, call: str = "tool_1", arguments: bool = True) -> list[Wire]:
    """An execution. Without `arguments`, as in the vendor's own sample."""
    head: Wire = {"name": "code_interpreter", "id": call, "output_index": 0}
    done: Wire = {"type": "tool.execution.done", **head, "info": {"code": code, "code_output": output}}
    started: Wire = {"type": "tool.execution.started", **head, **({"arguments": json.dumps({"code": code})} if arguments else {})}
    return [started, done]


def says(text: str) -> list[Wire]:
    return [{"type": "message.output.delta", "id": "msg_1", "content": text[i : i + 4]} for i in range(0, len(text), 4)]


def chunk(**facts: Any) -> list[Wire]:
    return [{"type": "message.output.delta", "id": "msg_1", "content": facts}]


@dataclass(frozen=True)
class Seen:
    """A request, as it came."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class MistralServer:
    """The server. `script` may be lengthened while it runs; `files` are what made files hold, by id."""

    script: list[Reply] = field(default_factory=list[Reply])
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    requests: list[Seen] = field(default_factory=list[Seen])

    def __post_init__(self) -> None:
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


def _handler(server: MistralServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or "0"))
            server.requests.append(Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            parts = self.path.strip("/").split("/")
            if parts[1] == "files":
                return self._file(parts[2])
            wanted = server.script.pop(0) if server.script else Reply(status=400, body={"message": "the script is over"})
            if wanted.status != 200 or wanted.body is not None:
                return self._plain(wanted.status, json.dumps(wanted.body).encode())
            return self._stream(wanted)

        do_GET = do_POST = do_DELETE = _any  # noqa: N815

        def _file(self, name: str) -> None:
            content = server.files.pop(name, None) if self.command == "DELETE" else server.files.get(name)
            self._plain(404 if content is None else 200, b"{}" if self.command == "DELETE" or content is None else content)

        def _plain(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, wanted: Reply) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            self.close_connection = True
            first: Wire = {"type": "conversation.response.started", "conversation_id": "conv_1"}
            last = [{"type": "conversation.response.done", "usage": USAGE}] if wanted.done else []
            for number, event in enumerate([first, *wanted.events, *last]):
                self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
                self.wfile.flush()
                if wanted.hold is not None and number == 1:
                    wanted.hold.wait(20)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler
