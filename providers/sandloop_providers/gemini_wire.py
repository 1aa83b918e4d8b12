"""The conversation as `generateContent` wants it. Pure: what needs reading or uploading comes in as an argument.

Two families, because their replies can't be exchanged: a reply of the native route holds parts of a tool that the local route does
not declare. The other family's reply goes back as its narrated text. Own parts go back exactly as they came, signatures included.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeAlias

from sandloop.conversation import Asked, Message, Ran, Said
from sandloop.prompts import TOOLS, local_instructions

NATIVE: Final = "gemini-native"
LOCAL: Final = "gemini-local"
NATIVE_RULES = """\
You answer questions about the user's files by running Python with your code execution tool.
- Never guess what a file holds, and never make up a number: read it, compute it, print it.
- The user's files come with the messages, each after its name. In your code's folder they may lie as input_file_0, input_file_1 \
and so on, in that order: list the folder first, and where a file is not there put its content into the code.
- A run may take 30 seconds. There is no network, and nothing can be installed. Variables are gone in the user's next question.
- Show charts with matplotlib's plt.show(). No other file reaches the user, so put tables into the answer.
- End with the answer in plain words and numbers."""
NOT_RUN = "This call was cut off and not run."

Part: TypeAlias = dict[str, Any]


def native_request(messages: Sequence[Message], files: Mapping[str, Part]) -> dict[str, Any]:
    """The parts of a native request. `files` are the inputs by name, ready to go: inline, or by the address of an upload."""
    turns: list[tuple[str, list[Part]]] = []
    for message in messages:
        match message:
            case Asked(text=asked, files=names):
                parts = [part for name in names if name in files for part in (_text(f"{name}:"), files[name])]
                turns.append(("user", [*parts, _text(asked)]))
            case Said():
                turns.append(("model", _said(message, NATIVE)))
            case Ran(results=results):
                turns.append(("user", [_text(r.text) for r in results]))
    return _request(turns, NATIVE_RULES, [{"codeExecution": {}}])


def local_request(messages: Sequence[Message], pictures: Mapping[str, Part], *, tools: bool) -> dict[str, Any]:
    """The parts of a local request: results of calls go back as `functionResponse`, those of fenced blocks as text."""
    turns: list[tuple[str, list[Part]]] = []
    open_calls: list[Part] = []
    for message in messages:
        match message:
            case Asked(text=asked):
                turns.append(("user", [*(_response(call, NOT_RUN) for call in open_calls), _text(asked)]))
                open_calls = []
            case Said():
                said = _said(message, LOCAL) if tools else _narrated(message)
                turns.append(("model", said))
                open_calls += [part["functionCall"] for part in said if "functionCall" in part]
            case Ran():
                turns.append(("user", _ran(message, open_calls, pictures)))
                open_calls = []
    if open_calls:
        turns.append(("user", [_response(call, NOT_RUN) for call in open_calls]))
    declared = [{"functionDeclarations": [dict(tool) for tool in TOOLS]}] if tools else []
    return _request(turns, local_instructions(tools=tools), declared)


def _request(turns: Sequence[tuple[str, list[Part]]], rules: str, tools: list[Part]) -> dict[str, Any]:
    request: dict[str, Any] = {"contents": _merged(turns), "systemInstruction": {"parts": [_text(rules)]}}
    return {**request, "tools": tools} if tools else request


def _ran(message: Ran, open_calls: Sequence[Part], pictures: Mapping[str, Part]) -> list[Part]:
    """A result for each call, by position: a call's id may be our own, since some models give none."""
    left = list(open_calls)
    answers: list[Part] = []
    texts: list[Part] = []
    for result in message.results:
        if result.call_id is not None and left:
            answers.append(_response(left.pop(0), result.text))
        else:
            texts.append(_text(result.text))
        for picture in result.pictures:
            if picture.sha256 in pictures:
                texts += [_text(f"{picture.name}:"), pictures[picture.sha256]]
    return [*answers, *(_response(call, NOT_RUN) for call in left), *texts]


def _said(message: Said, family: str) -> list[Part]:
    """A reply word for word when this family made it."""
    if message.family != family or not message.wire:
        return _narrated(message)
    parts: list[Part] = json.loads(message.wire)
    if "\\ud" in message.wire:  # half a surrogate pair, which models do send and UTF-8 can't hold
        parts = json.loads(json.dumps(parts, ensure_ascii=False).encode(errors="replace"))
    return [p for p in parts if p.get("text") != "" or len(p) > 1]


def _narrated(message: Said) -> list[Part]:
    return [_text(message.narrated)] if message.narrated.strip() else []


def _merged(turns: Sequence[tuple[str, list[Part]]]) -> list[dict[str, Any]]:
    """Turns of the same role in a row as one, empty ones left out; the last is the user's."""
    merged: list[dict[str, Any]] = []
    for role, parts in turns:
        if parts and merged and merged[-1]["role"] == role:
            merged[-1]["parts"] += parts
        elif parts:
            merged.append({"role": role, "parts": list(parts)})
    if merged and merged[-1]["role"] == "model":
        merged.append({"role": "user", "parts": [_text("Go on.")]})
    return merged


def _text(value: str) -> Part:
    return {"text": value if value.strip() else "(nothing)"}


def _response(call: Part, text: str) -> Part:
    facts = {"name": call.get("name", "python"), "response": {"output": text}}
    return {"functionResponse": {**facts, "id": call["id"]} if call.get("id") else facts}
