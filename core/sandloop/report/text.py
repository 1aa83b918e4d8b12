"""Text that others wrote, as a report shows it: every sign visible, none of it markup, its length bounded. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from markupsafe import escape

from sandloop.printable import printable

_ODD = re.compile(r"[^\n\t\x20-\x7e]")
_PILE = re.compile(
    r"([\u0300-\u036f\u0483-\u0489\u0591-\u05bd\u0e31-\u0e3a\u0e47-\u0e4e\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f])"
)
_PILES = re.compile(f"(?:{_PILE.pattern[1:-1]}){{5,}}")
"""More marks on one letter than any language puts there: they would grow over the lines around them."""


def visible(text: str) -> str:
    """`text` with control, bidi and zero-width characters, and piles of accents, as escapes; newlines and tabs stay."""
    if not _ODD.search(text):
        return text
    return _PILES.sub(lambda pile: "".join(f"\\u{ord(c):04x}" for c in pile[0]), printable(text))


def weight(text: str) -> int:
    """The bytes it takes in a page."""
    return len(escape(visible(text)).encode())


@dataclass(frozen=True, slots=True)
class Cut:
    """A text, or its beginning and its end with `left_out` characters between them."""

    head: str = ""
    tail: str = ""
    left_out: int = 0

    def __bool__(self) -> bool:
        return bool(self.head)


def cut(text: str, limit: int, *, ends: bool = True) -> Cut:
    """What fits into `limit` bytes of a page; a longer text keeps its beginning and, unless `ends` is false, its end.

    The two are cut at a line's end where one is near.
    """
    if len(text) <= limit and weight(text) <= limit:
        return Cut(text)
    size = min(limit, len(text))
    while True:
        head, tail = _split(text, size, ends)
        heavy = weight(head) + weight(tail)
        if heavy <= limit:
            return Cut(head, tail, len(text) - len(head) - len(tail))
        size = min(size - 1, size * limit // heavy)


def _split(text: str, size: int, ends: bool) -> tuple[str, str]:
    behind = size * 2 // 5 if ends else 0
    head, tail = text[: size - behind], text[len(text) - behind :]
    if (newline := head.rfind("\n", len(head) * 3 // 4)) >= 0:
        head = head[: newline + 1]
    if 0 <= (newline := tail.find("\n")) < len(tail) // 4:
        tail = tail[newline + 1 :]
    return head, tail


def short(text: str, length: int) -> str:
    """One line of at most `length` characters."""
    line = " ".join(text[: length * 4].split())
    return line if len(line) <= length and len(text) <= length * 4 else line[: max(0, length - 1)] + "…"
