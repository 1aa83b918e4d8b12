"""Code whose fence was never closed: the prose or the end mark behind it is no part of it."""

from __future__ import annotations

import re

from sandloop.extraction.language import parse
from sandloop.extraction.source import MEND_CHARS

_PROSE = re.compile(r"[^\W\d_a-z][\w'’-]*,?(?: [\w'’`*(\"-]+[,;:.)`*\"]*){3,}|[*#>-]{1,4}[ *\w]|[^\x00-\x7f]|\s*$|`{1,2}$")
MOST_LINES = 16
_TOKEN = re.compile(r"(?:\s*<(?:\|[\w▁]{1,30}\||/s|end_of_turn|｜[^<>\n]{1,30}｜)>)+\s*$")


def without_prose(source: str) -> str:
    """The code alone; as it stands when no shorter piece of it parses."""
    if len(source) > MEND_CHARS or parse(source) is not None:
        return source
    ended = _TOKEN.sub("", source[-200:])
    lines = (source[:-200] + ended).split("\n")
    for _ in range(MOST_LINES):
        if parse("\n".join(lines)) is not None:
            return "\n".join(lines)
        while len(lines) > 1 and not lines[-1].strip():
            del lines[-1]
        if not _PROSE.match(lines[-1][:200]):
            break
        del lines[-1]
    return source[:-200] + ended
