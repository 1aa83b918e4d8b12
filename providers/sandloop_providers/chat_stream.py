"""What comes back from a chat-completions server, chunk by chunk, as events. Pure, and trusting nothing about the shape.

A chunk is plain JSON: `choices[0].delta`, or `.message` when a server answers in one piece.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeGuard, cast

from sandloop.events import CodeDelta, Event, ReplyEnded, ReplyStop, Text, Thinking, ToolCall, Usage
from sandloop_providers.chat_errors import Fault, fault_from_body
from sandloop_providers.chat_wire import FAMILY, assistant_message, code_of, tool_name
from sandloop_providers.http_errors import status_in
from sandloop_providers.thoughts import ThoughtSplitter

REPLY_CHARS = 20_000_000
"""A reply of a million tokens has a fifth of this; more is a server that never ends."""
CALLS = 64
CUT_OFF = ("length", "model_length", "max_tokens", "MAX_TOKENS")
"""The second is Mistral's; proxies hand on those of Claude and Gemini."""
GIVEN_UP = ("error", "abort", "insufficient_system_resource")
"""Of OpenRouter and Mistral, of vLLM, of DeepSeek: what came until then is no answer."""


@dataclass(slots=True)
class _Call:
    id: str = ""
    name: str = ""
    arguments: str = ""
    shown: int = 0
    """Characters of code that were given as `CodeDelta`."""
    parsed_at: int = 0

    def newly_written(self) -> Iterator[CodeDelta]:
        """The code that came since last time. Looked at when the arguments grew by a hundredth, so that time stays linear."""
        if len(self.arguments) - self.parsed_at < len(self.arguments) // 100:
            return
        self.parsed_at = len(self.arguments)
        code = code_of(self.arguments) or ""
        if len(code) > self.shown:
            yield CodeDelta(text=code[self.shown :], language="bash" if self.name == "bash" else "python")
            self.shown = len(code)


