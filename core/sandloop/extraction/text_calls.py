"""Calls that a model wrote as text, in the forms of its training, where the server did not parse them.

One table of wrappers (Qwen and Hermes, Llama, Mistral, DeepSeek, Kimi, GLM, Granite, Phi, Gemma, smolagents, ReAct ...), each an
opening and a closing mark, and one reader for what stands inside (`text_bodies`). A mark inside a fence, a
quote, a comment or backticks opens nothing. Every wrapper is searched forwards only, so the time is linear.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from sandloop.extraction import pythonic
from sandloop.extraction.arguments import REPAIR_CHARS
from sandloop.extraction.cells import Cell, Found, Runnable
from sandloop.extraction.channels import split
from sandloop.extraction.fences import Block, Shield, shields
from sandloop.extraction.tags import tool_kind
from sandloop.extraction.text_bodies import BAR, LOW, MOST_CALLS, PREFIX, from_json, inside


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A form: how it opens, how it closes, whether its inside may be plain code, and a language it implies."""

    opens: str
    closes: str
    raw: bool = False
    at_line_start: bool = False


_WRAPPERS = {
    "json_tags": Wrapper(
        r"<(?:\||)(?:(?:longcat_)?tool_calls?|toolcall|function_calls?|functioncall|tool_use|tool_request|tool)(?:\||)>",
        r"<(?:/|\|/|/\|)?(?:(?:longcat_)?tool_calls?|toolcall|function_calls?|functioncall|tool_use|tool_request|tool)\|?>",
        raw=True,
    ),
    "invoke": Wrapper(
        rf"<{PREFIX}(?:invoke|function(?:_call)?)\s*(?:=|\s+name\s*=\s*)[\"']?[\w.:-]{{1,64}}[\"']?[^<>\n]{{0,40}}>",
        rf"</{PREFIX}(?:invoke|function(?:_call)?)\s*>|</tool_call>",
    ),
    "section": Wrapper(rf"<{BAR}tool{LOW}call{LOW}begin{BAR}>", rf"<{BAR}tool{LOW}calls?{LOW}(?:section{LOW})?end{BAR}>", raw=True),
    "python_tag": Wrapper(
        r"<\|(?:python_tag|python_start)\|>", r"<\|(?:eom_id|eot_id|eot|eom|python_end|end_of_text|im_end)\|>", raw=True
    ),
    "mistral": Wrapper(r"\[TOOL_CALLS?\]|\[TOOL_REQUEST\]", r"\[/TOOL_CALLS?\]|\[END_TOOL_REQUEST\]|</s>|\[TOOL_RESULTS\]"),
    "marks": Wrapper(
        r"<\|START_ACTION\|>|<\|action_start\|>(?:\s*<\|(?:interpreter|plugin)\|>)?|functools(?=\[\{)|<start_function_call>|<\|tool_call>"
        r"|<\|tool_call_start\|>|<jupyter_code>",
        r"<\|END_ACTION\|>|<\|action_end\|>|<end_function_call>|<tool_call\|>|<\|tool_call_end\|>|<\|im_end\|>"
        r"|<jupyter_(?:output|text)>|<empty_output>",
        raw=True,
    ),
    "code_tags": Wrapper(
        r"<(?:execute|code|tool_code|execute_\w{1,20}|run_\w{1,20}|python|ipython|bash|shell|code_interpreter|python_code)"
        r"(?:\s+(?:lang|language|type)\s*=\s*[\"']?[\w/+-]{1,20}[\"']?)?\s*>",
        r"</(?:execute|code|tool_code|execute_\w{1,20}|run_\w{1,20}|python|ipython|bash|shell|code_interpreter|python_code)\s*>",
        raw=True,
        at_line_start=True,
    ),
    "functionary": Wrapper(
        r"(?<!>)>>>(?:python|ipython|bash|shell|code_interpreter)\n|<\|recipient\|>\s?(?!all\b)[\w.-]{1,60}\s*<\|content\|>",
        r"<\|(?:eot_id|end_of_text|stop|from)\|>|(?<![^\n])>>>\w+\n",
        raw=True,
    ),
    "line": Wrapper(r"(?<![^\n])(?:Tool |Function )?[Cc]all:[ \t]*(?=[\w.]{1,60}\()", r"<bot_end>|\n\s*\n|\nThought:"),
    "react": Wrapper(
        r"(?<![^\n])[ \t>*]*(?:Action|Tool)\s*:\**[ \t]*[^\n]{0,80}\n+[ \t*]*(?:(?:Action|Tool)[ _])?Input\s*:\**",
        r"(?<![^\n])[ \t*]*(?:Observation|Thought|Final Answer|Action)\s*:",
        raw=True,
    ),
}
_OPEN = re.compile("|".join(f"(?P<{name}>{w.opens})" for name, w in _WRAPPERS.items()))
_CLOSE = {name: re.compile(w.closes) for name, w in _WRAPPERS.items()}
_OPEN_ONE = {name: re.compile(w.opens) for name, w in _WRAPPERS.items()}
_JSON_KEY = (
    "name|tool|tool_name|function|function_name|action|type|tool_calls|tool_uses|recipient_name|code|python|arguments|parameters"
    "|id|thought|language|command|cells"
)
_JSON_START = re.compile(
    rf"""(?:(?<![^\n])[ \t]*\[?\s{{0,8}}|(?<=[\s:>])|(?<=python))(?P<brace>\{{)(?=\s{{0,8}}["'](?:{_JSON_KEY})["']\s{{0,8}}:)"""
)


