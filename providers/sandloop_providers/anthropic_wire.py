"""The conversation as the Messages API wants it. Pure: what needs reading or uploading comes in as an argument.

Two families, because their replies can't be exchanged: a reply of the native route holds calls and results of a tool that the
local route does not declare. The other family's reply goes back as its narrated text.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias

from sandloop.conversation import Asked, Message, Ran, Said
from sandloop.events import FileMade
from sandloop.prompts import TOOLS

NATIVE: Final = "anthropic-native"
LOCAL: Final = "anthropic-local"
CODE_TOOL = "code_execution_20260521"
"""The newest of the four; it tells Claude of its 90 seconds a cell."""
PICTURES = 4
"""Pictures shown in one request, the newest: each costs about 1,500 tokens, and a request may hold 32 MB."""
PICTURE_BYTES = 4_000_000
"""The API takes 5 MB of base64, which is a third longer than the bytes."""
STATE_GONE = (
    "(The container that ran your code so far is gone, with its variables and the files it made. "
    "The input files are there again; run again what you need.)"
)
GO_ON = "Go on."
NOT_RUN = "This call was cut off and not run."

Block: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Restart:
    """A container died. Every input file goes up again at message `at`; what was said from there to `until` is left out,
    since it may wait for a result that can't come."""

    at: int
    until: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A made picture, ready to be shown."""

    mime: str
    base64: str


def native_messages(messages: Sequence[Message], file_ids: Mapping[str, str], restart: Restart | None = None) -> list[Block]:
    """The messages of a native request: each file stands once, in the message of the question that brought it."""
    turns: list[tuple[str, list[Block]]] = []
    waiting: list[str] = []
    for position, message in enumerate(messages):
        if restart is not None and restart.at < position < restart.until:
            continue
        match message:
            case Asked(text=asked, files=files):
                blocks = [_text(asked)]
                waiting += files
                if restart is None or position >= restart.at:
                    if restart is not None and position == restart.at and _spoken(turns):
                        blocks.append(_text(STATE_GONE))
                    blocks += [{"type": "container_upload", "file_id": file_ids[f]} for f in waiting if f in file_ids]
                    waiting = []
                turns.append(("user", blocks))
            case Said():
                turns.append(("assistant", _said(message, NATIVE)))
            case Ran(results=results):
                turns.append(("user", [_text(r.text) for r in results]))
    merged = _merged(turns)
    for turn in merged[:-1]:
        if turn["role"] == "assistant":
            turn["content"] = _settled(turn["content"]) or [_text("(cut off)")]
    ours = bool(messages) and isinstance(last := messages[-1], Said) and last.family == NATIVE and bool(last.wire)
    return merged if ours else _ending_with_user(merged)


def local_messages(messages: Sequence[Message], pictures: Mapping[str, Picture]) -> list[Block]:
    """The messages of a local request: results of calls go back as `tool_result`, those of fenced blocks as text."""
    turns: list[tuple[str, list[Block]]] = []
    open_calls: list[str] = []
    for message in messages:
        match message:
            case Asked(text=asked):
                turns.append(("user", [_result(call, NOT_RUN, []) for call in open_calls] + [_text(asked)]))
                open_calls = []
            case Said():
                content = _said(message, LOCAL)
                turns.append(("assistant", content))
                open_calls += [str(b["id"]) for b in content if b.get("type") == "tool_use" and "id" in b]
            case Ran(results=results):
                answers: list[Block] = []
                texts: list[Block] = []
                for result in results:
                    shown = [_image(pictures[p.sha256]) for p in result.pictures if p.sha256 in pictures]
                    if result.call_id in open_calls:
                        open_calls.remove(result.call_id)
                        answers.append(_result(result.call_id, result.text, shown))
                    else:
                        texts += [_text(result.text), *shown]
                answers += [_result(call, NOT_RUN, []) for call in open_calls]
                open_calls = []
                turns.append(("user", answers + texts))
    if open_calls:
        turns.append(("user", [_result(call, NOT_RUN, []) for call in open_calls]))
    return _ending_with_user(_merged(turns))


def newest_pictures(messages: Sequence[Message]) -> list[FileMade]:
    """The made pictures to show: the newest few that are not too large."""
    made = {p.sha256: p for m in messages if isinstance(m, Ran) for r in m.results for p in r.pictures}
    return [p for p in made.values() if p.size <= PICTURE_BYTES][-PICTURES:]


def client_tools() -> list[Block]:
    """The tools of the local route in the envelope of this API."""
    return [{"name": t["name"], "description": t["description"], "input_schema": t["parameters"]} for t in TOOLS]


def _said(message: Said, family: Literal["anthropic-native", "anthropic-local"]) -> list[Block]:
    """A reply word for word when this family made it. Empty text blocks are left out: the API sends them and refuses them."""
    if message.family == family and message.wire:
        blocks: list[Block] = json.loads(message.wire)
        if "\\ud" in message.wire:  # half a surrogate pair, which models do send and UTF-8 can't hold
            blocks = json.loads(json.dumps(blocks, ensure_ascii=False).encode(errors="replace"))
        return [b for b in blocks if b.get("type") != "text" or str(b.get("text") or "").strip()]
    return [_text(message.narrated)] if message.narrated.strip() else []


def _settled(content: Iterable[Block]) -> list[Block]:
    """The content without server calls that have no result: a reply that broke off leaves one, and nothing will answer it."""
    blocks = list(content)
    answered = {b.get("tool_use_id") for b in blocks}
    return [b for b in blocks if b.get("type") != "server_tool_use" or b.get("id") in answered]


def _merged(turns: Iterable[tuple[str, list[Block]]]) -> list[Block]:
    """Turns of the same role in a row as one: the API wants them to alternate. Empty ones are left out."""
    merged: list[Block] = []
    for role, content in turns:
        if not content:
            continue
        if merged and merged[-1]["role"] == role:
            merged[-1]["content"] += content
        else:
            merged.append({"role": role, "content": list(content)})
    return merged


def _ending_with_user(merged: list[Block]) -> list[Block]:
    """The API refuses a conversation whose last word is the model's, except after a pause."""
    if merged and merged[-1]["role"] == "assistant":
        return [*merged, {"role": "user", "content": [_text(GO_ON)]}]
    return merged


def _spoken(turns: Sequence[tuple[str, list[Block]]]) -> bool:
    return any(role == "assistant" for role, _ in turns)


def _text(value: str) -> Block:
    return {"type": "text", "text": value if value.strip() else "(nothing)"}


def _image(picture: Picture) -> Block:
    return {"type": "image", "source": {"type": "base64", "media_type": picture.mime, "data": picture.base64}}


def _result(call_id: str, text: str, shown: Sequence[Block]) -> Block:
    return {"type": "tool_result", "tool_use_id": call_id, "content": [_text(text), *shown]}
