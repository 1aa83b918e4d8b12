"""OpenAI's harmony channels, left in the text by a server that didn't parse them.

`<|channel|>analysis<|message|>` is thinking unless it is addressed to a tool; `commentary to=functions.python` is a call;
`final` is what the user sees. Some servers drop the marks and leave `assistantcommentary to=functions.python json{...}`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_CONSTRAIN = r"(?:<\|(?:constrain|recipient)\|>[^<]{0,80}){0,4}"
_HEADER = re.compile(
    r"(?:(?P<role><\|start\|>[^<\n]{0,200})?(?P<channel><\|channel\|>[^<]{0,200})|(?P<only_role><\|start\|>[^<\n]{0,200}))"
    rf"(?P<rest>{_CONSTRAIN})<\|message\|>"
)
_END = re.compile(r"<\|(?:end|call|return|start|channel)\|>")
_TO = re.compile(r"\bto=([\w.:-]{1,80})")
_BARE = re.compile(
    r"(?:^|analysis|commentary|assistant|\s)to=(?P<name>(?:functions\.)?[\w.]{1,60}?)"
    r"[ \t]*(?:<\|constrain\|>)?[ \t]*(?:json|code)?[ \t]*(?:<\|message\|>)?\s{0,8}(?=\{)",
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class ChannelCall:
    """A call found in the channels: its body runs to the end mark, or to the end of the text when `closed` is False."""

    name: str
    body: str
    closed: bool


def split(text: str) -> tuple[str, list[ChannelCall]]:
    """The text for the user, and the calls."""
    if "<|message|>" not in text:
        return _split_bare(text)
    shown: list[str] = []
    calls: list[ChannelCall] = []
    position = 0
    while header := _HEADER.search(text, position):
        end = _END.search(text, header.end())
        body = text[header.end() : end.start() if end else len(text)]
        words = " ".join(v for v in header.groupdict().values() if v)
        if position == 0:
            shown.append(text[: header.start()])
        if to := _TO.search(words):
            calls.append(ChannelCall(to.group(1), body, end is not None))
        elif not re.search(r"\banalysis\b", words):
            shown.append(body)
        position = end.start() if end else len(text)
    if position == 0:
        return text, calls
    return "\n".join(shown), calls


def _split_bare(text: str) -> tuple[str, list[ChannelCall]]:
    found = list(_BARE.finditer(text))
    if not found:
        return text, []
    ends = [*(m.start() for m in found[1:]), len(text)]
    return text[: found[0].start()], [ChannelCall(m["name"], text[m.end() : end], True) for m, end in zip(found, ends, strict=True)]
