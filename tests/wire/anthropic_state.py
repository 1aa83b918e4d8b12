"""What the fake Anthropic account holds: files, containers, models, what was asked and what was said. No I/O."""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from wire.anthropic_checks import container_id, first_refusal
from wire.anthropic_script import Block, CutOff, Failure, Hold, Json, Made, Reply, Scripted, StreamError, stream_of

KEY = "test-key"
MODELS: dict[str, bool | None] = {"claude-sonnet-5-5": True, "claude-haiku-4-5": True, "claude-opus-4-1": False}
"""Model, and whether its capabilities say that it runs code; None: they do not say."""


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. `json` is the body of a JSON request."""

    method: str
    path: str
    headers: Mapping[str, str]
    json: Json = field(default_factory=dict[str, Any])


@dataclass(slots=True)
class StoredFile:
    """A file of the Files API."""

    name: str
    mime: str
    content: bytes
    downloadable: bool = False
    expires_in: int | None = None
    says_size: int | None = None


class Account:
    """The state behind the server. `script` is what the model says, one entry a request; it may be appended to at any time."""

    def __init__(self, script: Sequence[Scripted] = (), *, models: Mapping[str, bool | None] = MODELS, key: str = KEY) -> None:
        self.script, self.models, self.key = list(script), dict(models), key
        self.requests: list[Request] = []
        self.files: dict[str, StoredFile] = {}
        self.deleted: list[str] = []
        self.containers: dict[str, set[str]] = {}
        """The names of the input files in each living container."""
        self.dead: dict[str, int] = {}
        """Containers that died, and the status a request that names one is answered with."""
        self.sent: list[Json] = []
        self.paused = False
        self.bugs: list[str] = []
        """Errors in the server itself; leaving the `with` raises them."""
        self._before: dict[tuple[str, str], list[Failure | Hold]] = {}
        self._numbers = itertools.count(1)
        self.lock = threading.Lock()

    def before(self, method: str, path: str, *what: Failure | Hold) -> None:
        """What happens to the next requests whose path begins so, before they are served."""
        self._before.setdefault((method, path), []).extend(
            one for w in what for one in ([w] * w.times if isinstance(w, Failure) else [w])
        )

    def kill_containers(self, status: int = 404) -> None:
        """Every container dies. 404 says so; 500 is what a real one was seen to answer."""
        self.dead.update(dict.fromkeys(self.containers, status))
        self.containers.clear()

    def asked(self, method: str, path: str) -> list[Request]:
        """The requests of one kind."""
        return [r for r in self.requests if r.method == method and r.path.startswith(path)]

    @property
    def replies_asked(self) -> list[Json]:
        """The bodies of all requests for a reply."""
        return [r.json for r in self.asked("POST", "/v1/messages")]

    def intercept(self, method: str, path: str) -> Failure | Hold | None:
        """The next scripted hindrance of such a request."""
        for (for_method, prefix), queue in self._before.items():
            if for_method == method and path.startswith(prefix) and queue:
                return queue.pop(0)
        return None

    def store(self, file: StoredFile, file_id: str | None = None) -> Json:
        """Keep a file; its metadata."""
        file_id = file_id or f"file_{next(self._numbers):04}"
        self.files[file_id] = file
        return self.metadata(file_id)

    def metadata(self, file_id: str) -> Json:
        """What the API says about a file."""
        file, now = self.files[file_id], datetime.now(UTC)
        return {
            "id": file_id,
            "type": "file",
            "filename": file.name,
            "mime_type": file.mime,
            "size_bytes": len(file.content) if file.says_size is None else file.says_size,
            "created_at": now.isoformat(),
            "downloadable": file.downloadable,
            "expires_at": (now + timedelta(seconds=file.expires_in)).isoformat() if file.expires_in else None,
        }

    def refusal(self, body: Json) -> tuple[int, str, str] | None:
        """Why the real server would refuse this request."""
        container = container_id(body)
        if container in self.dead and self.dead[container] != 404:
            return self.dead[container], "api_error", "Internal server error"
        return first_refusal(
            body,
            models=self.models,
            containers=self.containers,
            file_exists=self.files.__contains__,
            sent=self.sent,
            paused=self.paused,
        )

    def enter_container(self, body: Json) -> str | None:
        """The container of a request that may run code, made when it names none."""
        if not any(str(t.get("type", "")).startswith("code_execution_") for t in body.get("tools", [])):
            return None
        container = container_id(body) or f"container_{next(self._numbers):04}"
        uploads = [b["file_id"] for m in body["messages"] for b in m["content"] if b["type"] == "container_upload"]
        self.containers.setdefault(container, set()).update(self.files[f].name for f in uploads)
        return str(container)

    def make(self, made: Made) -> str:
        """A file comes into being at a step; its id."""
        file = StoredFile(made.name, "application/octet-stream", made.content, made.downloadable, says_size=made.says_size)
        return str(self.store(file, made.file_id)["id"])

    def stream(self, reply: Reply, body: Json) -> Iterator[Json | Hold | CutOff]:
        """The events of a scripted reply; holds and cut-offs in their places."""
        container = self.enter_container(body)
        message: Json = {"id": f"msg_{next(self._numbers):04}", "type": "message", "role": "assistant", "content": []}
        yield {"type": "message_start", "message": {**message, "model": body["model"], "usage": dict(reply.usage)}}
        yield {"type": "ping"}
        index = 0
        for part in reply.parts:
            if isinstance(part, StreamError):
                yield {"type": "error", "error": {"type": part.type, "message": part.message}}
                return
            if not isinstance(part, Block):
                yield part
                continue
            block = self._with_files(part)
            self.sent.append(block)
            yield from stream_of(index, block)
            index += 1
        self.paused = reply.stop == "pause_turn"
        delta: Json = {"stop_reason": reply.stop, "stop_sequence": None, "stop_details": reply.details}
        if container and reply.names_container:
            until = datetime.now(UTC) + timedelta(hours=1)
            delta["container"] = {"id": container, "expires_at": until.isoformat()}
        yield {"type": "message_delta", "delta": delta, "usage": dict(reply.usage)}
        yield {"type": "message_stop"}

    def _with_files(self, part: Block) -> Json:
        block: Json = json.loads(json.dumps(part.content))
        if part.made:
            kind = block["type"].replace("_tool_result", "_output")
            block["content"]["content"] = [{"type": kind, "file_id": self.make(m)} for m in part.made]
        return block
