"""One streamed reply of the Responses API as sandloop's events, wire event by wire event. Pure: it does no I/O.

The output items are kept as plain JSON, exactly as they came, since they must go back unchanged and in order: a reasoning item
stands directly before what it led to.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandloop.events import CodeDelta, CodeRan, Event, ReplyEnded, ReplyStop, Text, Thinking, ToolCall, Usage
from sandloop_providers.chat_errors import Fault, fault_from_body
from sandloop_providers.chat_wire import code_of
from sandloop_providers.http_errors import status_in
from sandloop_providers.remote_runs import Inline
from sandloop_providers.responses_items import (
    Cited,
    citations_of,
    container_of,
    is_refusal,
    pictures_of,
    plain_json,
    ran_of,
    said_in,
    written_of,
)
from sandloop_providers.untrusted import mapping, rows, text

ENDS = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")
REPLY_CHARS = 60_000_000
"""Pictures come inside the stream. More is a server that never ends."""


@dataclass(slots=True)
class Reading:
    """What has come of one reply so far."""

    family: str
    output_kept: int
    items: list[Mapping[str, Any]] = field(default_factory=list[Mapping[str, Any]])
    pictures: list[Inline] = field(default_factory=list[Inline])
    cited: list[Cited] = field(default_factory=list[Cited])
    model: str = ""
    container: str = ""
    began: bool = False
    """Whether anything of the reply has come: from then on the request must not be sent again unnoticed."""
    cells: int = 0
    """Pieces of code that the provider had whole, so that they may have run."""
    over: bool = False
    last_code: str | None = None
    _status: str = ""
    _why: str = ""
    _usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    _written: set[str] = field(default_factory=set[str])
    _begun: set[str] = field(default_factory=set[str])
    _ran: set[str] = field(default_factory=set[str])
    _calls: dict[str, str] = field(default_factory=dict[str, str])
    """Arguments of each function call so far, by the item's id."""
    _shown: dict[str, int] = field(default_factory=dict[str, int])
    _said: str = ""
    """The visible text so far."""
    _told: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])
    """Type and id of each item."""
    _chars: int = 0

    def take(self, event: object) -> Iterator[Event]:
        """The events that one wire event gives. Raises `Fault` for an error and for what is no event."""
        if not isinstance(event, Mapping):
            raise Fault("unreadable", f"a piece of the stream is {type(event).__name__}, not an object")
        wire = mapping(event)  # pyright: ignore[reportUnknownArgumentType]
        kind = text(wire.get("type"))
        match kind:
            case "response.created" | "response.in_progress" | "response.queued":
                self.model = text(mapping(wire.get("response")).get("model")) or self.model
            case "response.output_text.delta" | "response.refusal.delta":
                yield from self._piece(wire, Text)
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield from self._piece(wire, Thinking)
            case "response.code_interpreter_call_code.delta":
                yield from self._piece(wire, CodeDelta)
            case "response.function_call_arguments.delta":
                yield from self._grown(wire)
            case "response.code_interpreter_call.interpreting":
                self._count(text(wire.get("item_id")))
            case "response.output_item.added":
                self.began = True
                self._name(mapping(wire.get("item")))
            case "response.output_item.done":
                self.began = True
                yield from self._done(mapping(wire.get("item")))
            case _ if kind in ENDS:
                yield from self._end(mapping(wire.get("response")), kind.removeprefix("response."))
            case "error":
                raise fault_from_body(mapping(wire.get("error")) or wire, status=None)
            case _ if wire.get("object") == "response":  # a server that ignores `stream` answers with the whole
                yield from self._end(wire, "completed")
            case _ if wire.get("error"):
                raise fault_from_body(wire["error"], status=status_in(mapping(wire["error"]), wire))
            case _:  # beginnings, progress, and whatever comes to be sent beside them
                pass

    def ended(self, *, container: str | None) -> ReplyEnded:
        """The reply as a whole. `container` is the one the request named."""
        texts = [said for item in self.items if (said := said_in(item))]
        refused = self._why == "content_filter" or any(is_refusal(item) for item in self.items)
        stop: ReplyStop = "refusal" if refused else "length" if self._status == "incomplete" else "end"
        return ReplyEnded(
            stop=stop,
            text="\n\n".join(texts),
            calls=tuple(
                ToolCall(id=text(i.get("call_id")), name=text(i.get("name")), arguments=_arguments(i))
                for i in self.items
                if i.get("type") == "function_call" and i.get("status") in ("completed", None)
            ),
            model=self.model,
            family=self.family,
            wire=plain_json(self.items),
            container=self.container or container,
        )

    def usage(self) -> Usage | None:
        """The tokens of the reply; None when nothing was counted. Costs are not known here."""
        if not self._usage:
            return None
        into, out = mapping(self._usage.get("input_tokens_details")), mapping(self._usage.get("output_tokens_details"))
        return Usage(
            model=self.model,
            input_tokens=_count(self._usage.get("input_tokens")),
            output_tokens=_count(self._usage.get("output_tokens")),
            cached_tokens=_count(into.get("cached_tokens")),
            cache_write_tokens=_count(into.get("cache_write_tokens")),
            reasoning_tokens=_count(out.get("reasoning_tokens")),
        )

    @property
    def reported(self) -> Mapping[str, Any]:
        """The usage in the server's own fields."""
        return self._usage

    def _piece(self, wire: Mapping[str, Any], kind: type[Text | Thinking | CodeDelta]) -> Iterator[Event]:
        self.began = True
        delta = text(wire.get("delta"))
        self._chars += len(delta)
        if self._chars > REPLY_CHARS:
            raise Fault("unreadable", f"the reply is longer than {REPLY_CHARS} characters")
        if delta:
            if kind is Text:
                self._said += delta
            yield kind(text=delta)

    def _name(self, item: Mapping[str, Any]) -> None:
        if item.get("type") == "function_call":
            self._calls[text(item.get("id"))] = ""
            self._shown[text(item.get("id"))] = 0

    def _grown(self, wire: Mapping[str, Any]) -> Iterator[Event]:
        """Code inside the arguments of our own tools, shown when these grew by a hundredth, so that time stays linear."""
        item, delta = text(wire.get("item_id")), text(wire.get("delta"))
        before = self._calls.get(item, "")
        self._calls[item] = now = before + delta
        if len(now) // 100 == len(before) // 100 and len(now) > 2000:
            return
        code = code_of(now) or ""
        if len(code) > self._shown.get(item, 0):
            yield CodeDelta(text=code[self._shown.get(item, 0) :])
            self._shown[item] = len(code)

    def _done(self, item: Mapping[str, Any]) -> Iterator[Event]:
        self._chars += len(json.dumps(item, default=str))
        if self._chars > REPLY_CHARS:
            raise Fault("unreadable", f"the reply is longer than {REPLY_CHARS} characters")
        if not self._told.isdisjoint(_ids(item)):
            return
        self._told |= _ids(item)
        self.items.append(item)
        yield from self._code(item)
        self.pictures += pictures_of(item)
        self.cited += citations_of(item)
        self.container = container_of(item) or self.container

    def _code(self, item: Mapping[str, Any]) -> Iterator[Event]:
        written, ran = written_of(item), ran_of(item, kept=self.output_kept)
        if written is not None and written.code_id not in self._written:
            self._written.add(written.code_id)
            self._count(written.code_id)
            self.last_code = written.code_id
            yield written
        if ran is not None and ran.code_id not in self._ran:
            self._ran.add(ran.code_id)
            yield ran

    def _count(self, code_id: str) -> None:
        self._begun.add(code_id)
        self.cells = len(self._begun)

    def _end(self, response: Mapping[str, Any], status: str) -> Iterator[Event]:
        """The whole reply again. Items that the stream left out are taken from it. The others are known by their ids; where there
        are none, or a proxy makes them up anew each time, by their place."""
        self.model = text(response.get("model")) or self.model
        self._usage = mapping(response.get("usage")) or self._usage
        self._status = text(response.get("status")) or status
        self._why = text(mapping(response.get("incomplete_details")).get("reason"))
        streamed = [item.get("type") for item in self.items]
        output, ids = rows(response.get("output")), {text(item.get("id")) for item in self.items}
        has_ids = any(item.get("id") and text(item["id"]) in ids for item in output)
        for place, item in enumerate(output):
            if (has_ids and item.get("id")) or streamed[place : place + 1] != [item.get("type")]:
                yield from self._done(item)
                if not streamed and not self._said and (said := said_in(item)):
                    yield Text(text=said)
        if self._said and not any(said_in(item) for item in self.items):
            self.items.append({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": self._said}]})
        self.began = self.began or bool(self.items)
        if self._status in ("failed", "cancelled"):
            raise fault_from_body(mapping(response.get("error")) or {"message": f"the reply is {self._status}"}, status=None)
        self.over = True

    def unanswered(self) -> Iterator[CodeRan]:
        """Cells that the reply broke off before telling what came of them."""
        for code_id in sorted(self._written - self._ran):
            yield CodeRan(code_id=code_id, exit_code=None, stopped_by="provider", state="unknown", outcome="unknown")


def _ids(item: Mapping[str, Any]) -> set[tuple[str, str]]:
    kind = text(item.get("type"))
    return {(kind, told) for told in (text(item.get("id")), text(item.get("call_id"))) if told}


def _arguments(item: Mapping[str, Any]) -> str:
    given = item.get("arguments")
    return json.dumps(given) if isinstance(given, dict) else text(given)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
