"""Taking a model's drafts out of its reply: what stands inside thinking tags is never searched for code."""

from __future__ import annotations

import re

_NAMES = (
    "think|thinking|thought|thoughts|reasoning|scratchpad|scratch_pad|reflection|seed:think|antml:thinking|longcat_think"
    "|internal_thought|thought_process|inner_monologue|internal_monologue|chain_of_thought|cot|planning"
)
_TAG = re.compile(
    rf"<(?P<close>/?)\s?(?:{_NAMES})\s?(?:\s[\w-]{{1,20}}=[^<>/\n]{{0,60}})?>"
    r"|\[(?P<close2>/?)(?:THINK|THINKING|REASONING)\]"
    r"|◁(?P<close3>/?)think▷"
    r"|<\|(?P<begin>begin|end)_of_thought\|>"
    r"|<\|(?P<begin2>START|END)_THINKING\|>"
    r"|<\|inner_(?P<begin3>prefix|suffix)\|>"
    r"|<(?:\|channel>thought|(?P<close4>channel\|))>?"
    r"|<unused9(?:4>thought|(?P<close5>5>))",
    re.IGNORECASE,
)
_PAIRS = (
    (re.compile(r"<details\s[^<>\n]{0,80}?type=[\"']reasoning[\"'][^<>\n]{0,120}>"), "</details>"),
    (re.compile(r"^Here is my thought process:", re.MULTILINE), "\nHere is my response:"),
)
"""Marks whose end means something else elsewhere: Open WebUI's, Granite's."""
_QUOTES = "`'\"\\"


def without_thinking(text: str) -> str:
    """The text outside thinking tags. An unclosed tag hides all after it, a closing tag without opening all before it.

    A tag beside a quote or a backtick is talked about or part of code, and stays.
    """
    text = _without_pairs(text)
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


def _without_pairs(text: str) -> str:
    for opens, closes in _PAIRS:
        kept: list[str] = []
        position = 0
        for opening in opens.finditer(text):
            if opening.start() < position:
                continue
            end = text.find(closes, opening.end())
            if end < 0:
                break
            kept.append(text[position : opening.start()])
            position = end + len(closes)
        text = "\n".join([*kept, text[position:]])
    return text


def _is_talked_about(text: str, tag: re.Match[str]) -> bool:
    quote_before = text[max(0, tag.start() - 1) : tag.start()] in tuple(_QUOTES) and not text.endswith("```", 0, tag.start())
    quote_after = text[tag.end() : tag.end() + 1] in tuple(_QUOTES[:3]) and not text.startswith("```", tag.end())
    return quote_before or quote_after


def _closes(tag: re.Match[str]) -> bool:
    begin = tag["begin"] or tag["begin2"] or tag["begin3"]
    if begin:
        return begin.lower() in ("end", "suffix")
    return any(tag[name] for name in ("close", "close2", "close3", "close4", "close5"))
