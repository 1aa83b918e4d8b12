"""What every provider's own interpreter gives: text with perhaps a traceback in it, and pictures. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sandloop.events import CodeError

TRACEBACK = "Traceback (most recent call last):"
_EXCEPTION = re.compile(r"([A-Za-z_][\w.]*)(?::(?: (.*))?)?", re.DOTALL)
PICTURE_TYPES = {"image/png": "png", "image/jpeg": "jpg", "image/webp": "webp", "image/gif": "gif"}


@dataclass(frozen=True, slots=True)
class Inline:
    """A picture that came with a cell's outputs."""

    code_id: str
    mime: str
    data: bytes


def error_in(stderr: str) -> CodeError | None:
    """The exception that a program ended with, read from a Python traceback at the end of `stderr`."""
    start = stderr.find(TRACEBACK)
    if start < 0 and 'File "' in stderr:  # a SyntaxError of the script itself has no header
        start = stderr.find('  File "')
    if start < 0:
        return None
    lines = stderr[start:].rstrip().split("\n")
    for i in range(len(lines) - 1, 0, -1):  # the exception's line follows the indented frames; its message may span lines
        if lines[i - 1].startswith("  ") and (found := _EXCEPTION.fullmatch("\n".join(lines[i:]))):
            return CodeError(name=found[1][:200], value=(found[2] or "").strip()[:2_000], traceback=stderr[start:])
    return None


def head_and_tail(value: str, limit: int) -> tuple[str, int]:
    """At most `limit` bytes, the first three quarters and the last quarter, and how many bytes of the middle are gone."""
    raw = value.encode("utf-8", "replace")
    if len(raw) <= limit:
        return value, 0
    head, tail = raw[: limit * 3 // 4], raw[len(raw) - limit // 4 :]
    kept = head.decode("utf-8", "ignore") + tail.decode("utf-8", "ignore")
    return kept, len(raw) - len(kept.encode())
