"""JSON and JSON Lines: the shape, the keys with their types, and the first record. Large files are looked at from their start."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from .preview_page import Page, amount, listed, quoted
from .preview_source import Source
from .preview_text import Text, packing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeGuard

_WHOLE_CHARS = 8_000_000
"""Files up to here are read whole: about 0.2 s and 100 MB."""
_RECORDS = 300
_DEPTH = 3
_DECODER = json.JSONDecoder()


def is_object(value: object) -> TypeGuard[dict[str, Any]]:
    """Whether it came from a JSON object."""
    return isinstance(value, dict)


def is_list(value: object) -> TypeGuard[list[Any]]:
    """Whether it came from a JSON list."""
    return isinstance(value, list)


def describe_json(source: Source, text: Text, page: Page) -> bool:
    """Describe the text as JSON; False, with nothing on the page, when it is none."""
    start = text.start.removeprefix("\ufeff")
    if start.lstrip()[:1] not in ("{", "["):
        return False
    try:
        return _describe_lines(source, text, start, page) or _describe_document(source, text, start, page)
    except RecursionError:
        page.line(f"JSON, {text.encoding}, nested too deeply to be read by Python's json module")
        page.line("it begins: " + start[:200])
        return True


def _describe_lines(source: Source, text: Text, start: str, page: Page) -> bool:
    lines = [line for line in start.split("\n")[: _RECORDS + 1] if line.strip()]
    if not source.whole and "\n" not in start[-1:]:
        lines = lines[:-1] if len(lines) <= _RECORDS else lines
    records = [record for line in lines[:_RECORDS] if (record := _parsed(line)) is not None]
    named = source.suffix in (".jsonl", ".ndjson")
    if len(records) < 2 - named or not records or len(records) < 0.9 * len(lines[:_RECORDS]):
        return False
    page.line(f"JSON Lines (one record a line), {text.encoding}{packing(source, text)}, {text.about}{amount(text.lines, 'line')}")
    encoding = "" if text.encoding == "utf-8" else f", encoding={text.encoding!r}"
    compression = "" if source.named_as_packed else f", compression={source.packed!r}"
    page.line(f"read it with: df = pd.read_json({quoted(source.name, 300)}, lines=True{encoding}{compression})")
    if len(records) < len(lines[:_RECORDS]):
        page.line(f"note: {len(lines[:_RECORDS]) - len(records)} of the first {len(lines[:_RECORDS])} lines are not valid JSON")
    _describe_records(records, page)
    return True


def _describe_document(source: Source, text: Text, start: str, page: Page) -> bool:
    whole = _read_whole(source, text) if text.finished else None
    if whole is None:
        return _describe_start(source, text, start, page)
    try:
        value, end = _DECODER.raw_decode(whole, len(whole) - len(whole.lstrip()))
    except ValueError as error:
        if source.suffix in (".json", ".geojson"):
            page.line(f"it is called {source.suffix} but is not valid JSON: {error}")
        return False
    page.line(f"JSON, {text.encoding}{packing(source, text)}: {_what(value)}")
    if whole[end:].strip():
        page.line(f"note: more follows after the first value, from character {end:,} on, so json.load fails")
    load = f"json.load({_opening(source, text)})"
    key = _main_key(value)
    if key is not None:
        page.line(f"read it with: data = {load}; df = pd.json_normalize(data[{quoted(key)}])")
    elif is_list(value) and value and all(is_object(v) for v in value[:_RECORDS]):
        page.line(f"read it with: df = pd.json_normalize({load})")
    else:
        page.line(f"read it with: data = {load}")
    if is_object(value):
        page.line("keys: " + _keys([value], 0, 1_200), 1_400)
        _begin(value[key][0] if key is not None else value, page)
    elif is_list(value):
        _describe_records(value, page)
    return True


def _describe_start(source: Source, text: Text, start: str, page: Page) -> bool:
    """A file too large to be read whole: its first records."""
    records: list[Any] = []
    at = len(start) - len(start.lstrip()) + 1
    if start.lstrip().startswith("{"):
        page.line(f"JSON, {text.encoding}{packing(source, text)}: one large object, looked at from its start only")
        page.line("it begins: " + start[:600], 700)
        return True
    while len(records) < _RECORDS:
        while at < len(start) and start[at] in " \t\r\n,":
            at += 1
        try:
            value, at = _DECODER.raw_decode(start, at)
        except ValueError:
            break
        records.append(value)
    if not records:
        return False
    page.line(f"JSON, {text.encoding}{packing(source, text)}: a large list, looked at from its start only")
    page.line(f"read it with: df = pd.json_normalize(json.load({_opening(source, text)}))")
    _describe_records(records, page)
    return True


def _read_whole(source: Source, text: Text) -> str | None:
    if source.whole:
        return text.start.removeprefix("\ufeff")
    with source.open() as file:
        data = b""
        while len(data) <= _WHOLE_CHARS and (piece := file.read1(_WHOLE_CHARS)):
            data += piece
    return data.decode(text.encoding, "replace").removeprefix("\ufeff") if len(data) <= _WHOLE_CHARS else None


def _parsed(line: str) -> dict[str, Any] | list[Any] | None:
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if is_object(value) or is_list(value) else None


def _opening(source: Source, text: Text) -> str:
    module = {"gzip": "gzip.", "bz2": "bz2.", "xz": "lzma."}.get(source.packed, "")
    mode = "'rt', " if source.packed else ""
    return f"{module}open({quoted(source.name, 300)}, {mode}encoding={text.encoding!r})"


def _main_key(value: object) -> str | None:
    """The key under which the records are: the longest list of objects."""
    if not is_object(value):
        return None
    lists = {k: v for k, v in value.items() if is_list(v) and v and is_object(v[0])}
    return max(lists, key=lambda k: len(lists[k]), default=None)


def _describe_records(records: Sequence[Any], page: Page) -> None:
    objects = [r for r in records[:_RECORDS] if is_object(r)]
    if objects:
        page.line("keys of a record: " + _keys(objects, 0, 1_200), 1_400)
    elif records:
        page.line("items: " + _types(records[:_RECORDS], 0))
    if records:
        _begin(records[0], page)


def _begin(value: object, page: Page) -> None:
    page.line("first record: " + json.dumps(value, ensure_ascii=False)[:2_000], 500)


def _what(value: object) -> str:
    if is_object(value):
        return f"an object with {amount(len(value), 'key')}"
    return f"a list of {amount(len(value), 'item')}" if is_list(value) else "a single value"


def _keys(objects: Sequence[Mapping[str, Any]], depth: int, most: int) -> str:
    values: dict[str, list[Any]] = {}
    for item in objects:
        for key in item:
            if len(values) < 2_000 or key in values:
                values.setdefault(key, []).append(item[key])
    if not values:
        return "none"

    def told(key: str) -> str:
        some = "" if len(values[key]) == len(objects) else f" (in {len(values[key])} of {len(objects)})"
        return f"{quoted(key)} {_types(values[key], depth)}{some}"

    return listed((told(k) for k in values), len(values), most, "more keys")


def _types(values: Sequence[Any], depth: int) -> str:
    """What these values are, taken together."""
    kinds = list(dict.fromkeys("null" if v is None else type(v).__name__ for v in values))
    told: list[str] = []
    for kind in kinds[:5]:
        if kind == "dict":
            inner = [v for v in values if is_object(v)]
            told.append("object" if depth >= _DEPTH else "object {" + _keys(inner, depth + 1, 300) + "}")
        elif kind == "list":
            lists = [v for v in values if is_list(v)]
            items = [v for inner in lists[:50] for v in inner[:50]]
            size = f" of {amount(len(lists[0]), 'item')}" if len(values) == 1 else ""
            told.append(f"list{size}" if depth >= _DEPTH or not items else f"list{size}: {_types(items, depth + 1)}")
        else:
            told.append(kind)
    return " or ".join(told)
