"""The fenced blocks of a reply, found by a CommonMark parser, each with the words around it.

Quoted blocks and blocks in HTML comments are marked as such; indented code is no fence, except when a deeply indented fence
in a list was taken for it. What a strict parser misses (a fence that opens behind words on its line, code that leaves the
indentation of the list its fence stands in) is put right by `relaxed` first, and only when strict reading found nothing.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING

from sandloop.extraction.language import parse
from sandloop.extraction.tags import CODE_IN_INFO, tag_kind

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.rules_block import StateBlock
    from markdown_it.token import Token

MARKDOWN_CHARS = 400_000
"""Longer replies are searched up to here: markdown-it needs 6 s for a million characters of list, and no model writes more
than about 128,000 tokens."""


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. `start` and `end` are where its lines are in the text; `before` and `after` the prose around it."""

    info: str
    source: str
    start: int
    end: int
    closed: bool
    quoted: bool = False
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True)
class Shield:
    """A piece of text in which nothing may be searched: a quote or a comment."""

    start: int
    end: int


MOST_FENCES = 4_000
"""Fence marks after which a reply is not searched further: each costs the parser 40 µs, and no reply has so many."""
_MARK = re.compile(r"`{3,}|~{3,}")


def searched(text: str) -> str:
    """The part of a reply that is searched for fences."""
    text = text[:MARKDOWN_CHARS]
    beyond = next(islice(_MARK.finditer(text), MOST_FENCES, None), None)
    return text[: beyond.start()] if beyond else text


def blocks(text: str) -> list[Block]:
    """The fenced blocks in order, with the prose around each."""
    if "```" not in text and "~~~" not in text:
        return []
    found = [t for t in _read(searched(text)) if isinstance(t, Block)]
    edges = [0, *(b.end for b in found)]
    starts = [*(b.start for b in found), len(text)]
    last_comment_end = text.rfind("-->")
    around: list[Block] = []
    for i, b in enumerate(found):
        before = text[edges[i] : b.start]
        hidden = before.rfind("<!--") > before.rfind("-->") and last_comment_end >= b.end
        around.append(replace(b, quoted=b.quoted or hidden, before=before, after=text[b.end : starts[i + 1]]))
    return around


def shields(text: str) -> list[Block | Shield]:
    """Fences, quotes and comments in order of their start."""
    return sorted(_read(searched(text)), key=lambda r: r.start)


def _read(text: str) -> Iterator[Block | Shield]:
    lines = text.split("\n")
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    quotes = 0
    for token in _parser().parse(text):
        quotes += (token.type == "blockquote_open") - (token.type == "blockquote_close")
        if token.map is None:
            continue
        begin, end = token.map
        start, stop = offsets[begin], min(len(text), offsets[min(end, len(lines))])
        if token.type == "fence":
            closed = end - begin > 1 and _closes(lines[min(end, len(lines)) - 1], token.markup)
            yield Block(token.info.strip(), token.content, start, stop, closed, quotes > 0)
        elif token.type == "code_block":
            yield from _nested(token, start, stop, quotes > 0)
        elif (token.type == "blockquote_open" and quotes == 1) or token.type == "comment":
            yield Shield(start, stop)


def _nested(token: Token, start: int, stop: int, quoted: bool) -> Iterator[Block]:
    """A fence that stands so deep in a list that it reads as indented code."""
    if re.match(r"`{3,}|~{3,}", token.content):
        for inner in _parser().parse(token.content):
            if inner.type == "fence" and inner.map is not None:
                lines = token.content.rstrip("\n").split("\n")
                closed = _closes(lines[min(inner.map[1], len(lines)) - 1], inner.markup) and len(lines) > 1
                yield Block(inner.info.strip(), inner.content, start, stop, closed, quoted)
                return


def _closes(line: str, markup: str) -> bool:
    last = line.lstrip("> \t").rstrip()
    return len(last) >= len(markup) and set(last) == {markup[0]}


@functools.cache
def _parser() -> MarkdownIt:
    from markdown_it import MarkdownIt

    parser = MarkdownIt("zero").enable(["fence", "code", "blockquote", "list", "heading", "hr"])
    parser.core.ruler.enableOnly(["normalize", "block"])
    parser.block.ruler.before("fence", "comment", _comment, {"alt": ["paragraph", "blockquote", "list"]})
    return parser


