"""What the fake Claude says: replies as content blocks, and how a reply becomes stream events. Pure.

The shapes follow recorded traffic; `pause_turn`, downloads and container deaths are hand-made, since nobody recorded them.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
_ids = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Made:
    """A file that a step writes to `$OUTPUT_DIR`; the server gives it an id, unless one is given."""

    name: str
    content: bytes = b"made"
    downloadable: bool = True
    file_id: str | None = None
    says_size: int | None = None
    """A size that the metadata claims, when it is not the true one."""


@dataclass(frozen=True, slots=True)
class Block:
    """A content block, and the files that come into being with it."""

    content: Json
    made: tuple[Made, ...] = ()


@dataclass(slots=True)
class Hold:
    """Stops the stream until the test lets it go on."""

    reached: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)


@dataclass(frozen=True, slots=True)
class CutOff:
    """The connection ends here. `clean`: as if the reply were over."""

    clean: bool = False


@dataclass(frozen=True, slots=True)
class StreamError:
    """An `error` event inside the stream."""

    type: str = "overloaded_error"
    message: str = "Overloaded"


Part: TypeAlias = Block | Hold | CutOff | StreamError


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted reply."""

    parts: Sequence[Part]
    stop: str = "end_turn"
    details: Json | None = None
    usage: Mapping[str, Any] = field(default_factory=lambda: {"input_tokens": 100, "output_tokens": 20})
    names_container: bool = True
    """Whether the reply names its container, as it should."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An error answer, `times` in a row. The SDK is told not to try again unless `headers` say otherwise."""

    status: int
    type: str = "api_error"
    message: str = "Internal server error"
    headers: Mapping[str, str] = field(default_factory=lambda: {"x-should-retry": "false"})
    times: int = 1
    body: bytes | None = None
    """Sent instead of the usual error body."""


@dataclass(frozen=True, slots=True)
class Events:
    """Recorded stream events, sent as they are."""

    events: Sequence[Json]


Scripted: TypeAlias = Reply | Failure | Events
AGAIN: dict[str, str] = {"retry-after-ms": "1"}
"""Headers that let the SDK try again at once."""


def text(words: str) -> Block:
    """Visible text."""
    return Block({"type": "text", "text": words})


def thinking(words: str) -> Block:
    """Reasoning, signed."""
    return Block({"type": "thinking", "thinking": words, "signature": f"sig-{next(_ids)}"})


def use(name: str, arguments: Json, use_id: str) -> Block:
    """A call of a server tool."""
    return Block({"type": "server_tool_use", "id": use_id, "name": name, "input": arguments})


def call(name: str, arguments: Json, use_id: str) -> Block:
    """A call of a client tool."""
    return Block({"type": "tool_use", "id": use_id, "name": name, "input": arguments})


def result(
    use_id: str, stdout: str = "", *, stderr: str = "", code: int = 0, tool: str = "code_execution", made: Sequence[Made] = ()
) -> Block:
    """The result of a server tool's call."""
    content: Json = {"type": f"{tool}_result", "stdout": stdout, "stderr": stderr, "return_code": code, "content": []}
    return Block({"type": f"{tool}_tool_result", "tool_use_id": use_id, "content": content}, tuple(made))


def refused(use_id: str, error_code: str, *, tool: str = "code_execution") -> Block:
    """The error result of a server tool's call."""
    content = {"type": f"{tool}_tool_result_error", "error_code": error_code}
    return Block({"type": f"{tool}_tool_result", "tool_use_id": use_id, "content": content})


def python(source: str, stdout: str = "", *, stderr: str = "", code: int = 0, made: Sequence[Made] = ()) -> list[Part]:
    """A Python cell and what it printed."""
    use_id = f"srvtoolu_{next(_ids):04}"
    return [
        use("code_execution", {"code": source}, use_id),
        result(use_id, stdout, stderr=stderr, code=code, made=made),
    ]


def bash(command: str, stdout: str = "", *, code: int = 0, made: Sequence[Made] = ()) -> list[Part]:
    """A shell command and what it printed."""
    use_id, tool = f"srvtoolu_{next(_ids):04}", "bash_code_execution"
    return [use(tool, {"command": command}, use_id), result(use_id, stdout, code=code, tool=tool, made=made)]


def stream_of(index: int, block: Json, piece: int = 7) -> Iterator[Json]:
    """The events of one block: text and inputs in small pieces, everything else whole in its start."""
    start: Json = dict(block)
    deltas: list[Json] = []
    match block["type"]:
        case "text":
            start["text"] = ""
            deltas = [{"type": "text_delta", "text": p} for p in _pieces(block["text"], piece)]
        case "thinking":
            start["thinking"], start["signature"] = "", ""
            deltas = [{"type": "thinking_delta", "thinking": p} for p in _pieces(block["thinking"], piece)]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
        case "server_tool_use" | "tool_use":
            start["input"] = {}
            written = json.dumps(block["input"])
            deltas = [{"type": "input_json_delta", "partial_json": p} for p in ["", *_pieces(written, piece)]]
        case _:
            pass
    yield {"type": "content_block_start", "index": index, "content_block": start}
    for delta in deltas:
        yield {"type": "content_block_delta", "index": index, "delta": delta}
    yield {"type": "content_block_stop", "index": index}


def recorded_stream(message: Json) -> list[Json]:
    """A recorded whole answer as the events it would have been streamed in."""
    start: Json = {k: v for k, v in message.items() if k != "container"}
    start |= {"content": [], "stop_reason": None}
    events: list[Json] = [{"type": "message_start", "message": start}]
    for index, block in enumerate(message["content"]):
        events += stream_of(index, block)
    delta = {"stop_reason": message["stop_reason"], "stop_sequence": None, "container": message.get("container")}
    return [*events, {"type": "message_delta", "delta": delta, "usage": message["usage"]}, {"type": "message_stop"}]


def _pieces(value: str, size: int) -> list[str]:
    return [value[i : i + size] for i in range(0, len(value), size)]
