"""Fences inside the strings or here-documents of a fenced program, as in one that writes a README.

To a CommonMark parser the first such fence closes the block in the middle of the string. The outer fence is rewritten as a
longer one when the code is whole with a later closing fence as its end, and was not with the first.
"""

from __future__ import annotations

import re

from sandloop.extraction.language import parse
from sandloop.extraction.source import HEREDOC
from sandloop.extraction.tags import TagKind, tag_kind

MOST_CHARS = 100_000
MOST_BLOCKS = 4
MOST_ENDS = 8
_FENCE = re.compile(r"^(?P<marker>`{3,}|~{3,})[ \t]*(?P<info>[^`\n]*)$", re.MULTILINE)
_TRIPLE = ('"""', "'''")
LONGER = "~" * 16


def kept_whole(text: str) -> str:
    """The text with such blocks in a fence that nothing inside closes."""
    text = _documents_kept(text)
    if len(text) > MOST_CHARS or not any(t in text for t in (*_TRIPLE, "<<")) or LONGER in text:
        return text
    position = tried = 0
    while tried < MOST_BLOCKS and (opening := _FENCE.search(text, position)):
        closings = _closings(text, opening)
        position = closings[0].end() if closings else len(text)
        kind = tag_kind(opening["info"])
        if not closings or not _is_open(kind, text[opening.end() + 1 : closings[0].start()]):
            continue
        tried += 1
        for closing in closings[1:]:
            source = text[opening.end() + 1 : closing.start()]
            if not _is_open(kind, source) and (kind == "bash" or parse(source) is not None):
                head = f"{text[: opening.start()]}{LONGER}{opening['info']}\n{source}{LONGER}"
                text, position = head + text[closing.end() :], len(head)
                break
    return text


_DOCUMENT = re.compile(r"^```(?:markdown|md|mdx)[ \t]*$", re.MULTILINE | re.IGNORECASE)


def _documents_kept(text: str) -> str:
    """The text with each Markdown document, whose fences within are balanced, in a fence of its own."""
    if len(text) > MOST_CHARS or LONGER in text:
        return text
    kept: list[str] = []
    position = 0
    while opening := _DOCUMENT.search(text, position):
        depth, inner = 1, False
        for fence in _FENCE.finditer(text, opening.end()):
            depth += 1 if fence["info"].strip() else -1
            inner = inner or bool(fence["info"].strip())
            if depth == 0:
                break
        else:
            break
        mark = LONGER if inner else "```"
        kept.append(f"{text[position : opening.start()]}{mark}markdown{text[opening.end() : fence.start()]}{mark}")
        position = fence.end()
    return "".join([*kept, text[position:]])


def _is_open(kind: TagKind, source: str) -> bool:
    """Whether code ends in the middle of a string or here-document."""
    if kind == "bash":
        heredocs = {m["end"] for m in HEREDOC.finditer(source)}
        return not heredocs <= {line.strip() for line in source.split("\n")}
    return kind == "python" and any(t in source for t in _TRIPLE) and parse(source) is None


_OPENS_AGAIN = re.compile(r"^```(?:python3?|py|bash|sh)[ \t]*$", re.MULTILINE)


def swallows(source: str) -> bool:
    """Whether a block that was never closed goes on into the next one."""
    return bool(_OPENS_AGAIN.search(source)) and parse(source) is None


def _closings(text: str, opening: re.Match[str]) -> list[re.Match[str]]:
    found: list[re.Match[str]] = []
    for m in _FENCE.finditer(text, opening.end()):
        if m["marker"].startswith(opening["marker"]) and not m["info"].strip():
            found.append(m)
            if len(found) == MOST_ENDS:
                break
    return found