@dataclass(slots=True)
class Reading:
    """One reply, as it comes. `sends_back` names the fields of reasoning that the server wants to see again."""

    begins_inside: bool = False
    sends_back: tuple[str, ...] = ()
    began: bool = False
    """Whether anything of the reply has come."""
    finish: str | None = None
    model: str = ""
    reported: Mapping[str, Any] | None = None
    """The server's own count of tokens."""
    content: ThoughtSplitter = field(init=False)
    _calls: dict[int, _Call] = field(default_factory=dict[int, _Call])
    _moved: dict[int, int] = field(default_factory=dict[int, int])
    """Where the pieces of an index go on that was given to another call, too."""
    _reasoning: list[str] = field(default_factory=list[str])
    _details: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    _refusal: str = ""
    _chars: int = 0

    def __post_init__(self) -> None:
        self.content = ThoughtSplitter(begins_inside=self.begins_inside)

    def take(self, chunk: object) -> Iterator[Event]:
        """The events of one chunk. Raises `Fault` for an error object and for what is no chunk."""
        if not isinstance(chunk, Mapping):
            raise Fault("unreadable", f"a piece of the stream is {type(chunk).__name__}, not an object")
        whole = _mapping(cast("object", chunk))
        if whole.get("error"):
            raise fault_from_body(whole["error"], status=status_in(_mapping(whole["error"]), whole))
        if "choices" not in whole and (whole.get("detail") or whole.get("object") == "error"):
            raise fault_from_body(whole, status=None)
        self.model = _text(whole.get("model")) or self.model
        self.reported = _mapping(whole.get("usage")) or _mapping(_mapping(whole.get("x_groq")).get("usage")) or self.reported
        choices = _list(whole.get("choices"))
        choice: Mapping[str, Any] = _mapping(choices[0]) if choices else {}
        delta = _mapping(choice.get("delta"))
        if not delta and not (self.began and "delta" in choice):  # else a server that says all of it again at the end
            delta = _mapping(choice.get("message"))
        yield from self._reason(delta)
        yield from self._say(delta.get("content"))
        self._refusal += _text(delta.get("refusal"))
        for piece in _list(delta.get("tool_calls")):
            yield from self._call(_mapping(piece))
        finish = _text(choice.get("finish_reason"))
        if choice.get("error"):
            raise fault_from_body(choice["error"], status=status_in(_mapping(choice["error"])))
        if finish in GIVEN_UP:
            raise Fault("status", f"the server gave the reply up: {finish}", status=500)
        self.finish = finish or self.finish

    def end(self) -> Iterator[Event]:
        """What was held back."""
        yield from self.content.end(cut_off=self.finish in CUT_OFF)
        for call in self._calls.values():
            call.parsed_at = -len(call.arguments)
            yield from call.newly_written()

    def usage(self) -> Usage | None:
        """The tokens of the reply, without a price; None when the server did not count."""
        if not self.reported or not any(_is_count(self.reported.get(name)) for name in ("prompt_tokens", "completion_tokens")):
            return None
        went_in, came_out = (
            _mapping(self.reported.get("prompt_tokens_details")),
            _mapping(self.reported.get("completion_tokens_details")),
        )
        return Usage(
            model=self.model,
            input_tokens=_count(self.reported.get("prompt_tokens")),
            output_tokens=_count(self.reported.get("completion_tokens")),
            cached_tokens=_count(went_in.get("cached_tokens")) or _count(self.reported.get("prompt_cache_hit_tokens")),
            cache_write_tokens=_count(went_in.get("cache_write_tokens")),
            reasoning_tokens=_count(came_out.get("reasoning_tokens")),
        )

    def ended(self) -> ReplyEnded:
        """The whole reply."""
        calls = tuple(ToolCall(id=c.id or _new_id(), name=tool_name(c.name), arguments=c.arguments) for c in self._calls.values())
        text = self.content.text or self._refusal
        wire = assistant_message(text, calls, self._sent_back() if calls else {})
        return ReplyEnded(stop=self._stop(calls), text=text, calls=calls, model=self.model, family=FAMILY, wire=json.dumps(wire))

    def _stop(self, calls: Sequence[ToolCall]) -> ReplyStop:
        """A reply with calls is a turn of tools whatever the server says, unless the last call itself is cut off."""
        if calls:
            return "length" if self.finish in CUT_OFF and not _is_json(calls[-1].arguments) else "end"
        if self.finish in ("content_filter", "refusal") or (self._refusal and not self.content.text):
            return "refusal"
        return "length" if self.finish in CUT_OFF else "end"

    def _sent_back(self) -> dict[str, Any]:
        extra: dict[str, Any] = {}
        if "reasoning_content" in self.sends_back:
            extra["reasoning_content"] = "".join(self._reasoning)
        if "reasoning_details" in self.sends_back and self._details:
            extra["reasoning_details"] = self._details
        return extra

    def _reason(self, delta: Mapping[str, Any]) -> Iterator[Thinking]:
        details = [_mapping(d) for d in _list(delta.get("reasoning_details"))]
        if "reasoning_details" in self.sends_back:
            for piece in details:
                _merge(self._details, piece)
        in_details = "".join(_text(d.get("text")) or _text(d.get("summary")) for d in details)
        said = _text(delta.get("reasoning_content")) or _text(delta.get("reasoning")) or in_details
        if said:
            self.content.no_tags()
            self._reasoning.append(said)
            self._grow(said)
            yield Thinking(text=said)

    def _say(self, content: object) -> Iterator[Text | Thinking]:
        if isinstance(content, str):
            if content:
                self._grow(content)
                yield from self.content.feed(content)
            return
        for part in _list(content):
            piece = _mapping(part)
            if piece.get("type") == "thinking":
                thought = piece.get("thinking")
                said = _text(thought) or "".join(_text(_mapping(t).get("text")) for t in _list(thought))
                self._grow(said)
                yield Thinking(text=said)
            else:
                yield from self._say(_text(piece.get("text")))

    def _call(self, piece: Mapping[str, Any]) -> Iterator[CodeDelta]:
        function = _mapping(piece.get("function"))
        name, call_id, arguments = _text(function.get("name")), _text(piece.get("id")), function.get("arguments")
        position = self._position(piece.get("index"), call_id, name)
        if position not in self._calls and len(self._calls) >= CALLS:
            raise Fault("unreadable", f"the reply has more than {CALLS} tool calls")
        call = self._calls.setdefault(position, _Call())
        call.id = call.id or call_id
        if name and name != call.name and not call.arguments:
            call.name += name
        grown = arguments if isinstance(arguments, str) else json.dumps(arguments) if isinstance(arguments, dict) else ""
        call.arguments += grown
        self._grow(grown or name)
        yield from call.newly_written()

    def _position(self, index: object, call_id: str, name: str) -> int:
        """Which call a piece belongs to. Some servers leave the index out, or give every call the index 0 with a new id."""
        newest = max(self._calls, default=-1)
        if not isinstance(index, int) or isinstance(index, bool):
            if call_id:
                return next((at for at, c in self._calls.items() if c.id == call_id), newest + 1)
            return newest + 1 if name or newest < 0 else newest
        position = self._moved.get(index, index)
        known = self._calls.get(position)
        if known is not None and call_id and name and known.id and known.id != call_id:
            at = next((at for at, c in self._calls.items() if c.id == call_id), newest + 1)
            self._moved[index] = at
            return at
        return position

    def _grow(self, text: str) -> None:
        self.began = self.began or bool(text)
        self._chars += len(text)
        if self._chars > REPLY_CHARS:
            raise Fault("unreadable", f"the reply is longer than {REPLY_CHARS} characters")


def _merge(details: list[dict[str, Any]], piece: Mapping[str, Any]) -> None:
    """Put a streamed piece of `reasoning_details` to its entry, so that what goes back is what a whole answer would hold."""
    last = details[-1] if details else None
    if last is None or (last.get("type"), last.get("index")) != (piece.get("type"), piece.get("index")):
        details.append(dict(piece))
        return
    for name, value in piece.items():
        if name in ("text", "summary", "data") and isinstance(value, str) and isinstance(last.get(name), str):
            last[name] += value
        elif value is not None:
            last[name] = value


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _new_id() -> str:
    """Nine letters and digits: the one form that every server takes back, Mistral's own included."""
    return secrets.token_hex(5)[:9]


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def _list(value: object) -> Sequence[object]:
    return cast("list[object]", value) if isinstance(value, list) else ()


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _is_count(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _count(value: object) -> int:
    return value if _is_count(value) else 0
