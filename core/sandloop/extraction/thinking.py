"""Taking a model's drafts out of its reply: what stands inside thinking tags is never searched for code."""

from __future__ import annotations

import re

_NAMES = "think|thinking|thought|thoughts|reasoning|scratchpad|reflection|seed:think|antml:thinking|longcat_think|internal_thought"
_TAG = re.compile(
    rf"<(?P<close>/?)\s?(?:{_NAMES})\s?>"
    r"|\[(?P<close2>/?)(?:THINK|THINKING)\]"
    r"|◁(?P<close3>/?)think▷"
    r"|<\|(?P<begin>begin|end)_of_thought\|>",
    re.IGNORECASE,
)
_QUOTES = "`'\"\\"


def without_thinking(text: str) -> str:
    """The text outside thinking tags. An unclosed tag hides all after it, a closing tag without opening all before it.

    A tag beside a quote or a backtick is talked about or part of code, and stays.
    """
    if "<" not in text and "[" not in text and "◁" not in text:
        return text
    kept: list[str] = []
    depth, start, hidden = 0, 0, 0
    for tag in _TAG.finditer(text):
        if _is_talked_about(text, tag):
            continue
        if _closes(tag):
            if depth == 0:
                kept = []
            depth, start = max(0, depth - 1), tag.end() if depth <= 1 else start
        else:
            if depth == 0:
                kept.append(text[start : tag.start()])
                hidden = tag.start()
            depth += 1
    if depth == 0:
        kept.append(text[start:])
    elif re.search(r"""["=(,r]['"]|["']\s*\+|\w=["']""", text[text.rfind("\n", 0, hidden) + 1 : hidden]):
        kept.append(text[hidden:])
    return "\n".join(kept)


def _is_talked_about(text: str, tag: re.Match[str]) -> bool:
    quote_before = text[max(0, tag.start() - 1) : tag.start()] in tuple(_QUOTES) and not text.endswith("```", 0, tag.start())
    quote_after = text[tag.end() : tag.end() + 1] in tuple(_QUOTES[:3]) and not text.startswith("```", tag.end())
    return quote_before or quote_after


def _closes(tag: re.Match[str]) -> bool:
    if tag["begin"]:
        return tag["begin"].lower() == "end"
    return bool(tag["close"] or tag["close2"] or tag["close3"])
