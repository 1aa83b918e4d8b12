"""A small stateful server on loopback that speaks the Responses API, with files and containers, from a script.

    with ResponsesServer([reply(cell("print(1)", logs="1"), message("It is 1."))]) as server:
        ...  # http://127.0.0.1:PORT/v1

Containers hold what was put into them and what a scripted cell "made". An expired one answers as OpenAI does.
"""

from __future__ import annotations

import base64
import email.parser
import email.policy
import itertools
import json
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
USAGE = {
    "input_tokens": 200,
    "input_tokens_details": {"cached_tokens": 50},
    "output_tokens": 30,
    "output_tokens_details": {"reasoning_tokens": 20},
    "total_tokens": 230,
}
_ids = itertools.count(1)

Item = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One answer. `makes` are files that its code leaves in the container: (name, bytes)."""

    items: Sequence[Item] = ()
    makes: Sequence[tuple[str, bytes]] = ()
    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    ends: str = "completed"
    why: str | None = None
    cut_after: int | None = None
    """Drop the connection after so many events."""
    whole: bool = False
    """Answer with one JSON object, as a server that ignores `stream`."""
    hold: threading.Event | None = None
    """Wait for it after the first item."""


def reply(*items: Item, **facts: Any) -> Reply:
    return Reply(items=items, **facts)


def refusal(status: int, message: str, **facts: Any) -> Reply:
    headers = facts.pop("headers", {})
    return Reply(status=status, body={"error": {"message": message, **facts}}, headers=headers)


def cell(
    code: str, *, logs: str | None = None, picture: bytes | None = None, status: str = "completed", outputs: Any = ...
) -> Item:
    """A call of the interpreter. Without logs and picture its outputs are empty, as after an exception."""
    found: list[Item] = [] if logs is None else [{"type": "logs", "logs": logs}]
    if picture is not None:
        found.append({"type": "image", "url": "data:image/png;base64," + base64.b64encode(picture).decode()})
    shown = found if outputs is ... else outputs
    return {"type": "code_interpreter_call", "id": f"ci_{next(_ids)}", "code": code, "status": status, "outputs": shown}


def shell(command: str, *, stdout: str = "", stderr: str = "", exit_code: int | None = 0) -> list[Item]:
    """A call of the hosted shell, and its output."""
    call_id = f"call_{next(_ids)}"
    outcome = {"type": "timeout"} if exit_code is None else {"type": "exit", "exit_code": exit_code}
    return [
        {"type": "shell_call", "id": f"sh_{next(_ids)}", "call_id": call_id, "action": {"commands": [command]}},
        {"type": "shell_call_output", "id": f"sho_{next(_ids)}", "call_id": call_id,
         "output": [{"stdout": stdout, "stderr": stderr, "outcome": outcome}]},
    ]  # fmt: skip


def message(text: str, *, cites: Sequence[str] = (), refuses: bool = False) -> Item:
    """The answer. `cites` are names of made files; the server puts their ids in."""
    kind = "refusal" if refuses else "output_text"
    part: Item = {"type": kind, "refusal" if refuses else "text": text, "annotations": [{"cite": name} for name in cites]}
    return {"type": "message", "id": f"msg_{next(_ids)}", "role": "assistant", "status": "completed", "content": [part]}


def reasoning(encrypted: str | None = "gAAAA") -> Item:
    item: Item = {"type": "reasoning", "id": f"rs_{next(_ids)}", "summary": []}
    return {**item, "encrypted_content": encrypted} if encrypted else item


def function(code: str, *, name: str = "python", call_id: str = "call_1") -> Item:
    arguments = json.dumps({"code": code})
    return {
        "type": "function_call",
        "id": f"fc_{next(_ids)}",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        "status": "completed",
    }


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


@dataclass
class Container:
    id: str
    files: dict[str, tuple[str, bytes, str]] = field(default_factory=dict[str, tuple[str, bytes, str]])
    """By file id: path, content, source."""
    expired: bool = False


class ResponsesServer:
    """The server. `script` may be lengthened while it runs."""

    def __init__(self, script: Sequence[Reply] = (), *, encrypts: bool = True) -> None:
        self.script, self.requests = list(script), list[Seen]()
        self.encrypts = encrypts
        self.uploads: dict[str, tuple[str, bytes]] = {}
        self.containers: dict[str, Container] = {}
        self.deleted: list[str] = []
        self.lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}/v1"

    @property
    def asked(self) -> list[Seen]:
        """The requests for a reply."""
        return [r for r in self.requests if r.path.endswith("/responses")]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._http.shutdown()
        self._http.server_close()

    def expire(self) -> None:
        for container in self.containers.values():
            container.expired = True

    def answer(self, seen: Seen) -> tuple[int, Any]:
        """Status and body of everything but a reply."""
        parts = seen.path.removeprefix("/v1/").split("?")[0].split("/")
        match (seen.method, *parts):
            case ("POST", "files"):
                name, content = _multipart(seen)
                upload = f"file-{next(_ids)}"
                self.uploads[upload] = (name, content)
                return 200, {
                    "id": upload,
                    "object": "file",
                    "filename": name,
                    "bytes": len(content),
                    "purpose": "user_data",
                    "created_at": 1,
                }
            case ("DELETE", "files" | "containers" as kind, name):
                held: dict[str, Any] = self.uploads if kind == "files" else self.containers
                self.deleted.append(name)
                gone = held.pop(name, None)
                return (200, {"id": name, "deleted": True}) if gone is not None else (404, _error("no such thing"))
            case ("POST", "containers"):
                made = Container(f"cntr_{next(_ids)}")
                self.containers[made.id] = made
                for upload in seen.json.get("file_ids", ()):
                    self._put(made, upload)
                return 200, {"id": made.id, "object": "container", "created_at": 1, "name": "sandloop", "status": "running"}
            case (_, "containers", name, *rest):
                return self._in_container(seen, name, rest)
            case _:
                return 404, _error(f"no such path: {seen.path}")

    def _in_container(self, seen: Seen, name: str, rest: Sequence[str]) -> tuple[int, Any]:
        container = self.containers.get(name)
        if container is None or container.expired:
            return (400, _error("Container is expired.")) if container else (404, _error("Container not found."))
        match (seen.method, *rest):
            case ("POST", "files"):
                return 200, self._entry(container, self._put(container, seen.json["file_id"]))
            case ("GET", "files"):
                entries = [self._entry(container, file_id) for file_id in container.files]
                return 200, {"object": "list", "data": entries, "has_more": False, "first_id": None, "last_id": None}
            case ("GET", "files", file_id, "content") if file_id in container.files:
                return 200, container.files[file_id][1]
            case _:
                return 404, _error("File not found in the container.")

    def _put(self, container: Container, upload: str) -> str:
        name, content = self.uploads[upload]
        file_id = f"cfile_{next(_ids)}"
        container.files[file_id] = (f"/mnt/data/{upload}-{name}", content, "user")
        return file_id

    def _entry(self, container: Container, file_id: str) -> Item:
        path, content, source = container.files[file_id]
        return {"id": file_id, "object": "container.file", "created_at": 1, "container_id": container.id, "path": path,
                "source": source, "bytes": len(content)}  # fmt: skip

    def events(self, wanted: Reply, seen: Seen) -> list[Item]:
        """The stream of a scripted reply: items in pieces, then the whole."""
        container = next((self.containers.get(name) for t in seen.json.get("tools", ()) if (name := _named(t)) is not None), None)
        ids: dict[str, str] = {}
        for name, content in wanted.makes:
            assert container is not None
            ids[name] = f"cfile_{next(_ids)}"
            container.files[ids[name]] = (f"/mnt/data/{name}", content, "assistant")
        head = {"id": "resp_1", "object": "response", "model": "gpt-test", "status": "in_progress"}
        events: list[Item] = [{"type": "response.created", "response": head}]
        items = [self._placed(item, container, ids) for item in wanted.items]
        for index, item in enumerate(items):
            events += _streamed(index, item)
        details = {"reason": wanted.why} if wanted.why else None
        whole: Item = {**head, "status": wanted.ends, "output": items, "usage": USAGE, "incomplete_details": details}
        if wanted.ends == "failed":
            whole["error"] = {"code": "server_error", "message": wanted.why}
        return [*events, {"type": f"response.{wanted.ends}", "response": whole}]

    def _placed(self, item: Item, container: Container | None, ids: Mapping[str, str]) -> Item:
        placed: Item = json.loads(json.dumps(item))
        if placed["type"] == "code_interpreter_call" and container is not None:
            placed["container_id"] = container.id
        for part in placed.get("content", ()):
            part["annotations"] = [
                {"type": "container_file_citation", "container_id": container.id, "file_id": ids[a["cite"]],
                 "filename": a["cite"], "start_index": 0, "end_index": 0}
                for a in part.get("annotations", ()) if container is not None
            ]  # fmt: skip
        return placed

    def refused(self, seen: Seen) -> tuple[int, Any] | None:
        """What the real server refuses, whatever the script says."""
        body = seen.json
        if not self.encrypts and "reasoning.encrypted_content" in body.get("include", ()):
            return 400, _error("Encrypted content is not supported with this model.")
        for tool in body.get("tools", ()):
            name = _named(tool)
            if name is not None:
                container = self.containers.get(name)
                if container is None or container.expired:
                    return 400, _error("Container is expired.")
                for item in body["input"]:
                    if item.get("container_id", name) != name:
                        return 400, _error(f"Expected container_id: {item['container_id']}")
        calls = {i["call_id"] for i in body["input"] if i.get("type") == "function_call"}
        answered = {i["call_id"] for i in body["input"] if i.get("type") == "function_call_output"}
        if calls - answered:
            return 400, _error(f"No tool output found for function call {sorted(calls - answered)[0]}.")
        return None


def _streamed(index: int, item: Item) -> list[Item]:
    events: list[Item] = [{"type": "response.output_item.added", "output_index": index, "item": {**item, "status": "in_progress"}}]
    ref = {"item_id": item["id"], "output_index": index}
    match item["type"]:
        case "code_interpreter_call":
            events += [{"type": "response.code_interpreter_call_code.delta", "delta": p, **ref} for p in _pieces(item["code"])]
            events.append({"type": "response.code_interpreter_call_code.done", "code": item["code"], **ref})
        case "message":
            for part in item["content"]:
                kind = "refusal" if part["type"] == "refusal" else "output_text"
                events += [
                    {"type": f"response.{kind}.delta", "delta": p, **ref} for p in _pieces(part.get("text") or part["refusal"])
                ]
        case "function_call":
            events += [{"type": "response.function_call_arguments.delta", "delta": p, **ref} for p in _pieces(item["arguments"])]
        case _:
            pass
    return [*events, {"type": "response.output_item.done", "output_index": index, "item": item}]


def _named(tool: Item) -> str | None:
    """The container that a tool's declaration names."""
    environment: Item = tool.get("environment") or {}
    name: object = tool.get("container") or environment.get("container_id")
    return name if isinstance(name, str) else None


