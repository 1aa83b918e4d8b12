"""Reading the arguments of a call: strict JSON, else repaired, else salvaged, else the raw text as code.

Bounds: nothing longer than `REPAIR_CHARS` and nothing nested deeper than `REPAIR_DEPTH` is given to json-repair, which
needs 0.1 ms for each unclosed brace.
"""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass
from typing import Any, cast

from sandloop.extraction.language import parse

REPAIR_CHARS = 200_000
REPAIR_DEPTH = 60
CODE_KEYS = (
    *("code", "source", "script", "source_code", "python_code", "code_snippet", "snippet", "program", "cell", "code_string"),
    *("python", "py", "bash", "shell", "command", "cmd", "commands", "bash_command", "shell_command", "expression", "content"),
    *("input", "query", "text", "body", "value", "__arg1", "arg1", "arg", "0"),
)
"""Names of the argument that holds code, the likeliest first."""
WRAP_KEYS = ("arguments", "parameters", "args", "kwargs", "params", "properties", "input", "action_input", "tool_input", "data")
_NOT_CODE_KEYS = {"language", "lang", "timeout", "title", "description", "explanation", "reason", "thought", "name", "id", "type"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """A value read from text. `whole` is False when it had to be repaired, so that it may have been cut off."""

    value: object
    whole: bool


@dataclass(frozen=True, slots=True)
class Argument:
    """The code among a call's arguments, the key it stood under, and the language the arguments name."""

    key: str
    source: str
    language: str = ""


def load(text: str) -> Loaded | None:
    """The JSON value that text starts with, repaired where it must be; None when it isn't JSON at all."""
    text = re.sub(r"\A(?:`{3,}\w*\n|json\s+)(?=[{\[\"])", "", text.strip())
    if not text:
        return None
    try:
        value, end = _STRICT.raw_decode(text)
    except (ValueError, RecursionError):
        return _lenient(text) if text[0] in "{[\"'" else None
    if isinstance(value, dict) and text[end : end + 1] == "{":
        more = load(text[end:]) if text.count("}{") < 20 else None
        return Loaded([cast("object", value), more.value if more else None], bool(more and more.whole))
    if isinstance(value, (dict, list, str)):
        return Loaded(cast("object", value), True)
    return Loaded(None, True) if value is None else None


_STRICT = json.JSONDecoder(strict=False)


def _lenient(text: str) -> Loaded | None:
    if len(text) > REPAIR_CHARS:
        return None
    if (value := _literal(text)) is not None:
        return Loaded(value, True)
    salvaged = salvage(text)
    repaired = _repaired(text)
    if salvaged is None:
        return Loaded(cast("object", repaired), False) if isinstance(repaired, (dict, list)) and repaired else None
    name, source, key = salvaged
    found = code_in(_arguments_of(repaired))
    best = _better(found.source if found else "", source)
    return Loaded({"name": name, "arguments": {key: best}} if name else {key: best}, False)


def _literal(text: str) -> object:
    """A Python dict or list with constants, as models that think in Python write arguments."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value: object = ast.literal_eval(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError, TypeError):
        return None
    return cast("object", value) if isinstance(value, (dict, list)) and value else None


def _repaired(text: str) -> object:
    depth = deepest = 0
    for bracket in re.finditer(r"[\[\]{}()]", text):
        depth += 1 if bracket.group() in "[{(" else -1
        deepest = max(deepest, depth)
    if deepest > REPAIR_DEPTH:
        return None
    import json_repair

    try:
        return cast("object", json_repair.loads(text, skip_json_loads=True))
    except (ValueError, RecursionError, IndexError, KeyError, TypeError, AttributeError):
        return None  # what the library raises on text that it can't repair; the salvage below stands


_CODE_KEY = re.compile(
    r"""["']?\b(?P<key>code|source|script|python_code|command|cmd|python|input|bash)["']?\s*:\s*(?P<quote>\"\"\"|'''|```(?:python|py|bash)?\n|"|'|`)"""
)
_NAME_KEY = re.compile(r"""["'](?:name|tool|tool_name|function|action|recipient_name)["']\s*:\s*["']([\w.:-]{1,64})["']""")


def salvage(text: str) -> tuple[str, str, str] | None:
    """Name, code and key of a call whose JSON is broken inside the code: from the first quote to the last."""
    opening = _CODE_KEY.search(text, 0, 2_000)
    if opening is None:
        return None
    name = _NAME_KEY.search(text, 0, 2_000)
    rest = text[opening.end() :]
    quote = opening["quote"].strip("\npythonbas")
    tail = re.search(r"[\s,]*[}\]\s]*$", rest[-200:])
    end = len(rest) - len(tail.group()) if tail else len(rest)
    body = rest[:end]
    other = re.search(
        r"""(?<!\\)["'`]\s*,\s*["'](?:language|timeout|name|description|lang|title|explanation)["']\s*:\s*[^,]{1,300}$"""
        r"""|(?<!\\)["'`]\s*,\s*["']\w{1,40}["']\s*:\s*(?:[Tt]rue|[Ff]alse|null|None|-?\d[\d.]{0,20})$""",
        body[-400:],
    )
    if other and len(body) > other.end() - other.start():
        body = body[: len(body) - (len(body[-400:]) - other.start())]
    elif body.endswith(quote):
        body = body[: -len(quote)]
    elif not body.rstrip("\\").endswith('"'):
        body = rest
    decoded = _unescaped(body)
    best = body if parse(decoded) is None and parse(body) is not None else decoded
    return (name.group(1) if name else "", best, opening["key"])


def _unescaped(text: str) -> str:
    plain = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "/": "/", "b": "\b", "f": "\f"}
    return re.sub(r'\\(["\\/bfnrt])', lambda m: plain[m.group(1)], text)