def read(text: str, *, cut: bool) -> tuple[Found, str]:
    """The code of all calls written in `text`, and the text without them."""
    text, channel_calls = split(text)
    code: list[tuple[Runnable, str]] = []
    was_cut = False
    for call in channel_calls:
        found, whole = inside(call.body, call.name, raw=True)
        if cut and not call.closed and not whole and call is channel_calls[-1]:
            was_cut = True
        else:
            code += found
    rest: list[str] = []
    position = 0
    for piece in _pieces(text):
        found, whole = inside(piece.body, piece.name, raw=piece.raw)
        truncated = cut and not piece.closed and not whole and piece.end >= len(text.rstrip())
        if truncated and (found or tool_kind(piece.name) or piece.form != "code_tags"):
            was_cut = True
        elif found:
            code += [c for c in found if c not in code]
        else:
            continue
        rest.append(text[position : piece.start])
        position = piece.end
    rest.append(text[position:])
    cells = tuple(Cell(language=language, source=source, origin="text_tool_call") for language, source in code)
    return Found(cells, was_cut, "a call written as text"), "".join(rest)


@dataclass(frozen=True, slots=True)
class Piece:
    """One wrapped piece of text."""

    form: str
    name: str
    body: str
    start: int
    end: int
    closed: bool
    raw: bool


def _pieces(text: str) -> Iterator[Piece]:
    """Wrapped pieces and bare JSON, in order, none inside a fence, quote or comment."""
    if not any(mark in text for mark in ("<", "[TOOL", "{", "Action", "functools", ">>>", "all:", "Input")):
        return
    protected: list[Block | Shield] | None = None
    openings, closes = _Openings(text), dict[str, int]()
    position = shield = budget = 0
    while budget < MOST_CALLS:
        opening = openings.after(position)
        if opening is None:
            return
        start = opening.start()
        if protected is None:
            protected = shields(text)
        while shield < len(protected) and protected[shield].end <= start:
            shield += 1
        around = protected[shield] if shield < len(protected) and protected[shield].start <= start else None
        if around is not None and not (opening.lastgroup == "functionary" and text.startswith(">>>", around.start)):
            position = max(around.end, opening.end())
            continue
        if _talked_about(text, opening):
            position = opening.end()
            continue
        piece = _json_piece(text, opening) if opening.re is _JSON_START else _wrapped(text, opening, closes)
        position = opening.end()
        if piece is None:
            budget += opening.re is _JSON_START
            continue
        budget += 1
        yield piece
        position = max(position, piece.end)
        fences = [p for p in protected[shield:] if isinstance(p, Block) and p.start < piece.end]
        if fences:  # what stood in the call may have opened a fence for the parser: read the rest afresh, at most 64 times
            shift = piece.end
            protected = [_moved(p, shift) for p in shields(text[shift:])] if budget < 4 or len(text) - shift < 5_000 else []
            shield = 0


def _moved(piece: Block | Shield, by: int) -> Shield:
    return Shield(piece.start + by, piece.end + by)


