"""Where in a file a setting stands: the parser of TOML does not say. Pure."""

from __future__ import annotations

import re
import tomllib
from typing import Any, cast

from sandloop.settings.places import Place

MAX_LINE, MAX_TRIES = 2_000, 50
_HEADER = re.compile(r"\s*\[\[?(.+?)\]\]?\s*(?:#.*)?")
_KEY = re.compile(
    r"""\s*((?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*'))*)\s*="""
)
_AT = re.compile(r"\(at line (\d+), column \d+\)")


def line_of(text: str, place: Place) -> int | None:
    """The line, from 1, on which the setting, or what is nearest around it, begins; None where that can't be told."""
    best: tuple[int, int] | None = None
    table: Place = ()
    tries = 0
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > MAX_LINE:
            continue
        if header := _HEADER.fullmatch(line):
            here = table = _keys(header[1])
        elif key := _KEY.match(line):
            here = (*table, *_keys(key[1]))
        else:
            continue
        depth = len(here)
        deeper = best is None or depth > best[0]
        if here and place[:depth] == here and deeper and tries < MAX_TRIES:
            tries += 1
            best = (depth, number) if _begins(text, number) else best
    return None if best is None else best[1]


def line_in(message: str, text: str) -> int | None:
    """The line that the parser's own message names."""
    if "end of document" in message:
        return len(text.splitlines())
    found = _AT.search(message)
    return int(found[1]) if found else None


def _keys(dotted: str) -> Place:
    try:
        found: Any = tomllib.loads(f"{dotted} = 0")
    except tomllib.TOMLDecodeError:
        return ()
    keys: list[str] = []
    while isinstance(found, dict):
        ((key, found),) = cast("dict[str, Any]", found).items()
        keys.append(key)
    return tuple(keys)


def _begins(text: str, number: int) -> bool:
    """Whether the line is not in the middle of a text or a list of several lines."""
    try:
        tomllib.loads("\n".join(text.splitlines()[: number - 1]))
    except (tomllib.TOMLDecodeError, RecursionError):
        return False
    return True
