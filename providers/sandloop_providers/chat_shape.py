"""What a chat-completions server takes, and what it said that it does not take. Pure.

Compatible servers differ in what they refuse, and say so only when asked. A refusal that names one of these parts drops that part
for the rest of the session, and the same reply is asked for again.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

REFUSING = (400, 404, 405, 422, 500, 501)
"""404 is OpenRouter's for tools, 422 that of servers that check the body's fields, 500 that of llama.cpp without templates."""

_NO = (
    r"not (?:be )?(?:support|permit|allow|enabl|availab|implement|recogni)|unsupported|unrecogni[sz]ed|unknown|extra|unexpected"
    r"|requires?\b|\bno endpoints\b|forbidden|invalid"
)
_TOOLS = re.compile(
    rf"(?:\btools?\b|tool[ _-]?(?:use|call|choice)|function[ _-]?call).*?(?:{_NO})|(?:{_NO}).*?(?:\btools?\b|function[ _-]?call)",
    re.IGNORECASE | re.DOTALL,
)
_OWN_HISTORY = re.compile(r"tool_call_id|tool_call_ids|role '?tool'?|reasoning_content", re.IGNORECASE)
"""Complaints about the conversation: dropping the tools would hide a fault of ours."""
_USAGE = re.compile(r"stream_options|include_usage", re.IGNORECASE)
_BOUND = re.compile(r"max_(?:completion_|new_|output_)?tokens|maximum context length|context (?:length|window|size)", re.IGNORECASE)
_SYSTEM = re.compile(
    r"system (?:role|message|prompt)[^.]{0,40}not (?:be )?support|(?:only|must)[^.]{0,60}user.{1,3}assistant", re.IGNORECASE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Which parts of a request a server takes."""

    tools: bool = True
    bound: Literal["max_tokens", "max_completion_tokens"] | None = "max_tokens"
    """The name of the bound on a reply's length."""
    asks_usage: bool = True
    """Whether `stream_options` is sent, without which most servers count no tokens in a stream."""
    system_role: bool = True


def narrowed(shape: Shape, status: int | None, said: str) -> tuple[Shape, str] | None:
    """The shape without what the server refused, and what to tell the user; None when it refused none of this."""
    if status not in REFUSING:
        return None
    if shape.asks_usage and _USAGE.search(said):
        return replace(shape, asks_usage=False), "it takes no stream_options, so they were left out"
    if shape.bound == "max_tokens" and "max_completion_tokens" in said:
        return replace(shape, bound="max_completion_tokens"), "it wants max_completion_tokens, so that was sent"
    if shape.bound is not None and _BOUND.search(said):
        return replace(shape, bound=None), f"it refused {shape.bound}, so that was left out"
    if shape.tools and _TOOLS.search(said) and not _OWN_HISTORY.search(said):
        return replace(shape, tools=False), "it takes no tools, so the model was asked to write fenced code blocks instead"
    if shape.system_role and _SYSTEM.search(said):
        return replace(shape, system_role=False), "it takes no system message, so the rules were put into the first question"
    return None
