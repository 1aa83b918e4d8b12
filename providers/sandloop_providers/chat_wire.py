"""The conversation as chat-completions messages. Pure.

With tools, a reply goes back as it came, its calls answered by `tool` messages. Without them everything is plain text: code in
fenced blocks, what it printed as the user's next message.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias, cast

from pydantic_core import from_json

from sandloop.conversation import Asked, Message, Ran, Said
from sandloop.events import FileMade, ToolCall
from sandloop.limits import MB
from sandloop.prompts import TOOLS, local_instructions
from sandloop_providers.untrusted import whole_characters

FAMILY = "chat"
PICTURES = 4
"""The newest pictures that go along: older ones cost tokens at every step and are seldom asked about again."""
PICTURE_BYTES = 5 * MB
"""Of one picture; the smallest of the vendors' own bounds."""
Wire: TypeAlias = dict[str, Any]


def to_wire(messages: Sequence[Message], *, tools: bool, system_role: bool = True, pictures: Mapping[str, str] = {}) -> list[Wire]:
    """The `messages` of a request.

    Args:
        tools: Whether this request offers tools.
        system_role: Whether the server takes a system message; otherwise the rules stand before the first question.
        pictures: Made pictures to show, as data URLs by `sha256`.
    """
    wire: list[Wire] = [{"role": "system" if system_role else "user", "content": local_instructions(tools=tools)}]
    called: set[str] = set()
    for message in messages:
        match message:
            case Asked(text=text):
                wire.append({"role": "user", "content": text})
            case Said():
                said = _said(message, tools=tools)
                called = {call["id"] for call in said.get("tool_calls", ())}
                if said["content"].strip() or called:
                    wire.append(said)
            case Ran():
                wire.extend(_ran(message, called, pictures))
    return list(_joined(wire))


def client_tools() -> list[Wire]:
    """The tools of the local route in the envelope of this API."""
    return [{"type": "function", "function": tool} for tool in TOOLS]


def newest_pictures(messages: Sequence[Message]) -> list[FileMade]:
    """The made pictures to show: the newest few that are not too large."""
    made = {p.sha256: p for m in messages if isinstance(m, Ran) for r in m.results for p in r.pictures}
    return [p for p in made.values() if p.size <= PICTURE_BYTES][-PICTURES:]


def assistant_message(text: str, calls: Sequence[ToolCall], extra: Mapping[str, Any]) -> Wire:
    """A reply as it goes back. Content is never null, which some servers' templates can't join to text."""
    message: Wire = {"role": "assistant", "content": text}
    if calls:
        message["tool_calls"] = [
            {"id": c.id, "type": "function", "function": {"name": c.name, "arguments": _valid(c.arguments)}} for c in calls
        ]
    return {**message, **extra}


def code_of(arguments: str) -> str | None:
    """The code in a call's arguments, as far as they have come; None while there is none or they are not JSON."""
    try:
        parsed: object = from_json(whole_characters(arguments), allow_partial="trailing-strings")
    except ValueError:
        return None
    code = cast("dict[str, object]", parsed).get("code") if isinstance(parsed, dict) else None
    return code if isinstance(code, str) else None


def _said(message: Said, *, tools: bool) -> Wire:
    if message.family != FAMILY or message.wire is None:
        return {"role": "assistant", "content": message.narrated.strip() or _written_out("", message.calls)}
    if not tools:
        return {"role": "assistant", "content": _written_out(message.text, message.calls)}
    wire: Wire = json.loads(message.wire)
    return wire


def _written_out(text: str, calls: Iterable[ToolCall]) -> str:
    """A reply as plain text, its calls as fenced blocks."""
    parts = [text.strip()]
    for call in calls:
        code = code_of(call.arguments) or call.arguments
        parts.append(f"```{'bash' if call.name == 'bash' else 'python'}\n{code.rstrip()}\n```")
    return "\n\n".join(p for p in parts if p)


def _ran(message: Ran, called: set[str], pictures: Mapping[str, str]) -> list[Wire]:
    """Results of calls as `tool` messages, all of them before anything else, as servers demand; the rest as the user's."""
    answered = [r for r in message.results if r.call_id in called]
    texts = [r.text for r in message.results if r.call_id not in called]
    wire: list[Wire] = [{"role": "tool", "tool_call_id": r.call_id, "content": r.text} for r in answered]
    shown = [p for r in message.results for p in r.pictures if p.sha256 in pictures]
    if shown:
        names = "Pictures made: " + ", ".join(p.name for p in shown)
        content: list[Wire] = [{"type": "text", "text": "\n\n".join([*texts, names])}]
        content += [{"type": "image_url", "image_url": {"url": pictures[p.sha256]}} for p in shown]
        return [*wire, {"role": "user", "content": content}]
    return [*wire, {"role": "user", "content": "\n\n".join(texts)}] if texts else wire


def _joined(wire: Iterable[Wire]) -> Iterable[Wire]:
    """Neighbouring texts of the user as one message: many templates refuse two in a row."""
    last: Wire | None = None
    for message in wire:
        both = last is not None and last["role"] == message["role"] == "user"
        if both and last is not None and isinstance(last["content"], str) and isinstance(message["content"], str):
            last = {"role": "user", "content": f"{last['content']}\n\n{message['content']}"}
            continue
        if last is not None:
            yield last
        last = message
    if last is not None:
        yield last


def _valid(arguments: str) -> str:
    """Arguments that are JSON: servers parse what comes back, and answer 500 when it isn't."""
    try:
        if isinstance(json.loads(arguments), dict):
            return arguments
    except ValueError:
        pass
    return json.dumps({"code": code_of(arguments) or arguments})


def tool_name(name: str) -> str:
    """A call's name as it may go back: servers refuse an empty one and odd characters."""
    return re.sub(r"[^A-Za-z0-9_-]", "_", name)[:64] or "python"
