"""A small stateful server on loopback that speaks Gemini's `generateContent` and Files API, from a script.

with GeminiServer([reply(code("print(1)"), result("1\n"), text("It is 1."))]) as server:
    ...  # server.url has no version
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

Part = dict[str, Any]
USAGE = {"promptTokenCount": 100, "toolUsePromptTokenCount": 20, "candidatesTokenCount": 30, "thoughtsTokenCount": 5}


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer: its parts, a chunk each."""

    parts: Sequence[Part] = ()
    finish: str | None = "STOP"
    said: str = ""
    blocked: str = ""
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    hold: threading.Event | None = None
    """Wait for it after the first chunk."""
    whole: bool = False


def reply(*parts: Part, **facts: Any) -> Reply:
    return Reply(parts=parts, **facts)


def refusal(status: int, message: str, *, headers: Mapping[str, str] = {}, details: Sequence[Any] = ()) -> Reply:
    return Reply(status=status, body={"error": {"code": status, "message": message, "details": list(details)}}, headers=headers)


def text(value: str, *, thought: bool = False) -> Part:
    return {"text": value, "thought": True} if thought else {"text": value}


def code(source: str, *, call: str | None = None) -> Part:
    """With an id and a signature like Gemini 3, without like 2.5."""
    executable = {"language": "PYTHON", "code": source}
    return (
        {"executableCode": {**executable, "id": call}, "thoughtSignature": "c2ln+/=="} if call else {"executableCode": executable}
    )


def result(output: str | None, *, outcome: str = "OUTCOME_OK", call: str | None = None) -> Part:
    found: Part = {"outcome": outcome}
    if output is not None:
        found["output"] = output
    return {"codeExecutionResult": {**found, "id": call} if call else found}


def picture(data: bytes, mime: str = "image/png") -> Part:
    return {"inlineData": {"mimeType": mime, "data": base64.b64encode(data).decode()}}


def function(source: str, *, call: str | None = None, name: str = "python") -> Part:
    made: Part = {"name": name, "args": {"code": source}}
    return {"functionCall": {**made, "id": call} if call else made, "thoughtSignature": "c2ln"}


@dataclass(frozen=True)
class Seen:
    """A request, as it came. Header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class GeminiServer:
    """The server. `script` may be lengthened while it runs."""

    def __init__(self, script: Sequence[Reply] = ()) -> None:
        self.script, self.requests = list(script), list[Seen]()
        self.files: dict[str, dict[str, Any]] = {}
        self.deleted: list[str] = []
        self.looks = 0
        self.environments: dict[str, dict[str, bytes]] = {}
        """The files of each, by path."""
        self.interactions: list[dict[str, Any]] = []
        """Answers to come; `makes` in one are files that it leaves in the environment."""
        self.lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def asked(self) -> list[Seen]:
        """The requests for a reply."""
        return [r for r in self.requests if "GenerateContent" in r.path]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, seen: Seen) -> tuple[int, Any, Mapping[str, str]]:
        """Status, body and headers of everything but a reply."""
        path = seen.path.split("?")[0]
        if path == "/upload/v1/files":
            name = f"files/f{len(self.files) + 1}"
            self.files[name] = {"mime": seen.headers["x-goog-upload-header-content-type"], "content": b"", **seen.json["file"]}
            return 200, {}, {"x-goog-upload-url": f"{self.url}/put/{name}"}
        if path.startswith("/put/"):
            name = path.removeprefix("/put/")
            self.files[name]["content"] = seen.body
            return 200, {"file": self._about(name, "PROCESSING")}, {}
        if path.startswith(("/v1/environments", "/v1/interactions")):
            return self._managed(seen, path.removeprefix("/v1/").split("/", 2))
        name = path.removeprefix("/v1/")
        if name not in self.files:
            return 404, {"error": {"code": 404, "message": f"not found: {path}"}}, {}
        if seen.method == "DELETE":
            self.deleted.append(name)
            del self.files[name]
            return 200, {}, {}
        self.looks += 1
        return 200, self._about(name, "ACTIVE"), {}

    def _managed(self, seen: Seen, parts: list[str]) -> tuple[int, Any, Mapping[str, str]]:
        match (seen.method, *parts):
            case ("POST", "environments"):
                name = f"env_{len(self.requests)}"
                sources = seen.json["sources"]
                self.environments[name] = {s["target"]: base64.b64decode(s["content"]) for s in sources}
                return 200, {"id": name, "status": "active"}, {}
            case ("DELETE", "environments", name) if name in self.environments:
                del self.environments[name]
                self.deleted.append(name)
                return 200, {}, {}
            case ("GET", "environments", name, inner) if name in self.environments:
                files, path = self.environments[name], inner.removeprefix("files/")
                if "alt=media" in seen.path:
                    return 200, files[path], {}
                found = [{"path": p, "type": "file", "size_bytes": str(len(c)), "modified": str(hash(c))} for p, c in files.items()]
                return 200, {"files": found}, {}
            case ("POST", "interactions") if self.interactions:
                answer = dict(self.interactions.pop(0))
                self.environments[seen.json["environment"]] |= answer.pop("makes", {})
                return int(answer.pop("http", 200)), answer, {}
            case _:
                return 404, {"error": {"code": 404, "message": f"not found: {seen.path}"}}, {}

    def _about(self, name: str, state: str) -> dict[str, Any]:
        return {"name": name, "uri": f"{self.url}/v1/{name}", "mimeType": self.files[name]["mime"], "state": state}

    @staticmethod
    def chunks(wanted: Reply) -> list[dict[str, Any]]:
        """The stream of a scripted reply."""
        if wanted.blocked:
            return [{"promptFeedback": {"blockReason": wanted.blocked}, "usageMetadata": {"promptTokenCount": 3}}]
        head = {"modelVersion": "gemini-test"}
        chunks: list[dict[str, Any]] = [
            {"candidates": [{"content": {"role": "model", "parts": [part]}, "index": 0}], **head} for part in wanted.parts
        ]
        if wanted.finish is not None:
            last = {"finishReason": wanted.finish, "index": 0, **({"finishMessage": wanted.said} if wanted.said else {})}
            chunks.append({"candidates": [last], "usageMetadata": USAGE, **head})
        return chunks


def _handler(server: GeminiServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or "0"))
            seen = Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            with server.lock:
                server.requests.append(seen)
                if "GenerateContent" not in self.path:
                    return self._plain(*server.answer(seen))
                if not server.script:
                    return self._plain(400, {"error": {"code": 400, "message": "the script of the test server is over"}}, {})
                wanted = server.script.pop(0)
            if wanted.status != 200:
                return self._plain(wanted.status, wanted.body, wanted.headers)
            chunks = server.chunks(wanted)
            return self._plain(200, chunks, {}) if wanted.whole else self._stream(chunks, wanted)

        do_GET = do_POST = do_DELETE = _any  # noqa: N815

        def _plain(self, status: int, body: Any, headers: Mapping[str, str]) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {"content-type": "application/json", "content-length": str(len(data)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, chunks: Sequence[Any], wanted: Reply) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            self.close_connection = True
            for number, chunk in enumerate(chunks):
                self.wfile.write(f"data: {json.dumps(chunk)}\r\n\r\n".encode())
                self.wfile.flush()
                if wanted.hold is not None and number == 0:
                    wanted.hold.wait(20)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler
