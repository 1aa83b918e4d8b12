"""Calls that a model wrote as text, in the forms of its training, where the server did not parse them.

One table of wrappers (Qwen and Hermes, Llama, Mistral, DeepSeek, Kimi, GLM, Granite, Phi, Gemma, smolagents, ReAct ...), each an
opening and a closing mark, and one reader for what stands inside, whatever wrapper it came in. A mark inside a fence, a
quote, a comment or backticks opens nothing. Every wrapper is searched forwards only, so the time is linear.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from sandloop.extraction import pythonic
from sandloop.extraction.arguments import REPAIR_CHARS, load
from sandloop.extraction.calls import code_of
from sandloop.extraction.cells import Cell, Found, Runnable
from sandloop.extraction.channels import split
from sandloop.extraction.fences import Block, Shield, shields
from sandloop.extraction.language import acts, parse, tool_kind
from sandloop.extraction.source import fence_tag, finish

MOST_CALLS = 64
"""Calls read from one reply; more is noise, and each costs time."""


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A form: how it opens, how it closes, whether its inside may be plain code, and a language it implies."""

    opens: str
    closes: str
    raw: bool = False
    at_line_start: bool = False


_BAR = "[|｜]"
_LOW = "[_▁ ]"
_PREFIX = r"(?:[^<>\s/\"'`=]{0,20}(?:\s?[|｜]{1,2})?\s?)"
_WRAPPERS = {
    "json_tags": Wrapper(
        r"<(?:\||)(?:tool_calls?|toolcall|function_calls?|functioncall|tool_use|tool_request|tool)(?:\||)>",
        r"<(?:/|\|/|/\|)?(?:tool_calls?|toolcall|function_calls?|functioncall|tool_use|tool_request|tool)\|?>",
        raw=True,
    ),
    "invoke": Wrapper(
        rf"<{_PREFIX}(?:invoke|function)\s*(?:=|\s+name\s*=\s*)[\"']?[\w.:-]{{1,64}}[\"']?[^<>\n]{{0,40}}>",
        rf"</{_PREFIX}(?:invoke|function)\s*>|</tool_call>",
    ),
    "section": Wrapper(
        rf"<{_BAR}tool{_LOW}call{_LOW}begin{_BAR}>", rf"<{_BAR}tool{_LOW}calls?{_LOW}(?:section{_LOW})?end{_BAR}>", raw=True
    ),
    "python_tag": Wrapper(
        r"<\|(?:python_tag|python_start)\|>", r"<\|(?:eom_id|eot_id|eot|eom|python_end|end_of_text|im_end)\|>", raw=True
    ),
    "mistral": Wrapper(r"\[TOOL_CALLS?\]|\[TOOL_REQUEST\]", r"\[/TOOL_CALLS?\]|\[END_TOOL_REQUEST\]|</s>|\[TOOL_RESULTS\]"),
    "marks": Wrapper(
        r"<\|START_ACTION\|>|<\|action_start\|>(?:\s*<\|(?:interpreter|plugin)\|>)?|functools(?=\[\{)|<start_function_call>|<\|tool_call>",
        r"<\|END_ACTION\|>|<\|action_end\|>|<end_function_call>|<tool_call\|>|<\|im_end\|>",
        raw=True,
    ),
    "code_tags": Wrapper(
        r"<(?:execute|code|tool_code|execute_\w{1,20}|run_\w{1,20}|python|ipython|bash|shell|code_interpreter|python_code)"
        r"(?:\s+(?:lang|language|type)\s*=\s*[\"']?[\w/+-]{1,20}[\"']?)?\s*>",
        r"</(?:execute|code|tool_code|execute_\w{1,20}|run_\w{1,20}|python|ipython|bash|shell|code_interpreter|python_code)\s*>",
        raw=True,
        at_line_start=True,
    ),
    "react": Wrapper(
        r"(?<![^\n])[ \t>*]*Action\s*:\**[ \t]*[^\n]{0,80}\n+[ \t*]*Action[ _]Input\s*:\**",
        r"(?<![^\n])[ \t*]*(?:Observation|Thought|Final Answer|Action)\s*:",
        raw=True,
    ),
}
_OPEN = re.compile("|".join(f"(?P<{name}>{w.opens})" for name, w in _WRAPPERS.items()))
_CLOSE = {name: re.compile(w.closes) for name, w in _WRAPPERS.items()}
_OPEN_ONE = {name: re.compile(w.opens) for name, w in _WRAPPERS.items()}
_JSON_START = re.compile(
    r"""(?:(?<![^\n])[ \t]*\[?\s{0,8}|(?<=[\s:>]))(?P<brace>\{)(?=\s{0,8}["'](?:name|tool|tool_name|function|function_name|action|type|tool_calls|tool_uses|"""
    r"""recipient_name|code|python|arguments|parameters|id|thought|language|command)["']\s*:)"""
)


