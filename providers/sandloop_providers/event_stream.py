"""A streamed answer as JSON, payload by payload: server-sent events in every form that servers and proxies give them, or one body.

What carries no data is passed over, and `[DONE]` is the end. JSON without a frame is read as well: an answer in one piece, and the
error that some servers put into the middle of a stream.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from dataclasses import dataclass, field
from typing import cast

import anyio

from sandloop_providers.untrusted import mapping

EVENT_BYTES = 100_000_000
"""Of one event, and of an answer that comes in one piece: a picture may come in it."""
LINGER_SECONDS = 0.1
"""After the last event, for the server to end its answer: a connection whose answer was read to the end is used again."""
PAGE = "answered with a web page; the address may lack a part like /v1, or a proxy answers for it"
DONE = "[DONE]"
_LINE_END = re.compile(rb"\r\n|\n|\r")


async def payloads(pieces: AsyncIterator[bytes], ends: Collection[str] = ()) -> AsyncGenerator[tuple[str, object]]:
    """The name of each event, mostly empty, and its JSON. Raises `ValueError` for what holds neither events nor JSON.

    Args:
        ends: Types of events after which nothing is waited for, though the server may keep the connection open.
    """
    event, odd, found, over = _Event(), "", False, False
    async for line in _lines(pieces):
        if line:
            event.add(line)
            continue
        for payload in event.payloads():
            found = True
            over = over or str(mapping(payload).get("type") or event.name) in ends
            yield event.name, _called_error(payload, event.name)
        odd, over = odd or event.odd, over or event.is_last
        if over:
            await _linger(pieces)
            return
        event = _Event()
    for payload in event.payloads(cut_off=True):
        found = True
        yield event.name, _called_error(payload, event.name)
    if odd := "" if found else odd or event.odd:
        raise ValueError(f"it {PAGE}" if odd.startswith("<") else f"the answer is neither events nor JSON: {odd}")


@dataclass(slots=True)
class _Event:
    """The lines of one event."""

    name: str = ""
    data: list[str] = field(default_factory=list[str])
    bare: list[str] = field(default_factory=list[str])
    """Lines that are no field of an event."""
    odd: str = ""
    """The beginning of what could not be read."""
    is_last: bool = False

    def add(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self.is_last = self.is_last or value.strip() == DONE
                self.data += [] if not value.strip() or value.strip() == DONE else [value]
            case "event":
                self.name = value
            case "error":  # older llama.cpp
                self.bare.append(f'{{"error": {value}}}')
            case "" | "id" | "retry":
                pass
            case _:
                self.bare.append(line)

    def payloads(self, *, cut_off: bool = False) -> Iterator[object]:
        """Its JSON. Raises `ValueError` for data that is none, unless the stream was cut off within it."""
        try:
            yield from self._parsed()
        except ValueError:
            if not cut_off:
                raise ValueError(f"an event is no JSON: {self.data[0][:100]}") from None
        bare = "\n".join(self.bare).strip()
        try:
            whole: object = json.loads(bare) if bare.startswith(("{", "[")) else None
        except ValueError:
            whole = None
        yield from cast("list[object]", whole) if isinstance(whole, list) else [whole] if whole is not None else []
        self.odd = bare[:100] if whole is None else ""

    def _parsed(self) -> Iterator[object]:
        """One payload over all lines, or one in each, from servers that set no blank line between events."""
        if not self.data:
            return
        try:
            yield json.loads("\n".join(self.data))
        except ValueError:
            if len(self.data) == 1:
                raise
            for line in self.data:
                yield json.loads(line)


def _called_error(payload: object, name: str) -> object:
    """An error that is one by the event's name, or by holding nothing but what went wrong, in the form that all have in common."""
    facts = mapping(payload)
    nameless = not {"type", "choices"} & set(facts) and (name == "error" or isinstance(facts.get("message"), str))
    is_error = facts and not facts.get("error") and (nameless or facts.get("object") == "error")
    return {"error": facts} if is_error else payload


async def _lines(pieces: AsyncIterator[bytes]) -> AsyncGenerator[str]:
    """Lines without their ends, in linear time. Raises `ValueError` for an event beyond reason."""
    held, size, after_cr, begun = bytearray(), 0, False, False
    async for piece in pieces:
        *whole, rest = _LINE_END.split(piece.removeprefix(b"\n") if after_cr else piece)
        after_cr = piece.endswith(b"\r") or (after_cr and not piece)
        for line in whole:
            held += line
            size = size + len(held) if held else 0
            text = bytes(held) if begun else bytes(held).removeprefix(codecs.BOM_UTF8)
            held, begun = bytearray(), True
            yield text.decode("utf-8", "replace")
        held += rest
        if size + len(held) > EVENT_BYTES:
            raise ValueError(f"an event is longer than {EVENT_BYTES} bytes")
    if held:
        yield (bytes(held) if begun else bytes(held).removeprefix(codecs.BOM_UTF8)).decode("utf-8", "replace")


async def _linger(pieces: AsyncIterator[bytes]) -> None:
    import httpx2

    try:
        with anyio.move_on_after(LINGER_SECONDS):
            async for _ in pieces:
                pass
    except (httpx2.HTTPError, httpx2.StreamError):
        pass