def _comment(state: StateBlock, first: int, last: int, silent: bool) -> bool:
    """A block rule for HTML comments alone: the standard HTML rule would also swallow fences after tags such as <details>."""
    start = state.bMarks[first] + state.tShift[first]
    if state.is_code_block(first) or not state.src.startswith("<!--", start):
        return False
    if silent:
        return True
    line = first
    while line < last and "-->" not in state.src[start if line == first else state.bMarks[line] : state.eMarks[line]]:
        line += 1
    state.line = min(line + 1, last)
    token = state.push("comment", "", 0)
    token.map = [first, state.line]
    return True


_OPENING = re.compile(r"^(?P<before>.*?)(?P<marker>(?<!`)`{3,}+|(?<!~)~{3,}+)[ \t]*(?P<info>[^`\n]*)$")
_ONE_LINE = re.compile(r"^\s*```(?P<info>\w+)[ \t]+(?P<code>[^`\n]+)```\s*$")


MOST_PARAGRAPHS = 4
"""Paragraphs that may be prose between the code of a block that nobody closed and the next block."""


def relaxed(text: str) -> str:
    """The text with fences as their writer meant them: alone on their lines and not indented."""
    written: list[str] = []
    marker, indent, empty = "", 0, False
    for line in _without_comments(searched(text)).split("\n"):
        stripped = line.strip()
        if marker:
            body = line[min(indent, len(line) - len(line.lstrip())) :]
            closing = re.match(rf"({re.escape(marker[0])}{{{len(marker)},}})(?!\w)\s?(.*)", stripped)
            if closing:
                written += [marker, closing.group(2)]
                marker = ""
            elif stripped.startswith(marker) and tag_kind(stripped[len(marker) :]) in ("python", "bash"):
                opened = next(i for i in range(len(written) - 1, -1, -1) if written[i].startswith(marker))
                written[opened + 1 :] = [*_closed_early(written[opened + 1 :], marker), stripped]
            elif stripped.endswith(marker) and not stripped.startswith(marker):
                written += [body.rstrip()[: -len(marker)], marker, ""]
                marker = ""
            else:
                if empty and stripped:
                    indent = min(indent, len(line) - len(line.lstrip()))
                    body, empty = line[indent:], False
                written.append(body)
        elif one := _ONE_LINE.match(line):
            written += ["```" + one["info"], one["code"], "```"]
        elif len(line) < 2_000 and (opening := _OPENING.match(line)) and _opens(opening):
            marker, empty = opening["marker"], True
            indent = len(line) - len(line.lstrip())
            info, first = _split_info(opening["info"])
            written += [opening["before"].strip(), marker + info, *([first] if first else [])]
        else:
            written.append(line)
    return "\n".join(written)


def _closed_early(lines: list[str], marker: str) -> list[str]:
    """The lines of a block that another follows unclosed: the code, its closing mark, and the paragraphs behind that are prose."""
    paragraphs = "\n".join(lines).split("\n\n")
    for kept in range(len(paragraphs), max(0, len(paragraphs) - MOST_PARAGRAPHS), -1):
        if parse(code := "\n\n".join(paragraphs[:kept])) is not None:
            return [code, marker, "\n\n".join(paragraphs[kept:])]
    return [*lines, marker]


def _without_comments(text: str) -> str:
    head, *rest = text.split("<!--")
    return "".join([head, *(piece.partition("-->")[2] for piece in rest)])


def _opens(opening: re.Match[str]) -> bool:
    before = opening["before"].strip()
    if re.match(r"(?:[\d.)*+-]+\s*)?>", before) or "`" in before:
        return False
    return not before or tag_kind(_split_info(opening["info"])[0]) in ("python", "bash", "call") or not opening["info"].strip()


def _split_info(info: str) -> tuple[str, str]:
    """The tag, and code that stands behind it on the same line."""
    info = info.strip()
    if CODE_IN_INFO.match(info):
        return "", info
    tag, _, rest = info.partition(" ")
    return (tag, rest) if CODE_IN_INFO.match(rest) else (info, "")