def read(text: str, *, cut: bool) -> tuple[Found, str]:
    """The code of all calls written in `text`, and the text without them."""
    text, channel_calls = split(text)
    code: list[tuple[Runnable, str]] = []
    was_cut = False
    for call in channel_calls:
        found, whole = _inside(call.body, call.name, raw=True)
        if cut and not call.closed and not whole and call is channel_calls[-1]:
            was_cut = True
        else:
            code += found
    rest: list[str] = []
    position = 0
    for piece in _pieces(text):
        found, whole = _inside(piece.body, piece.name, raw=piece.raw)
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
    if not ("<" in text or "[TOOL" in text or "{" in text or "Action" in text or "functools" in text):
        return
    protected: list[Block | Shield] | None = None
    closes: dict[str, int] = {}
    position = shield = budget = 0
    while budget < MOST_CALLS:
        opening = _next_opening(text, position)
        if opening is None:
            return
        start = opening.start()
        if protected is None:
            protected = shields(text)
        while shield < len(protected) and protected[shield].end <= start:
            shield += 1
        around = protected[shield] if shield < len(protected) and protected[shield].start <= start else None
        if around is not None:
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
            protected = [_moved(p, shift) for p in shields(text[shift:])] if len(text) - shift < 50_000 or budget < 4 else []
            shield = 0


def _moved(piece: Block | Shield, by: int) -> Shield:
    return Shield(piece.start + by, piece.end + by)


def _next_opening(text: str, position: int) -> re.Match[str] | None:
    wrapped = _OPEN.search(text, position)
    bare = _JSON_START.search(text, position, wrapped.start() if wrapped else len(text))
    return bare or wrapped


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
    return Piece(form, _name_in(opening.group()), text[start:end], opening.start(), stop, closed or end < len(text), wrapper.raw)


def _name_in(opening: str) -> str:
    """The tool that an opening mark names itself."""
    if "Action" in opening:
        return opening.partition(":")[2].split("\n")[0].strip(" *`[]")
    if named := re.search(r"(?:invoke|function)\s*(?:=|\s+name\s*=\s*)[\"']?([\w.:-]+)", opening):
        return named.group(1)
    if language := re.search(r"(?:lang|language|type)\s*=\s*[\"']?([\w/+-]+)", opening):
        return language.group(1)
    tag = re.match(r"<(?:execute_|run_)?(\w+?)(?:_cell)?\s*>", opening)
    if "interpreter" in opening or "python" in opening:
        return "python"
    return tag.group(1) if tag and tool_kind(tag.group(1)) else ""


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
        cells = _from_json(stripped, "", alone=True)
        return cells or pythonic.unwrapped(stripped)
    opening = _OPEN.match(stripped)
    if opening and opening.lastgroup != "code_tags":
        return [(c.language, c.source) for c in read(stripped, cut=False)[0].cells]
    return pythonic.unwrapped(stripped)


def _inside(body: str, name: str, *, raw: bool) -> tuple[list[tuple[Runnable, str]], bool]:
    """The code in a wrapper, and whether it is plainly whole although nothing closed it."""
    stripped = body.strip()
    if not stripped:
        return [], False
    if stripped[:1] in "{[":
        cells = [c for part in _json_parts(stripped) for c in _from_json(part, name, alone=True)]
        if cells:
            return cells, _is_whole_json(stripped)
    if parameters := _PARAMETER.search(stripped):
        return _from_parameters(stripped, parameters, name), False
    if head := _HEAD.match(stripped):
        return _with_head(stripped, head)
    if call := _GEMMA.match(stripped):
        value = _gemma_value(call["body"])
        return code_of(call["name"], value, trusted=False), False
    if cells := pythonic.unwrapped(stripped):
        return cells, True
    named = re.match(r"([\w.:-]{1,64})[ \t]*(?:\n|(?=\{))", stripped)
    if named and tool_kind(named.group(1)) and not name:
        cells, whole = _inside(stripped[named.end() :], named.group(1), raw=True)
        if cells:
            return cells, whole
    return (_raw(stripped, name), False) if raw else ([], False)


