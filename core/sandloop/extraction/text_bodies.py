"""What stands inside a call written as text, whatever it is wrapped in: JSON, tags, a name with arguments, plain code."""

from __future__ import annotations

import json
import re
from typing import Any, cast

from sandloop.extraction import pythonic
from sandloop.extraction.arguments import load
from sandloop.extraction.calls import code_of
from sandloop.extraction.cells import Runnable
from sandloop.extraction.language import acts, parse
from sandloop.extraction.source import fence_tag, finish, without_fence
from sandloop.extraction.tags import tool_kind

MOST_CALLS = 64
"""Calls read from one reply; more is noise, and each costs time."""
BAR = "[|｜]"
LOW = "[_▁ ]"
PREFIX = r"(?:[^<>\s/\"'`=]{0,20}(?:\s?[|｜]{1,2})?\s?)"


def inside(body: str, name: str, *, raw: bool) -> tuple[list[tuple[Runnable, str]], bool]:
    """The code in a wrapper, and whether it is plainly whole although nothing closed it."""
    stripped = body.strip()
    if not stripped:
        return [], False
    if stripped[:1] in "{[":
        cells = [c for part in _json_parts(stripped) for c in from_json(part, name, alone=True)]
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
        cells, whole = inside(stripped[named.end() :], named.group(1), raw=True)
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
        return from_json(inner.strip(), name, alone=True)
    if kind == "bash" or tag == "bash":
        cell = finish("bash", body)
    else:
        cell = finish("python", body)
        if cell and not (tag == "python" or acts(cell[1]) or (kind == "python" and ("\n" in body or parse(cell[1]) is not None))):
            return []
    return [cell] if cell else []


_PARAMETER = re.compile(
    rf"<{PREFIX}(?:parameter|param|arg|argument)\s*(?:=|\s+name\s*=\s*)[\"']?(?P<key>[\w-]{{1,64}})[\"']?[^<>\n]{{0,40}}>"
    r"|<(?:longcat_)?arg_key>\s*(?P<glm>[\w-]{1,64})\s*</(?:longcat_)?arg_key>\s*<(?:longcat_)?arg_value>"
    r"|<(?P<plain>code|script|command|source|cmd|python|input|language|(?:arguments|parameters)(?=>\s*[{\"]))>"
)
_PARAMETER_END = re.compile(
    rf"\n?(?:</{PREFIX}(?:parameter|param|arg|argument)\s*>|</(?:longcat_)?arg_value>|</(?:code|script|command|source|cmd|python|input|language|arguments|parameters)>)"
)
_FUNCTION_NAME = re.compile(
    rf"<{PREFIX}(?:invoke|function)\s*(?:=|\s+name\s*=\s*)[\"']?([\w.:-]{{1,64}})|<(?:tool_name|name)>\s*([\w.:-]{{1,64}})|^\s*([\w.:-]{{1,64}})\s*(?=<(?:longcat_)?arg_key>|\n)"
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
        value = body[parameter.end() : stop].rstrip()
        value = re.sub(r"</(?:function|invoke|tool_call)>$", "", value).rstrip()
        key = parameter["key"] or parameter["glm"] or parameter["plain"] or ""
        fields.setdefault(key, value.removeprefix("\n"))
        parameter = _PARAMETER.search(body, end.end()) if end else None
    return code_of(name or "execute_code", fields, trusted=False)


_HEAD = re.compile(
    rf"(?P<head>[^\n<{{\[]{{0,120}}?)\s*(?:<{BAR}tool{LOW}(?:sep|call{LOW}argument{LOW}begin){BAR}>|\[CALL_ID\][^\[\n]{{0,64}}\[ARGS\]|\[ARGS\])"
)


def _with_head(body: str, head: re.Match[str]) -> tuple[list[tuple[Runnable, str]], bool]:
    """`python[ARGS]{...}`, `functions.python:0<|tool_call_argument_begin|>{...}`, `function<｜tool▁sep｜>python` and a fence."""
    name, rest = head["head"].strip(), body[head.end() :].strip()
    if name in ("function", "") and (line := re.match(r"([\w.:-]{1,64})\s*\n", rest)):
        name, rest = line.group(1), rest[line.end() :]
    rest = without_fence(rest) if fence_tag(rest) == "call" else rest
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


def from_json(text: str, name: str, *, alone: bool) -> list[tuple[Runnable, str]]:
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
    cells = fields.get("cells")
    if isinstance(cells, list) and any(isinstance(c, dict) and "cell_type" in c for c in cast("list[object]", cells)[:1]):
        return _from_notebook(cast("list[object]", cells))
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


def _from_notebook(cells: list[object]) -> list[tuple[Runnable, str]]:
    """The code cells of a Jupyter notebook."""
    fields = [cast("dict[str, object]", c) for c in cells[:MOST_CALLS] if isinstance(c, dict)]
    sources = [f.get("source") for f in fields if f.get("cell_type") == "code"]
    texts = ["".join(map(str, cast("list[object]", s))) if isinstance(s, list) else str(s or "") for s in sources]
    return [cell for text in texts if (cell := finish("python", text))]


def _only_code(fields: dict[str, object]) -> bool:
    """`{"code": "..."}` alone: the arguments without their call."""
    return bool(fields.keys() & {"code", "python", "script", "source"}) and len(fields) <= 4 and not fields.keys() & _RESULT_KEYS


_RESULT_KEYS = {
    *("output", "outputs", "result", "results", "stdout", "stderr", "error", "status", "exit_code", "returncode", "return_code"),
}
"""What a record of a run has, and a call has not."""
