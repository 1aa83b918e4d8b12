"""One reply of Mistral's Conversations API as sandloop's events. Pure, and trusting nothing about the shape: the API is in beta,
and its own samples leave fields out that its SDK demands."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sandloop.conversation import Asked, Message, Ran, Said
from sandloop.events import CodeRan, CodeWritten, Event, ReplyEnded, Text, Thinking, Usage
from sandloop_providers.http_errors import said_in, status_in
from sandloop_providers.plain_http import Fault
from sandloop_providers.remote_runs import error_in, head_and_tail
from sandloop_providers.untrusted import mapping, rows, text

NATIVE = "mistral-native"
INTERPRETER = "code_interpreter"
ENDS = ("conversation.response.done", "conversation.response.error")
REPLY_CHARS = 20_000_000
NATIVE_RULES = """\
You answer questions by running Python with your code interpreter.
- Never make up a number: compute it and print it.
- There is no network, and nothing can be installed.
- End with the answer in plain words and numbers."""


@dataclass(frozen=True, slots=True)
class ToolFile:
    """A file that a reply names."""

    file_id: str
    name: str
    code_id: str | None


@dataclass(slots=True)
class Reading:
    """What has come of one reply so far."""

    output_kept: int
    model: str = ""
    began: bool = False
    cells: int = 0
    over: bool = False
    files: list[ToolFile] = field(default_factory=list[ToolFile])
    _said: list[str] = field(default_factory=list[str])
    _usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    _arguments: dict[str, str] = field(default_factory=dict[str, str])
    _running: set[str] = field(default_factory=set[str])
    """Cells that were told to have begun, and are counted."""
    _last: str | None = None
    _chars: int = 0

    def take(self, event: object) -> Iterator[Event]:
        """The events of one wire event, or of a whole answer. Raises `Fault` for an error."""
        if not isinstance(event, Mapping):
            raise Fault("unreadable", f"a piece of the stream is {type(event).__name__}, not an object")
        wire = mapping(event)  # pyright: ignore[reportUnknownArgumentType]
        self._chars += len(json.dumps(wire, default=str))
        if self._chars > REPLY_CHARS:
            raise Fault("unreadable", f"the reply is longer than {REPLY_CHARS} characters")
        match text(wire.get("type")):
            case "tool.execution.started" | "tool.execution.delta":
                self.began = True
                key = text(wire.get("id"))
                if INTERPRETER in text(wire.get("name")) and key not in self._running:
                    self._running.add(key)
                    self.cells += 1
                self._arguments[key] = self._arguments.get(key, "") + text(wire.get("arguments"))
            case "tool.execution.done" | "tool.execution":
                yield from self._executed(wire)
            case "message.output.delta" | "message.output":
                yield from self._content(wire.get("content"))
            case "conversation.response.done":
                self._usage, self.over = mapping(wire.get("usage")) or self._usage, True
            case "conversation.response.error":
                raise _fault(wire)
            case _ if isinstance(wire.get("outputs"), list):  # a whole answer
                for output in rows(wire["outputs"]):
                    yield from self.take(output)
                self._usage, self.over = mapping(wire.get("usage")), True
            case _ if wire.get("object") == "error" or wire.get("error"):
                raise _fault(wire)
            case _:  # beginnings, hand-offs, and whatever comes to be sent beside them
                self.model = text(wire.get("model")) or self.model

    def ended(self) -> ReplyEnded:
        """The reply as a whole."""
        return ReplyEnded(stop="end", text="".join(self._said).strip(), model=self.model, family=NATIVE)

    def usage(self) -> Usage | None:
        """The tokens of the reply; None when nothing was counted. What the interpreter read counts as input."""
        if not self._usage:
            return None
        into = _count(self._usage.get("prompt_tokens")) + _count(self._usage.get("connector_tokens"))
        return Usage(model=self.model, input_tokens=into, output_tokens=_count(self._usage.get("completion_tokens")))

    def _executed(self, wire: Mapping[str, Any]) -> Iterator[Event]:
        self.began = True
        key, info = text(wire.get("id")), mapping(wire.get("info"))
        arguments = self._arguments.pop(key, "")
        if INTERPRETER not in text(wire.get("name")) and not info.get("code"):
            return
        code_id = key or f"m-{secrets.token_hex(5)}"
        source = text(info.get("code")) or _code_in(text(wire.get("arguments")) or arguments)
        self.cells, self._last = self.cells + (key not in self._running), code_id
        self._running.discard(key)
        yield CodeWritten(code_id=code_id, language="python", source=source, origin="provider")
        output = text(info.get("code_output"))
        kept, cut = head_and_tail(output, self.output_kept)
        error = error_in(output)
        yield CodeRan(
            code_id=code_id,
            exit_code=1 if error is not None else None,
            stdout=kept,
            stdout_cut=cut,
            error=error,
            state="unknown",
            outcome="known" if output.strip() else "unknown",
        )

    def _content(self, content: object) -> Iterator[Event]:
        self.began = True
        chunks: list[object] = cast("list[object]", content) if isinstance(content, list) else [content]
        for chunk in chunks:
            if isinstance(chunk, str):
                yield from self._say(chunk)
                continue
            facts = mapping(chunk)
            match facts.get("type"):
                case "text":
                    yield from self._say(text(facts.get("text")))
                case "thinking":
                    inner: object = facts.get("thinking")
                    thought = text(inner) or "".join(text(part.get("text")) for part in rows(inner))
                    if thought:
                        yield Thinking(text=thought)
                case "tool_file" if text(facts.get("file_id")):
                    name = text(facts.get("file_name")) or text(facts["file_id"])
                    ending = text(facts.get("file_type"))
                    name = name if "." in name or not ending.isalnum() else f"{name}.{ending}"
                    self.files.append(ToolFile(text(facts["file_id"]), name, self._last))
                case _:
                    pass

    def _say(self, piece: str) -> Iterator[Event]:
        if piece:
            self._said.append(piece)
            yield Text(text=piece)


def native_inputs(messages: Sequence[Message], files: Mapping[str, str]) -> list[dict[str, str]]:
    """The conversation as text: replies are narrated with their code and output, small text files stand in their question."""
    inputs: list[dict[str, str]] = []
    for message in messages:
        match message:
            case Asked(text=asked, files=names):
                parts = [f"{name}:\n{files[name]}" for name in names if name in files]
                _add(inputs, "user", "\n\n".join([*parts, asked]))
            case Said():
                _add(inputs, "assistant", message.narrated)
            case Ran(results=results):
                _add(inputs, "user", "\n\n".join(r.text for r in results))
    if inputs and inputs[-1]["role"] == "assistant":
        _add(inputs, "user", "Go on.")
    return inputs


def _add(inputs: list[dict[str, str]], role: str, content: str) -> None:
    if not content.strip():
        return
    if inputs and inputs[-1]["role"] == role:
        inputs[-1]["content"] += "\n\n" + content
    else:
        inputs.append({"role": role, "content": content})


def _code_in(arguments: str) -> str:
    try:
        found: object = json.loads(arguments)
    except ValueError:
        return arguments
    return text(mapping(found).get("code")) or arguments


def _fault(wire: Mapping[str, Any]) -> Fault:
    return Fault("status", said_in(wire) or "no reason given", status=status_in(mapping(wire.get("error")), wire) or 500)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
