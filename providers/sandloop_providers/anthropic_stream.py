"""One streamed reply of Claude as sandloop's events, wire event by wire event. Pure: it does no I/O.

The content blocks are put together as plain JSON, exactly as they came, because they must go back unchanged; a block type that
nobody has heard of goes back too.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandloop.events import CodeWritten, Event, ReplyEnded, ReplyStop, Text, Thinking, ToolCall, Usage
from sandloop_providers.anthropic_blocks import RESULT_TYPE, Output, is_code, outputs_of, ran_of, source_of
from sandloop_providers.anthropic_errors import Fault
from sandloop_providers.anthropic_open import OpenBlock
from sandloop_providers.untrusted import mapping, rows, text

STOPS: dict[str, ReplyStop] = {
    "pause_turn": "pause",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}
"""Every other reason is an end, `tool_use` too: the loop finds the code in the calls."""


ENDS = ("message_stop",)
REPLY_CHARS = 60_000_000
"""A reply of a million tokens has a tenth of this; more is a server that never ends."""


@dataclass(slots=True)
class Reading:
    """What has come of one reply so far."""

    family: str
    output_kept: int
    """Bytes kept of each of stdout and stderr of a step."""
    blocks: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    calls: list[ToolCall] = field(default_factory=list[ToolCall])
    outputs: list[Output] = field(default_factory=list[Output])
    model: str = ""
    container: str | None = None
    began: bool = False
    """Whether any content has come: from then on the request must not be sent again unnoticed."""
    cells: int = 0
    """Calls whose code the provider had whole, so that it may have run."""
    over: bool = False
    _open: dict[int, OpenBlock] = field(default_factory=dict[int, OpenBlock])
    _stopped: set[int] = field(default_factory=set[int])
    _usage: dict[str, Any] = field(default_factory=dict[str, Any])
    _stop: str = ""
    _details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    _chars: int = 0

    def take(self, event: Mapping[str, Any]) -> list[Event]:
        """The events that one wire event gives. Raises `Fault` for a stream that contradicts itself."""
        match event.get("type"):
            case "message_start":
                message = mapping(event.get("message"))
                self.model = text(message.get("model"))
                self._count(message.get("usage"))
                self._keep_container(message.get("container"))
            case "content_block_start":
                self.began = True
                self._bound(event.get("content_block"))
                return self._begin(_index(event), dict(mapping(event.get("content_block"))))
            case "content_block_delta":
                self._bound(event.get("delta"))
                return self._opened_at(event).grow(mapping(event.get("delta")))
            case "content_block_stop":
                if (index := _index(event)) in self._stopped and index not in self._open:
                    return []
                stopped = self._opened_at(event)
                self._stopped.add(index)
                del self._open[index]
                return self._close(stopped)
            case "message_delta":
                delta = mapping(event.get("delta"))
                self._stop = text(delta.get("stop_reason")) or self._stop
                self._details = mapping(delta.get("stop_details"))
                self._keep_container(delta.get("container"))
                self._count(event.get("usage"))
                return self._end() if self._stop else []
            case "message_stop":
                return self._end()
            case "message":  # a server that ignores `stream` answers with the whole
                return [told for piece in _pieces(event) for told in self.take(piece)]
            case _:  # pings, and whatever comes to be sent beside them
                pass
        return []

    def ended(self, *, container: str | None) -> ReplyEnded:
        """The reply as a whole. `container` is the one the request named: a reply may leave its own out."""
        stop = STOPS.get(self._stop, "end")
        return ReplyEnded(
            stop=stop,
            text=self._declined() if stop == "refusal" else self._said(),
            calls=tuple(self.calls),
            model=self.model,
            family=self.family,
            wire=json.dumps(self.blocks),
            container=self.container or container,
        )

    def usage(self) -> Usage | None:
        """The tokens of the reply as far as they are known; None before anything was counted. Costs are not known here."""
        if not self._usage:
            return None
        cached, written = self._tokens("cache_read_input_tokens"), self._tokens("cache_creation_input_tokens")
        thinking = mapping(self._usage.get("output_tokens_details")).get("thinking_tokens")
        return Usage(
            model=self.model,
            input_tokens=self._tokens("input_tokens") + cached + written,
            output_tokens=self._tokens("output_tokens"),
            cached_tokens=cached,
            cache_write_tokens=written,
            reasoning_tokens=_count(thinking),
        )

    @property
    def list_price(self) -> bool:
        """Whether the reply is billed as the price list says: neither the fast mode nor a reserved tier."""
        return self._usage.get("speed") in (None, "standard") and self._usage.get("service_tier") in (None, "standard")

    def _begin(self, index: int, block: dict[str, Any]) -> list[Event]:
        """A block begins. One that was not stopped before another took its index is whole."""
        before = self._open.get(index)
        if before is not None and before.block == block and not before.partial:
            return []
        self._open[index] = OpenBlock(dict(block))
        return [*(self._close(before) if before is not None else ()), *self._opened(block)]

    def _end(self) -> list[Event]:
        """The reply is over, and with it the blocks that nothing stopped."""
        self.over = True
        still_open, self._open = self._open, {}
        self._stopped.update(still_open)
        return [event for opened in still_open.values() for event in self._close(opened)]

    def _opened(self, block: dict[str, Any]) -> list[Event]:
        """Text may stand in the start of a block; result blocks come whole with it."""
        kind = text(block.get("type"))
        if kind == "text" and text(block.get("text")):
            return [Text(text=block["text"])]
        if kind == "thinking" and text(block.get("thinking")):
            return [Thinking(text=block["thinking"])]
        if RESULT_TYPE.fullmatch(kind):
            self.outputs += outputs_of(block)
            return [ran_of(block, kept=self.output_kept)]
        if kind == "container_upload":
            self.outputs += outputs_of(block)
        return []

    def _close(self, opened: OpenBlock) -> list[Event]:
        block = opened.block
        if not block.get("type"):
            return []
        self.blocks.append(block)
        if block["type"] not in ("server_tool_use", "tool_use"):
            return []
        whole = opened.finish()
        if whole is None:  # cut off: the loop asks for it again, nothing of it runs
            return []
        if block["type"] == "tool_use" and not text(block.get("id")):
            block["id"] = f"toolu_{secrets.token_hex(8)}"
        name, call_id = text(block.get("name")), text(block.get("id"))
        if block["type"] == "tool_use":
            self.calls.append(ToolCall(id=call_id, name=name, arguments=opened.partial or json.dumps(block["input"])))
            return []
        if not is_code(block):
            return []
        self.cells += 1
        language, source = source_of(name, whole)
        return [CodeWritten(code_id=call_id, language=language, source=source, origin="provider", call_id=call_id)]

    def _opened_at(self, event: Mapping[str, Any]) -> OpenBlock:
        opened = self._open.get(_index(event))
        if opened is None:
            raise Fault("unreadable", f"a {event.get('type')} for block {_index(event)}, which never began")
        return opened

    def _bound(self, piece: object) -> None:
        self._chars += sum(len(value) if isinstance(value, str) else 100 for value in mapping(piece).values())
        if self._chars > REPLY_CHARS:
            raise Fault("unreadable", f"the reply is longer than {REPLY_CHARS} characters")

    def _keep_container(self, container: object) -> None:
        self.container = text(mapping(container).get("id"))[:200] or self.container

    def _count(self, usage: object) -> None:
        """Later counts are cumulative and leave out what has not changed, or give it as 0."""
        for name, value in mapping(usage).items():
            if value is not None and not (isinstance(value, int) and value < _count(self._usage.get(name))):
                self._usage[name] = value

    def _tokens(self, name: str) -> int:
        return _count(self._usage.get(name))

    def _said(self) -> str:
        """All visible text; blocks that code stood between are paragraphs of their own."""
        parts: list[str] = []
        before = ""
        for block in self.blocks:
            kind = text(block.get("type"))
            if kind == "text" and text(block.get("text")):
                parts.append("\n\n" if parts and before != "text" else "")
                parts.append(block["text"])
            before = kind
        return "".join(parts)

    def _declined(self) -> str:
        why = [text(self._details.get("category")), text(self._details.get("explanation"))]
        return ": ".join(part for part in why if part) or self._said()


def _pieces(message: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield {"type": "message_start", "message": message}
    for index, block in enumerate(rows(message.get("content"))):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        yield {"type": "content_block_stop", "index": index}
    yield {"type": "message_delta", "delta": message}
    yield {"type": "message_stop"}


def _index(event: Mapping[str, Any]) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else -1


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
