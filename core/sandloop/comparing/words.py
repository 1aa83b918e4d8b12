"""Answers in a word: yes or no, a month, a weekday, a name. Compared where they are clear, else left to the reader. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from sandloop.comparing.comparison import NumberRow
from sandloop.comparing.dates import MONTH_NAMES, MONTHS, find_dates
from sandloop.comparing.echo import echoed
from sandloop.comparing.labels import ASPECTS, one_form, words_of
from sandloop.comparing.stated import plain
from sandloop.comparing.units import NONE, unit_of
from sandloop.numbers import MAGNITUDES, without_markup

Kind: TypeAlias = Literal["yes or no", "month", "weekday", "name"]
LONGEST_NAMED = 25
"""Words of an answer in which a name is looked for; a longer one is a text for the reader."""
_READ = 4_000
_ASKS_NAME = re.compile(
    r"\b(?:which|who|whose|whom|where|name|names|called)\b|\bwhat\s+(?!is|are|was|were|does|do|did|has|have|share|percentage)\w+",
    re.I,
)
_ASKS_YES = re.compile(r"\W*(?:is|are|was|were|do|does|did|has|have|can|could|will|would|should)\b", re.IGNORECASE)
_YES = re.compile(r"\W*(yes|no|true|false)\b", re.IGNORECASE)
_NO_WORDS = ("no", "false")
_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_WEEKDAY = re.compile(r"\b(mon|tues|wednes|thurs|fri|satur|sun)days?\b", re.IGNORECASE)
_MONTH = re.compile(
    r"\b(?i:month(?:\s+(?:is|was|number))?)\W{0,3}(?P<number>1[0-2]|0?[1-9])(?![\d%]|[.,]\d)"
    r"|\b(?P<name>(?!(?:may|mar|mars|sep|dec|jan|ago)\b)(?i:"
    + "|".join(sorted(MONTHS, key=len, reverse=True))
    + r"))\b|\b(?P<may>May)\b"
)
_BARE_MONTH = re.compile(r"\W*(1[0-2]|0?[1-9])\W*")
_STRONG = re.compile(r"\*\*([^*\n]{1,80})\*\*|__([^_\n]{1,80})__|[\"“„]([^\"”\n]{1,80})[\"”]|`([^`\n]{1,80})`")
_NAME = re.compile(r"[^\W\d_][\w'’-]*")
_LEADS = frozenset({"yes", "no", "the", "it", "in", "of", "by", "on", "answer", "overall", "based", "with", "warmest", "most"})


@dataclass(frozen=True, slots=True)
class Word:
    """What an answer says in a word."""

    text: str
    """As it is shown."""
    forms: frozenset[str]
    sure: bool = True
    """Whether it is surely the answer, and not a word on the way."""


@dataclass(frozen=True, slots=True)
class WordRow:
    """What the answers say of one thing in a word, by the position of the answer."""

    what: Kind
    members: Mapping[int, Word] = field(default_factory=dict[int, Word])

    def agree(self, a: int, b: int) -> bool | None:
        """Whether two of them say the same; None when that is not clear."""
        first, second = self.members.get(a), self.members.get(b)
        if first is None or second is None:
            return None
        small, large = sorted((first.forms, second.forms), key=len)
        if all(any(_one(word, other) for other in large) for word in small):
            return True
        if any(_one(word, other) for word in small for other in large):
            return None
        return False if first.sure and second.sure else None


def _one(a: str, b: str) -> bool:
    """`rain` and `rainy` are one word."""
    short, long = sorted((a, b), key=len)
    return a == b or (len(short) >= 4 and long.startswith(short))


def word_row(answers: Sequence[str | None], question: str) -> WordRow | None:
    """What the answers say in a word; None when fewer than two do."""
    kind = kind_of(question)
    if kind is None:
        return None
    found = {at: word for at, answer in enumerate(answers) if answer is not None and (word := said(answer, kind, question))}
    return WordRow(kind, found) if len(found) > 1 else None


def kind_of(question: str) -> Kind | None:
    """What kind of word answers the question; None for one that asks for a number or a text."""
    words = words_of(question)
    if _ASKS_YES.match(question):
        return "yes or no"
    if "weekday" in words or re.search(r"\bday of the week\b", question, re.IGNORECASE):
        return "weekday"
    if re.search(r"\b(?:which|what|in which|name the)\s+(?:\w+\s+){0,2}month\b", question, re.IGNORECASE):
        return "month"
    return "name" if _ASKS_NAME.search(question) else None


def said(answer: str, kind: Kind, question: str) -> Word | None:
    """The word that answers; None when there is none, or several that could be it."""
    text = without_markup(answer[:_READ]) or answer[:_READ]
    match kind:
        case "yes or no":
            found = _YES.match(text.replace("*", ""))
            if found is None:
                return None if (echo := echoed(text.replace("*", ""), question)) is None else _fixed(echo)
            return _fixed("no" if found[1].lower() in _NO_WORDS else "yes")
        case "month":
            return _the_one(text, _months)
        case "weekday":
            return _the_one(text, _weekdays)
        case "name":
            return _name(text, question)


def _fixed(text: str) -> Word:
    return Word(text, frozenset({text.lower()}))


def _months(text: str) -> set[str]:
    if (bare := _BARE_MONTH.fullmatch(text)) is not None:
        return {MONTH_NAMES[int(bare[1]) - 1]}
    numbers = (int(m["number"]) if m["number"] else MONTHS[(m["name"] or m["may"]).lower()] for m in _MONTH.finditer(text))
    dated = {day.month for when in find_dates(text) for day in when.days[:1] if day.month}
    return {MONTH_NAMES[number - 1] for number in {*numbers, *dated}}


def _weekdays(text: str) -> set[str]:
    return {next(day for day in _WEEKDAYS if day.lower().startswith(m[1].lower())) for m in _WEEKDAY.finditer(text)}


def _the_one(text: str, read: Callable[[str], set[str]]) -> Word | None:
    """The only one of the text, or of what it emphasizes, or of its first sentence."""
    emphasized = " ; ".join("".join(parts) for parts in _STRONG.findall(text))
    for part in (text, emphasized, re.split(r"(?<=[.!?])\s|\n", text.strip(), maxsplit=1)[0]):
        found = read(part.replace("*", ""))
        if len(found) == 1:
            return _fixed(found.pop())
    return None


def _name(text: str, question: str) -> Word | None:
    """What is left of a short answer without the words of the question: one to three words."""
    strong = {word.lower() for parts in _STRONG.findall(text) for word in _NAME.findall("".join(parts))}
    short = plain(text).replace("*", "").strip()
    words = _NAME.findall(short)
    if not words or len(words) > LONGEST_NAMED:
        return None
    asked = set(words_of(question)) | {one_form(word) for word in _NAME.findall(question)}
    left: dict[str, str] = {}
    for word in words:
        form = one_form(word)
        told = form in asked or form in ASPECTS or form in _LEADS or form in MAGNITUDES
        if not told and words_of(word) and unit_of(word) is NONE and len(word) > 1:
            left.setdefault(form, word)
    if not 1 <= len(left) <= 3:
        return None
    alone = len(words) <= 3
    named = any(word.lower() in strong or word[0].isupper() for word in left.values())
    return Word(" ".join(left.values()), frozenset(left), sure=alone or named)


def shown_words(row: WordRow, entries: int) -> NumberRow:
    """The row as the comparison has it."""
    positions = sorted(row.members)
    backing = {a: sum(row.agree(a, b) is True for b in positions) for a in positions}
    most = max(backing, key=lambda at: (backing[at], -at))
    against = [at for at in positions if row.agree(at, most) is False]
    tie = bool(against) and max(backing[at] for at in against) == backing[most]
    return NumberRow(
        what="" if row.what == "name" else row.what,
        unit="",
        values=tuple(row.members[at].text[:80] if at in row.members else None for at in range(entries)),
        differs=tuple(at in against or (tie and at in row.members) for at in range(entries)),
    )
