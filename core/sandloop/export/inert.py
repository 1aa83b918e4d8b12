"""Markdown that loads nothing and runs nothing, whoever renders it: HTML and pictures in it are shown as they are written. Pure."""

from __future__ import annotations

import re

_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_PICTURE = re.compile(r"!(?=\[)")


def inert(text: str) -> str:
    """The text with its HTML and its pictures as plain characters; fenced code stays as it is."""
    if not _TAG.search(text) and not _PICTURE.search(text):
        return text
    from markdown_it import MarkdownIt

    lines = text.split("\n")
    code: set[int] = set()
    for token in MarkdownIt("commonmark").parse(text):
        if token.type == "fence" and token.map is not None and token.level == 0 and not lines[token.map[0]].startswith(" "):
            code |= set(range(*token.map))
    return "\n".join(line if number in code else _shown(line) for number, line in enumerate(lines))


def _shown(line: str) -> str:
    return _PICTURE.sub("&#33;", _TAG.sub("&lt;", line))