def _raw(body: str, name: str) -> list[tuple[Runnable, str]]:
    """Plain code in a wrapper: believed when the wrapper names a language, when it is fenced, or when it acts."""
    kind = tool_kind(name)
    tag = fence_tag(body)
    if (
        tag in ("call", "none")
        and (inner := re.sub(r"^\s*`{3,}[^\n]*\n|\n?`{3,}\s*$", "", body))
        and inner.strip()[:1] in ("{", "[")
    ):
        return _from_json(inner.strip(), name, alone=True)
    if kind == "bash" or tag == "bash":
        cell = finish("bash", body)
    else:
        cell = finish("python", body)
        if cell and not (tag == "python" or acts(cell[1]) or (kind == "python" and ("\n" in body or parse(cell[1]) is not None))):
            return []
    return [cell] if cell else []


_PARAMETER = re.compile(
    rf"<{_PREFIX}(?:parameter|param|arg|argument)\s*(?:=|\s+name\s*=\s*)[\"']?(?P<key>[\w-]{{1,64}})[\"']?[^<>\n]{{0,40}}>"
    r"|<arg_key>\s*(?P<glm>[\w-]{1,64})\s*</arg_key>\s*<arg_value>"
    r"|<(?P<plain>code|script|command|source|cmd|python|input|language|(?:arguments|parameters)(?=>\s*[{\"]))>"
)
_PARAMETER_END = re.compile(
    rf"\n?(?:</{_PREFIX}(?:parameter|param|arg|argument)\s*>|</arg_value>|</(?:code|script|command|source|cmd|python|input|language|arguments|parameters)>)"
)
_FUNCTION_NAME = re.compile(
    rf"<{_PREFIX}(?:invoke|function)\s*(?:=|\s+name\s*=\s*)[\"']?([\w.:-]{{1,64}})|<(?:tool_name|name)>\s*([\w.:-]{{1,64}})|^\s*([\w.:-]{{1,64}})\s*(?=<arg_key>|\n)"
)


def _from_parameters(body: str, first: re.Match[str], name: str) -> list[tuple[Runnable, str]]:
    """Arguments as tags, one for each."""
    if not name and (named := _FUNCTION_NAME.search(body, 0, first.start())):
        name = next((g for g in named.groups() if g), "")
    fields: dict[str, object] = {}
    parameter: re.Match[str] | None = first
    while parameter and len(fields) < 20:
        end = _PARAMETER_END.search(body, parameter.end())
        stop = end.start() if end else len(body)
        value = re.sub(r"\s*</(?:function|invoke|tool_call)>\s*$", "", body[parameter.end() : stop])
        key = parameter["key"] or parameter["glm"] or parameter["plain"] or ""
        fields.setdefault(key, value.removeprefix("\n"))
        parameter = _PARAMETER.search(body, end.end()) if end else None
    return code_of(name or "execute_code", fields, trusted=False)


_HEAD = re.compile(
    rf"(?P<head>[^\n<{{\[]{{0,120}}?)\s*(?:<{_BAR}tool{_LOW}(?:sep|call{_LOW}argument{_LOW}begin){_BAR}>|\[CALL_ID\][^\[\n]{{0,64}}\[ARGS\]|\[ARGS\])"
)


def _with_head(body: str, head: re.Match[str]) -> tuple[list[tuple[Runnable, str]], bool]:
    """`python[ARGS]{...}`, `functions.python:0<|tool_call_argument_begin|>{...}`, `function<｜tool▁sep｜>python` and a fence."""
    name, rest = head["head"].strip(), body[head.end() :].strip()
    if name in ("function", "") and (line := re.match(r"([\w.:-]{1,64})\s*\n", rest)):
        name, rest = line.group(1), rest[line.end() :]
    rest = re.sub(r"^\s*`{3,}(?:json)?\s*\n|\n?`{3,}\s*$", "", rest) if fence_tag(rest) == "call" else rest
    if re.fullmatch(r"tool_call_\d+|call_\w+|\d+", name):
        name = "execute_code"
    loaded = load(rest)
    return code_of(name, loaded.value if loaded else rest, trusted=False), bool(loaded and loaded.whole)