class _Openings:
    """The next wrapper or bare JSON from a position on; what was found ahead is kept, so each part is searched once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._ahead: dict[re.Pattern[str], re.Match[str] | None] = {}

    def after(self, position: int) -> re.Match[str] | None:
        for pattern in (_OPEN, _JSON_START):
            ahead = self._ahead.get(pattern)
            if pattern not in self._ahead or (ahead is not None and ahead.start() < position):
                self._ahead[pattern] = pattern.search(self._text, position)
        return min((m for m in self._ahead.values() if m is not None), key=lambda m: m.start(), default=None)


def _talked_about(text: str, opening: re.Match[str]) -> bool:
    before, after = text[max(0, opening.start() - 1) : opening.start()], text[opening.end() : opening.end() + 1]
    if before in ("`", '"', "'") and after in ("`", '"', "'"):
        return True
    line = text[text.rfind("\n", max(0, opening.start() - 500), opening.start()) + 1 : opening.start()]
    return line.count("`") % 2 == 1 or line.lstrip().startswith(">")


def _wrapped(text: str, opening: re.Match[str], closes: dict[str, int]) -> Piece | None:
    form = opening.lastgroup or ""
    wrapper = _WRAPPERS[form]
    line = text[text.rfind("\n", max(0, opening.start() - 200), opening.start()) + 1 : opening.start()]
    if wrapper.at_line_start and line.strip():
        return None
    start = opening.end()
    if closes.get(form, -1) < start:
        closing = _CLOSE[form].search(text, start)
        closes[form] = closing.start() if closing else len(text)
    end = closes[form]
    closed = end < len(text)
    following = _OPEN_ONE[form].search(text, start, end)
    if following and form != "code_tags":
        end = following.start()
    after = _CLOSE[form].match(text, end)
    stop = after.end() if after and form != "react" else end
    closed = closed or end < len(text)
    raw = wrapper.raw or (form == "invoke" and closed)
    return Piece(form, _name_in(opening.group()), text[start:end], opening.start(), stop, closed, raw)


def _name_in(opening: str) -> str:
    """The tool that an opening mark names itself."""
    if ":" in opening and "Input" in opening:
        return opening.partition(":")[2].split("\n")[0].strip(" *`[]")
    if named := re.search(r"(?:invoke|function)\s*(?:=|\s+name\s*=\s*)[\"']?([\w.:-]+)", opening):
        return named.group(1)
    if language := re.search(r"(?:lang|language|type)\s*=\s*[\"']?([\w/+-]+)", opening):
        return language.group(1)
    tag = re.match(r"<(?:execute_|run_)?(\w+?)(?:_cell)?\s*>", opening)
    if any(w in opening for w in ("interpreter", "python", "jupyter")):
        return "python"
    tag = tag or re.match(r">>>(\w+)|<\|recipient\|>\s?([\w.-]+)", opening)
    name = next((g for g in tag.groups() if g), "") if tag else ""
    return name if tool_kind(name) else ""


def _json_piece(text: str, opening: re.Match[str]) -> Piece | None:
    """A call as bare JSON: strictly read, or up to the next one when it is broken."""
    start = opening.start("brace")
    window = text[start : start + REPAIR_CHARS]
    try:
        _, used = json.JSONDecoder(strict=False).raw_decode(window)
    except (ValueError, RecursionError):
        following = _JSON_START.search(text, opening.end())
        used = min(len(window), (following.start("brace") if following else len(text)) - start)
        last = window.rfind("}", 0, used)
        if re.search(r'"(?:code|command|script|source|cmd)"\s*:', window[:2_000]) is None:
            return None
        closed = last > 0
        used = last + 1 if closed and "\n\n" in window[last + 1 : used] else used
        return Piece("json", "", window[:used], start, start + used, False, False)
    return Piece("json", "", window[:used], start, start + used, True, False)


def read_block(source: str) -> list[tuple[Runnable, str]]:
    """The code when a fenced block holds calls instead of code."""
    stripped = source.strip()
    if stripped[:1] in ("{", "["):
        cells = from_json(stripped, "", alone=True)
        return cells or pythonic.unwrapped(stripped)
    opening = _OPEN.match(stripped)
    if opening and opening.lastgroup != "code_tags":
        return [(c.language, c.source) for c in read(stripped, cut=False)[0].cells]
    return pythonic.unwrapped(stripped)