def _better(repaired: str, salvaged: str) -> str:
    """The one that is Python; else the longer, since a repair that stops early loses code."""
    if parse(repaired) is not None and len(repaired) * 2 >= len(salvaged):
        return repaired
    return salvaged if parse(salvaged) is not None or len(salvaged) >= len(repaired) else repaired


def _arguments_of(value: object) -> object:
    if isinstance(value, dict):
        fields = cast("dict[str, object]", value)
        return next((fields[k] for k in WRAP_KEYS if isinstance(fields.get(k), (dict, str))), fields)
    return value


def code_in(value: object, *, depth: int = 0) -> Argument | None:
    """The code among arguments: under a usual name, in a wrapper, as a list of lines, or as JSON once more."""
    if depth > 4:
        return None
    if isinstance(value, str):
        inner = load(value) if (value.lstrip()[:1] in ('"', "{", "[") and parse(value) is None) or _is_json_text(value) else None
        found = code_in(inner.value, depth=depth + 1) if inner else None
        return found or (Argument("", value) if value.strip() else None)
    if isinstance(value, list):
        return _from_list("", cast("list[object]", value), depth)
    if not isinstance(value, dict):
        return None
    return _from_fields({str(k).strip().lower(): v for k, v in cast("dict[Any, object]", value).items()}, depth)


def _from_fields(fields: dict[str, object], depth: int) -> Argument | None:
    language = next((v for k in ("language", "lang", "kernel") if isinstance(v := fields.get(k), str)), "")
    for key in CODE_KEYS:
        if (found := _under(key, fields.get(key), depth)) is not None:
            return Argument(found.key or key, found.source, found.language or language)
    for key in WRAP_KEYS:
        if isinstance(fields.get(key), (dict, str, list)) and (found := code_in(fields[key], depth=depth + 1)) is not None:
            return Argument(found.key, found.source, found.language or language)
    texts = [(k, v) for k, v in fields.items() if isinstance(v, str) and v.strip() and k not in _NOT_CODE_KEYS]
    code = [(k, v) for k, v in texts if "\n" in v or (parse(v) is not None and not re.fullmatch(r"[\w./\\ -]*", v))]
    return Argument(code[0][0], code[0][1], language) if len(code) == 1 else None


def _under(key: str, value: object, depth: int) -> Argument | None:
    if isinstance(value, str):
        if not value.strip():
            return None
        if key in WRAP_KEYS or _is_json_text(value):
            return code_in(value, depth=depth + 1)
        return Argument(key, value)
    if isinstance(value, list):
        return _from_list(key, cast("list[object]", value), depth)
    if isinstance(value, dict):
        return code_in(cast("object", value), depth=depth + 1)
    return None


def _is_json_text(value: str) -> bool:
    return bool(
        re.match(r"""\s*\{\s*["'](?:code|source|script|command|cmd|python|input|arguments|parameters)["']\s*:""", value[:200])
    ) or bool(re.fullmatch(r'\s*"(?:[^"\\]|\\.){8,}"\s*', value[:REPAIR_CHARS]) and "\\n" in value and "\n" not in value)


def _from_list(key: str, items: list[object], depth: int) -> Argument | None:
    """A list of lines, or the words of a command: `["bash", "-lc", "ls"]`."""
    if not items:
        return None
    texts = [i for i in items if isinstance(i, str)]
    if len(texts) != len(items):
        found = [f for i in items[:20] if (f := code_in(i, depth=depth + 1))]
        sources = list(dict.fromkeys(f.source for f in found))
        return Argument(found[0].key, "\n".join(sources), found[0].language) if found else None
    if len(texts) >= 3 and re.search(r"(?:^|/)(?:ba|z)?sh$", texts[0]) and texts[1].startswith("-"):
        return Argument("command", texts[2])
    if len(texts) >= 3 and re.search(r"(?:^|/)python3?$", texts[0]) and texts[1] == "-c":
        return Argument("code", texts[2], "python")
    if key in ("command", "cmd") and len(texts) > 1 and re.fullmatch(r"[\w./-]+", texts[0]) and not any("\n" in t for t in texts):
        import shlex

        if not all(" " in t for t in texts[1:]):
            return Argument("command", shlex.join(texts))
    return Argument(key, "".join(texts) if all(t.endswith("\n") for t in texts[:-1]) else "\n".join(texts))