_GEMMA = re.compile(r"call:(?P<name>[\w.:-]{1,64}?)\s*\{(?P<body>.*)", re.S)


def _gemma_value(body: str) -> dict[str, object]:
    """`code:<escape>...<escape>}` of Gemma's own call form."""
    parts = re.split(r"<escape>|<\|\"\|>", body)
    fields: dict[str, object] = {}
    for before, value in zip(parts[0::2], parts[1::2], strict=False):
        if key := re.search(r"([\w-]{1,64})\s*:\s*$", before):
            fields[key.group(1)] = value
    if not fields and (key := re.match(r"\s*([\w-]{1,64})\s*:", body)):
        fields[key.group(1)] = body[key.end() :].rstrip().removesuffix("}").strip("\"' \n")
    return fields


def _json_parts(text: str) -> list[str]:
    """Several values one after the other (`{...}; {...}`, one a line) as parts; one broken value as itself."""
    parts: list[str] = []
    position = 0
    while position < len(text) and len(parts) < MOST_CALLS:
        try:
            _, end = json.JSONDecoder(strict=False).raw_decode(text, position)
        except (ValueError, RecursionError):
            return [*parts, text[position:]] if text[position : position + 1] in ("{", "[") else parts
        parts.append(text[position:end])
        gap = re.compile(r"[\s;,]*").match(text, end)
        position = gap.end() if gap else end
    return parts


def _is_whole_json(text: str) -> bool:
    loaded = load(text)
    return bool(loaded and loaded.whole)


def _from_json(text: str, name: str, *, alone: bool) -> list[tuple[Runnable, str]]:
    loaded = load(text)
    return _from_value(loaded.value, name, alone=alone, depth=0) if loaded else []


_NAMES = ("name", "tool_name", "tool", "function_name", "function", "recipient_name", "action", "tool_call", "type")
_ARGUMENTS = ("arguments", "parameters", "args", "action_input", "tool_input", "kwargs", "params", "input", "tool_args", "argument")


def _from_value(value: object, name: str, *, alone: bool, depth: int) -> list[tuple[Runnable, str]]:
    """The calls in a JSON value: a call, a list of calls, or a wrapper around them."""
    if depth > 4:
        return []
    if isinstance(value, list):
        items = cast("list[object]", value)[:MOST_CALLS]
        return [c for item in items for c in _from_value(item, name, alone=False, depth=depth + 1)]
    if not isinstance(value, dict):
        return []
    fields: dict[str, object] = {str(k): v for k, v in cast("dict[Any, object]", value).items()}
    for key in ("tool_calls", "tool_uses", "calls", "tool_call", "function_call", "function", "functionCall"):
        if isinstance(fields.get(key), (dict, list)):
            outer = {k: v for k, v in fields.items() if k in _ARGUMENTS}
            inner = fields[key]
            whole = {**cast("dict[str, object]", inner), **outer} if isinstance(inner, dict) else inner
            return _from_value(whole, name, alone=alone, depth=depth + 1)
    texts = (v for k in _NAMES if isinstance(v := fields.get(k), str))
    called = next((v for v in texts if v not in ("function", "tool_use", "tool_call")), name)
    arguments = next((fields[k] for k in _ARGUMENTS if k in fields), None)
    if called and arguments is not None:
        return code_of(called, arguments, trusted=False)
    if called and tool_kind(called):
        return code_of(called, {k: v for k, v in fields.items() if k not in _NAMES}, trusted=False)
    if len(fields) == 1 and isinstance(fields[only := next(iter(fields))], dict) and tool_kind(only):
        return code_of(only, fields[only], trusted=False)
    if arguments is not None and not called:
        return code_of("", arguments, trusted=False)
    return code_of("", fields, trusted=False) if alone and _only_code(fields) else []


def _only_code(fields: dict[str, object]) -> bool:
    """`{"code": "..."}` alone: the arguments without their call."""
    return bool(fields.keys() & {"code", "python", "script", "source"}) and len(fields) <= 4
