"""Where numbers stand in an answer, and so what they are about: a cell of a table, an item of a list, a part of a sentence."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field

from sandloop.comparing.dates import MONTH_NAMES
from sandloop.comparing.labels import Label, label

_LEFT, _RIGHT = 240, 90
"""Characters before and behind a number that are read."""
_HARD = re.compile(r"[;!?](?=\s|$)|\.(?=\s|$)|\s[–—]\s(?!\W*$)")
_SOFT = re.compile(
    r",(?=\s)|[()\[\]]|\s(?:and|but|while|whereas|versus|vs\.?|compared|followed|then|or|und|et|y)\s|\s/\s|\s[-–—]\s(?!\W*$)"
)
_VERB = re.compile(
    r"(?:\b(?:is|was|are|were|be|equals|reached|averages?|averaged|ist|war)|[:=≈~])\W*(?:\w+ly|about|around)?\W*$", re.IGNORECASE
)
_NOUN = re.compile(r"[ \u00a0]+([A-Za-zÀ-ɏ]{2,40})")
_NO_NOUN_TEXT = (
    "and or but of in on at for to from with is was are were be has have had than as by over under per vs while which that when "
    "after before out compared versus respectively between during since it the a an more less higher lower und oder von im"
)
_NO_NOUN = frozenset(_NO_NOUN_TEXT.split())
_BEFORE_KEY = re.compile(
    r"\b(?:in|for|during|since|until|from|to|through|between|and|of|years?|on|by|month|im|em|en)\s*$", re.IGNORECASE
)
_PART_OF = re.compile(r"\s+(?:out\s+)?of\s+(?:the\s+|all\s+|a\s+total\s+of\s+)?")
_OUT_OF = re.compile(r"\bout\s+of\s+(?:the\s+|all\s+|a\s+total\s+of\s+)?$", re.IGNORECASE)
_REMARK = re.compile(r"\s?\(([^()\n]{1,60})\)")
_SEPARATOR = re.compile(r"[\s|:+-]*-{2,}[\s|:+-]*")
_IN_PARENTHESES = re.compile(r"[(\[](?:in )?([^()\[\]\n\d]{1,20})[)\]]")
_ITEM = re.compile(r"\s*(?:[-*+•–]|\d{1,3}[.)])\s|\s{2,}\S")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The surroundings of one number."""

    label: Label = field(default_factory=Label)
    left: str = ""
    """The text before it, as far as it belongs to it."""
    noun: str = ""
    """The word right behind it, where it is one that can be counted."""
    unit: str = ""
    """What stands in parentheses in its column's header or in the words before it: `mean (g)`."""
    base: bool = False
    """Whether it is what others are a part of: the `1461` of `641 of 1461 days`."""
    key: bool = False
    """Whether it says which of several numbers another one is: the year of a row."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a number stands in the text."""

    start: int
    end: int
    date: bool = False
    """A date, a time or a year: it is one of the words around other numbers, too."""


@dataclass(frozen=True, slots=True)
class _Line:
    start: int
    text: str
    section: str
    cells: tuple[str, ...] = ()
    """Of a table's row."""
    header: tuple[str, ...] = ()

    @property
    def end(self) -> int:
        return self.start + len(self.text)


def places(text: str, spans: Sequence[Span]) -> list[Place]:
    """The place of each span of `text`, which are in order and do not overlap."""
    lines = _lines(text)
    starts = [line.start for line in lines]
    found: list[Place] = []
    for position, span in enumerate(spans):
        line = lines[bisect_right(starts, span.start) - 1]
        if line.cells:
            more = position + 1 < len(spans) and spans[position + 1].start < line.end
            found.append(_in_table(line, span.start - line.start, more))
        else:
            found.append(_in_text(text, line, span, *_neighbours(spans, position, line)))
    return found


def _neighbours(spans: Sequence[Span], position: int, line: _Line) -> tuple[int | None, int | None]:
    """Where the number before ends and the number behind begins, when they stand in the same line; dates are passed over."""
    counts = [not span.date or spans[position].date for span in spans[max(position - 8, 0) : position + 9]]
    near = spans[max(position - 8, 0) : position + 9]
    at = min(position, 8)
    before = next((near[i].end for i in range(at - 1, -1, -1) if counts[i]), None)
    after = next((near[i].start for i in range(at + 1, len(near)) if counts[i]), None)
    return (
        before if before is not None and before > line.start else None,
        after if after is not None and after < line.end else None,
    )


def _lines(text: str) -> list[_Line]:
    raw: list[tuple[int, str]] = []
    at = 0
    for line in text.split("\n"):
        raw.append((at, line))
        at += len(line) + 1
    found: list[_Line] = []
    header: tuple[str, ...] = ()
    section, blank = "", False
    for position, (start, line) in enumerate(raw):
        stripped = line.strip()
        following = raw[position + 1][1] if position + 1 < len(raw) else ""
        if stripped.count("|") >= 1 and (stripped.startswith("|") or header or _is_separator(following)):
            cells = _cells(stripped)
            header = cells if _is_separator(following) or not (header or re.search(r"\d", stripped)) else header
            found.append(_Line(start, line, section, cells, header or ("",) * len(cells)))
            continue
        header = ()
        heading = stripped.startswith("#") or (stripped.endswith(":") and len(stripped) <= 120)
        if not stripped:
            blank = True
        elif not heading and blank and not _ITEM.match(line):
            section = ""
        found.append(_Line(start, line, section))
        if stripped:
            blank = False
        if heading:
            section = stripped.strip("#: ")
    return found


