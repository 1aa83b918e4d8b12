"""One streamed reply of Gemini as sandloop's events, chunk by chunk. Pure: it does no I/O.

A chunk is a whole `GenerateContentResponse` with a few parts. Neighbouring pieces of text are put together again, so that the reply
goes back as it would have come in one piece; everything else goes back as it came, unknown parts too.
"""

from __future__ import annotations

import base64
import binascii
import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sandloop.events import CodeRan, CodeWritten, Event, ReplyEnded, ReplyStop, Text, Thinking, ToolCall, Usage
from sandloop_providers.gemini_wire import NATIVE
from sandloop_providers.http_errors import said_in, status_in
from sandloop_providers.plain_http import Fault
from sandloop_providers.remote_runs import PICTURE_TYPES, Inline, error_in, head_and_tail
from sandloop_providers.untrusted import mapping, rows, text

REPLY_CHARS = 60_000_000
REFUSALS = frozenset({"SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR", "IMAGE_SAFETY"})
STOPS: dict[str, ReplyStop] = {"MAX_TOKENS": "length", "CONTINUATION": "pause"}


@dataclass(slots=True)
class Reading:
    """What has come of one reply so far."""

    family: str
    output_kept: int
    parts: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    calls: list[ToolCall] = field(default_factory=list[ToolCall])
    pictures: list[Inline] = field(default_factory=list[Inline])
    model: str = ""
    began: bool = False
    """Whether anything of the reply has come: from then on the request must not be sent again unnoticed."""
    cells: int = 0
    over: bool = False
    _finish: str = ""
    _said: str = ""
    _usage: Mapping[str, Any] = field(default_factory=dict[str, Any])
    _open: list[str] = field(default_factory=list[str])
    """Cells whose result has not come, by our id and in order: Gemini 2.5 pairs them by position only."""
    _ids: dict[str, str] = field(default_factory=dict[str, str])
    _last: str = ""
    _chars: int = 0

    def take(self, chunk: object) -> Iterator[Event]:
        """The events of one chunk. Raises `Fault` for an error object and for what is no chunk."""
        if not isinstance(chunk, Mapping):
            raise Fault("unreadable", f"a piece of the stream is {type(chunk).__name__}, not an object")
        whole = mapping(chunk)  # pyright: ignore[reportUnknownArgumentType]
        if whole.get("error"):
            raise Fault("status", said_in(whole), status=status_in(mapping(whole["error"]), whole) or 500, body=whole)
        self.model = text(whole.get("modelVersion")) or self.model
        self._usage = mapping(whole.get("usageMetadata")) or self._usage
        if blocked := text(mapping(whole.get("promptFeedback")).get("blockReason")):
            self._finish, self._said, self.over = "SAFETY", f"the question was blocked: {blocked}", True
        candidates = rows(whole.get("candidates"))
        candidate: Mapping[str, Any] = candidates[0] if candidates else {}
        for part in rows(mapping(candidate.get("content")).get("parts")):
            self.began = True
            yield from self._part(dict(part))
        if finish := text(candidate.get("finishReason")):
            self._finish, self.over = finish, True
            self._said = text(candidate.get("finishMessage")) or self._said

    def ended(self) -> ReplyEnded:
        """The reply as a whole."""
        refused = self._finish in REFUSALS
        visible = self._text()
        return ReplyEnded(
            stop="refusal" if refused else STOPS.get(self._finish, "end"),
            text=(self._said or f"the reply was stopped: {self._finish}") if refused else visible or self._failed_call(),
            calls=tuple(self.calls),
            model=self.model,
            family=self.family,
            wire=json.dumps(self.parts),
        )

    def usage(self) -> Usage | None:
        """The tokens of the reply; None when nothing was counted. Of a stream only the last count is right."""
        if not self._usage:
            return None
        thoughts = _count(self._usage.get("thoughtsTokenCount"))
        return Usage(
            model=self.model,
            input_tokens=_count(self._usage.get("promptTokenCount")) + _count(self._usage.get("toolUsePromptTokenCount")),
            output_tokens=_count(self._usage.get("candidatesTokenCount")) + thoughts,
            cached_tokens=_count(self._usage.get("cachedContentTokenCount")),
            reasoning_tokens=thoughts,
        )

    def unanswered(self) -> Iterator[CodeRan]:
        """Cells that the reply ended without telling what came of them."""
        for code_id in self._open:
            yield CodeRan(code_id=code_id, exit_code=None, stopped_by="provider", state="unknown", outcome="unknown")
        self._open = []

    def _part(self, part: dict[str, Any]) -> Iterator[Event]:
        self._chars += len(json.dumps(part))
        if self._chars > REPLY_CHARS:
            raise Fault("unreadable", f"the reply is longer than {REPLY_CHARS} characters")
        self._keep(part)
        if piece := text(part.get("text")):
            yield Thinking(text=piece) if part.get("thought") is True else Text(text=piece)
        if isinstance(part.get("executableCode"), Mapping):
            yield self._written(mapping(part["executableCode"]))
        if isinstance(part.get("codeExecutionResult"), Mapping):
            yield self._ran(mapping(part["codeExecutionResult"]))
        if isinstance(part.get("functionCall"), Mapping):
            call = mapping(part["functionCall"])
            call_id = text(call.get("id")) or f"call-{secrets.token_hex(4)}"
            self.calls.append(ToolCall(id=call_id, name=text(call.get("name")), arguments=json.dumps(call.get("args") or {})))
        if isinstance(part.get("inlineData"), Mapping):
            self._picture(mapping(part["inlineData"]))

    def _keep(self, part: dict[str, Any]) -> None:
        """As it goes back: no pictures, which cost tokens, and text in one piece up to its signature."""
        if "inlineData" in part and self.family == NATIVE:
            return
        last = self.parts[-1] if self.parts else {}
        joins = set(last) <= {"text", "thought"} and last.get("thought") == part.get("thought")
        if joins and isinstance(last.get("text"), str) and isinstance(part.get("text"), str):
            self.parts[-1] = {**last, **part, "text": last["text"] + part["text"]}
        else:
            self.parts.append(part)

    def _written(self, code: Mapping[str, Any]) -> CodeWritten:
        self.cells += 1
        theirs = text(code.get("id"))
        code_id = f"g-{secrets.token_hex(5)}"
        if theirs:
            self._ids[theirs] = code_id
        self._open.append(code_id)
        self._last = code_id
        return CodeWritten(code_id=code_id, language="python", source=text(code.get("code")), origin="provider")

    def _ran(self, result: Mapping[str, Any]) -> CodeRan:
        code_id = self._ids.get(text(result.get("id")), "")
        if code_id not in self._open:
            code_id = self._open[-1] if self._open else self._last
        if code_id in self._open:
            self._open.remove(code_id)
        output, outcome = text(result.get("output")), text(result.get("outcome"))
        kept, cut = head_and_tail(output, self.output_kept)
        if outcome == "OUTCOME_OK":
            return CodeRan(code_id=code_id, exit_code=0, stdout=kept, stdout_cut=cut, state="unknown")
        if outcome == "OUTCOME_DEADLINE_EXCEEDED":
            return CodeRan(code_id=code_id, exit_code=124, stderr=kept, stderr_cut=cut, stopped_by="time", state="unknown")
        if outcome == "OUTCOME_FAILED":
            return CodeRan(code_id=code_id, exit_code=1, stderr=kept, stderr_cut=cut, error=error_in(output), state="unknown")
        return CodeRan(code_id=code_id, exit_code=None, stdout=kept, stdout_cut=cut, state="unknown", outcome="unknown")

    def _picture(self, inline: Mapping[str, Any]) -> None:
        mime = text(inline.get("mimeType"))
        if mime not in PICTURE_TYPES:
            return
        try:
            data = base64.b64decode(text(inline.get("data")).replace("-", "+").replace("_", "/"), validate=True)
        except (binascii.Error, ValueError):
            return
        self.pictures.append(Inline(self._last, mime, data))

    def _text(self) -> str:
        """All visible text; parts that code stood between are paragraphs of their own."""
        texts = [text(p.get("text")) for p in self.parts if p.get("thought") is not True]
        return "\n\n".join(t.strip("\n") for t in texts if t.strip())

    def _failed_call(self) -> str:
        """What the server says of a call that it could not read: code may be found in it."""
        return self._said if self._finish == "MALFORMED_FUNCTION_CALL" else ""


def _count(value: object) -> int:
    return value if isinstance(value, int) and value > 0 else 0