def _pieces(text: str) -> list[str]:
    return [text[i : i + 7] for i in range(0, len(text), 7)]


def _error(message: str) -> Item:
    return {"error": {"message": message, "type": "invalid_request_error", "param": None, "code": None}}


def _multipart(seen: Seen) -> tuple[str, bytes]:
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    whole = parser.parsebytes(b"Content-Type: " + seen.headers["content-type"].encode() + b"\r\n\r\n" + seen.body)
    part = next(p for p in whole.iter_parts() if p.get_filename())
    content = part.get_payload(decode=True)
    return str(part.get_filename()), bytes(content)


def _handler(server: ResponsesServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", "0")))
            if self.headers.get("transfer-encoding") == "chunked":
                body = self._chunked()
            seen = Seen(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
            with server.lock:
                server.requests.append(seen)
                if not self.path.endswith("/responses"):
                    return self._plain(*server.answer(seen))
                if refused := server.refused(seen):
                    return self._plain(*refused)
                if not server.script:
                    return self._plain(400, _error("the script of the test server is over"))
                wanted = server.script.pop(0)
                if wanted.status != 200:
                    return self._plain(wanted.status, wanted.body, wanted.headers)
                events = server.events(wanted, seen)
            return self._plain(200, events[-1]["response"]) if wanted.whole else self._stream(events, wanted)

        do_GET = do_POST = do_DELETE = _any  # noqa: N815

        def _chunked(self) -> bytes:
            body = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body

        def _plain(self, status: int, body: Any, headers: Mapping[str, str] = {}) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(status)
            for name, value in {
                "content-type": "application/octet-stream" if data is body else "application/json",
                **headers,
            }.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _stream(self, events: Sequence[Item], wanted: Reply) -> None:
            self.send_response(200)
            self.send_header("content-type", "text/event-stream")
            self.send_header("connection", "close")
            self.end_headers()
            self.close_connection = True
            for number, event in enumerate(events):
                if wanted.cut_after is not None and number >= wanted.cut_after:
                    return
                self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())
                self.wfile.flush()
                if wanted.hold is not None and event["type"] == "response.output_item.done":
                    wanted.hold.wait(20)

        def log_message(self, format: str, *args: Any) -> None:
            """Quiet."""

    return Handler
