"""A content block while it is still being streamed: its pieces put together, its code shown as it is written. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from sandloop.events import CodeDelta, Event, Language, Text, Thinking
from sandloop_providers.anthropic_blocks import growing, is_code
from sandloop_providers.untrusted import mapping, text, whole_characters

CLIENT_TOOLS: dict[str, Language] = {"python": "python", "bash": "bash"}


@dataclass(slots=True)
class OpenBlock:
    """A block that has begun."""

    block: dict[str, Any]
    partial: str = ""
    """The JSON of its input, as far as it has come."""
    shown: str = ""
    """The code of that JSON that was given as `CodeDelta`."""

    def grow(self, delta: Mapping[str, Any]) -> list[Event]:
        """Take one delta; what there is to show of it."""
        block = self.block
        match delta.get("type"):
            case "text_delta":
                piece = text(delta.get("text"))
                block["text"] = text(block.get("text")) + piece
                return [Text(text=piece)] if piece else []
            case "thinking_delta":
                piece = text(delta.get("thinking"))
                block["thinking"] = text(block.get("thinking")) + piece
                return [Thinking(text=piece)] if piece else []
            case "signature_delta":
                block["signature"] = text(delta.get("signature"))
            case "citations_delta":
                block["citations"] = [*cast("list[object]", block.get("citations") or []), delta.get("citation")]
            case "input_json_delta":
                self.partial += text(delta.get("partial_json"))
                return self._new_code()
            case _:
                pass
        return []

    def finish(self) -> Mapping[str, Any] | None:
        """The whole input of a call, which the block then holds; None when it was cut off or is no object."""
        if not self.partial:
            self.block["input"] = at_once = dict(mapping(self.block.get("input")))
            return at_once
        try:
            value = json.loads(self.partial)
        except ValueError:
            value = None
        whole = cast("dict[str, Any]", value) if isinstance(value, dict) else None
        self.block["input"] = whole if whole is not None else dict(self._so_far())
        return whole

    def _new_code(self) -> list[Event]:
        """The code that the last piece of JSON completed."""
        name, arguments = text(self.block.get("name")), self._so_far()
        if is_code(self.block):
            language, now = growing(name, arguments)
        else:
            language, now = CLIENT_TOOLS.get(name, "text"), text(arguments.get("code"))
        if not now.startswith(self.shown) or len(now) == len(self.shown):
            return []
        piece, self.shown = now[len(self.shown) :], now
        return [CodeDelta(text=piece, language=language)]

    def _so_far(self) -> Mapping[str, Any]:
        from pydantic_core import from_json

        try:
            return mapping(from_json(whole_characters(self.partial), allow_partial="trailing-strings"))
        except ValueError:
            return {}