def _is_separator(line: str) -> bool:
    return "|" in line and len(line) <= 2_000 and _SEPARATOR.fullmatch(line) is not None


def _cells(line: str) -> tuple[str, ...]:
    return tuple(cell.strip() for cell in line.strip().removeprefix("|").removesuffix("|").split("|"))[:100]


def _in_table(line: _Line, at: int, more: bool) -> Place:
    lead = line.text[:at].lstrip()
    column = lead.removeprefix("|").count("|")
    header = line.header[column] if column < len(line.header) and line.header != line.cells else ""
    names = [_key(cell, line.header[i] if i < len(line.header) else "") for i, cell in enumerate(line.cells[:6]) if i != column]
    first = names[0] if column and names else ""
    texts = [name for name in names[1:] if name and not re.search(r"\d", name)]
    row = " ".join([first, *texts])
    what = ", ".join(part for part in (line.cells[0] if column else "", header) if part)
    parts = [(row, 1.0), (header, 1.0), (line.section, 0.4)]
    return Place(label=label(parts, what), key=column == 0 and len(line.cells) > 1 and more, unit=_in_parentheses(header))


def _key(cell: str, header: str) -> str:
    """The text of a row's first cell; a bare number as a word, and as a month where its column says so."""
    if not re.fullmatch(r"\d{1,6}", cell) or len(cell) == 4:
        return cell
    if "month" in header.lower() and 1 <= int(cell) <= 12:
        return MONTH_NAMES[int(cell) - 1]
    return f"#{int(cell)}"


def _in_text(text: str, line: _Line, span: Span, before: int | None, after: int | None) -> Place:
    start, end = span.start, span.end
    whole = text[max(line.start, start - _LEFT) : start]
    sentence = whole[max((m.end() for m in _HARD.finditer(whole)), default=0) :]
    gap = sentence if before is None else text[max(before, start - len(sentence)) : start]
    left = gap
    if before is not None and before > start - len(sentence) and (boundary := _SOFT.search(gap)) is not None:
        left = gap[boundary.end() :]
    behind = text[end : min(after if after is not None else line.end, end + _RIGHT)]
    part = _PART_OF.fullmatch(behind) is not None
    if after is not None and part:  # `641 of 1461 days`: both are days
        behind = _right(re.sub(r"^[\d.,\s]+", "", text[after : after + _RIGHT]), shared=False, enclosed=False)
    right = behind if part else _right(behind, shared=after is not None, enclosed=gap.rstrip().endswith(("(", "[")))
    noun = _NOUN.match(f" {behind.lstrip()}" if after is not None and part else text[end : end + 60])
    verb = _VERB.search(gap) is not None
    subject = (
        (sentence[: len(sentence) - len(left)], 0.8) if verb and not _SOFT.search(gap) else (re.split(r"\d", sentence)[0], 0.3)
    )
    parts = [
        (_with_keys(left, line, start), 1.0),
        (right, 0.8),
        subject,
        (line.section, 0.7 if _ITEM.match(line.text) or len(line.text) < 60 else 0.4),
    ]
    return Place(
        label=label(parts, left if label([(left, 1.0)]).words else f"{left} {right}"),
        left=gap[-60:],
        noun=noun[1] if noun and noun[1].lower() not in _NO_NOUN else "",
        base=_OUT_OF.search(gap) is not None or (before is not None and _PART_OF.fullmatch(gap) is not None),
        key=_is_key(text, line, span, before, after),
        unit=_in_parentheses(left),
    )


def _in_parentheses(text: str) -> str:
    found = _IN_PARENTHESES.findall(text[-120:])
    return str(found[-1]).strip() if found else ""


def _right(behind: str, *, shared: bool, enclosed: bool) -> str:
    """What still belongs to a number of the text behind it; only the first two words where another number shares it."""
    if not enclosed and (remark := _REMARK.match(behind)) is not None:
        return str(remark[1])
    cuts = [m.start() for pattern in (_HARD, _SOFT) if (m := pattern.search(behind)) is not None]
    if cuts:
        return behind[: min(cuts)]
    return " ".join(behind.split()[:2]) if shared else behind


def _with_keys(left: str, line: _Line, start: int) -> str:
    """A number that begins the line and has a colon behind it names what follows."""
    lead = re.match(r"\W*(\d{1,3}|\d{5,6})\s*:", line.text[: min(start - line.start, 80)])
    return f"#{int(lead[1])} {left}" if lead else left


def _is_key(text: str, line: _Line, span: Span, before: int | None, after: int | None) -> bool:
    if re.match(r"\s*[:=]\s", text[span.end : span.end + 4]):
        return re.search(r"\d", text[span.end : line.end]) is not None
    lead = text[max(line.start, span.start - 24) : span.start]
    return span.date and (before is not None or after is not None) and _BEFORE_KEY.search(lead) is not None
