"""A small real server that speaks Anthropic's wire with state: files, containers, models, streamed messages.

with AnthropicServer([Reply([*python("print(1)", "1\\n"), text("It is 1.")])]) as server:
    ...                 # base_url=server.url, key "test-key"
    server.requests     # everything that was asked
    server.files        # what is stored now; server.deleted: the ids that were deleted
"""

from __future__ import annotations

import json
import socket
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from wire.anthropic_script import CutOff, Events, Failure, Hold, Json, Scripted
from wire.anthropic_state import KEY, MODELS, Account, Request, StoredFile

VERSION = "2026-10-21"


class AnthropicServer(Account):
    """The account behind a port. See the module."""

    def __init__(self, script: Sequence[Scripted] = (), *, models: Mapping[str, bool | None] = MODELS, key: str = KEY) -> None:
        super().__init__(script, models=models, key=key)
        self._http = _Http(("127.0.0.1", 0), _Handler)
        self._http.fake = self
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.close_connections()
        self._http.server_close()
        self._thread.join()
        if self.bugs:
            raise AssertionError(f"the fake server broke: {self.bugs}")


class _Http(ThreadingHTTPServer):
    daemon_threads = True
    fake: Account

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def close_connections(self) -> None:
        """End what clients left open, so that no thread waits for them."""
        for connection in tuple(self._open):
            self.shutdown_request(connection)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is part of many tests; anything else is a bug of this server."""
        error = sys.exception()
        if not isinstance(error, OSError):
            self.fake.bugs.append(repr(error))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Http  # pyright: ignore[reportIncompatibleVariableOverride] - as the library documents it

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests print nothing."""

    def _serve(self) -> None:
        fake, path = self.server.fake, self.path.partition("?")[0]
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        is_json = "json" in self.headers.get("content-type", "")
        headers = {k.lower(): v for k, v in self.headers.items()}
        with fake.lock:
            fake.requests.append(Request(self.command, path, headers, json.loads(raw) if raw and is_json else {}))
            hindrance = fake.intercept(self.command, path)
        if isinstance(hindrance, Failure):
            return self._fail(hindrance)
        if hindrance is not None:
            hindrance.reached.set()
            hindrance.go.wait(10)
        if headers.get("authorization") != f"Bearer {fake.key}":
            return self._error(401, "authentication_error", f"invalid bearer token: {headers.get('authorization')}")
        if headers.get("anthropic-version") != VERSION and "/publishers/" not in path:  # there the body names it
            return self._error(400, "invalid_request_error", "anthropic-version: header is required")
        match self.command, path.strip("/").split("/")[1:]:
            case "POST", ["files"]:
                with fake.lock:
                    self._json(200, fake.store(_upload(self.headers["content-type"], raw)))
            case "POST", ["messages"]:
                self._message(json.loads(raw))
            case "POST", ["projects", "p", "locations", "eu", "publishers", "anthropic", "models", name]:  # Vertex
                self._message({**json.loads(raw), "model": name.removesuffix(":streamRawPredict")})
            case "GET", ["models", model]:
                self._model(model)
            case method, ["files", file_id, *rest]:
                self._file(method, file_id, rest)
            case _:
                self._error(404, "not_found_error", "Not found")
        return None

    def _file(self, method: str, file_id: str, rest: list[str]) -> None:
        fake = self.server.fake
        if file_id not in fake.files:
            self._error(404, "not_found_error", f"File not found: {file_id}")
        elif method == "DELETE":
            del fake.files[file_id]
            fake.deleted.append(file_id)
            self._json(200, {"id": file_id, "type": "file_deleted"})
        elif not rest:
            self._json(200, fake.metadata(file_id))
        elif not fake.files[file_id].downloadable:
            self._error(400, "invalid_request_error", "File is not downloadable", {"error_code": "file_not_downloadable"})
        else:
            self._bytes(200, fake.files[file_id].content, "application/octet-stream")

    def _model(self, model: str) -> None:
        fake = self.server.fake
        if model not in fake.models:
            return self._error(404, "not_found_error", f"model: {model}")
        says = fake.models[model]
        about: Json = {"id": model, "type": "model", "display_name": model, "created_at": "2026-01-01T00:00:00Z"}
        if says is not None:
            tools = {"supported": says, "code_execution": {"supported": says}, "web_search": {"supported": says}}
            about["capabilities"] = {"server_tools": tools, "image_input": {"supported": True}}
        return self._json(200, about)

    def _message(self, body: Json) -> None:
        fake = self.server.fake
        with fake.lock:
            refusal = fake.refusal(body)
            scripted = None if refusal else fake.script[0] if fake.script else Failure(400, message="the script is over")
            if isinstance(scripted, Failure) and scripted.times > 1:
                fake.script[0] = Failure(scripted.status, scripted.type, scripted.message, scripted.headers, scripted.times - 1)
            elif scripted is not None and fake.script:
                fake.script.pop(0)
        if refusal is not None:
            status, kind, message = refusal
            return self._error(status, kind, message, headers={"retry-after-ms": "1"} if status >= 500 else {})
        if isinstance(scripted, Failure):
            return self._fail(scripted)
        events = scripted.events if isinstance(scripted, Events) else fake.stream(scripted, body) if scripted else ()
        return self._stream(iter(events))

    def _stream(self, events: Iterator[Json | Hold | CutOff]) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream; charset=utf-8")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        for event in events:
            if isinstance(event, Hold):
                event.reached.set()
                event.go.wait(10)
            elif isinstance(event, CutOff):
                self.close_connection = True
                if event.clean:
                    self.wfile.write(b"0\r\n\r\n")
                return
            else:
                raw = f"event: {event['type']}\ndata: {json.dumps(event)}   \n\n".encode()
                self.wfile.write(f"{len(raw):x}\r\n".encode() + raw + b"\r\n")
        self.wfile.write(b"0\r\n\r\n")

    def _fail(self, failure: Failure) -> None:
        if failure.body is not None:
            return self._bytes(failure.status, failure.body, "text/html", failure.headers)
        return self._error(failure.status, failure.type, failure.message, headers=failure.headers)

    def _error(
        self, status: int, kind: str, message: str, details: Json | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        error: Json = {"type": kind, "message": message} | ({"details": details} if details else {})
        self._json(status, {"type": "error", "error": error, "request_id": "req_1"}, headers)

    def _json(self, status: int, body: Json, headers: Mapping[str, str] | None = None) -> None:
        self._bytes(status, json.dumps(body).encode(), "application/json", headers)

    def _bytes(self, status: int, body: bytes, kind: str, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "content-type": kind, "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _upload(content_type: str, raw: bytes) -> StoredFile:
    """The file of a multipart body."""
    boundary = b"--" + content_type.partition("boundary=")[2].encode()
    file, expires_in = StoredFile("", "", b""), None
    for part in raw.split(boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        content = content[:-2]
        lines = head.decode()
        if 'name="expires_in_seconds"' in lines:
            expires_in = int(content)
        elif 'name="file"' in lines:
            mime = lines.partition("Content-Type: ")[2].strip()
            file = StoredFile(lines.partition('filename="')[2].partition('"')[0], mime, content)
    file.expires_in = expires_in
    return file
