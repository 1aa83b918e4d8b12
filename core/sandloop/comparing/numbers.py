"""The numbers of several answers side by side: which of them are about the same thing, and where they differ. Pure.

Two numbers are about the same thing when the words around them say so, when they are of one value and nothing speaks against it, or
when each is the number that its answer is about. A number that only one answer gives is no disagreement.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from sandloop.comparing.comparison import NumberRow
from sandloop.comparing.labels import likeness, opposed, words_of
from sandloop.comparing.sameness import can_be_one, repeated, same
from sandloop.comparing.stated import Stated, stated
from sandloop.comparing.units import PERCENT

MAX_ROWS = 400
"""Numbers that are told apart, over all answers."""
MEMBERS_READ = 4
"""Answers that a number is held against to find out whether it is about the same thing."""
ALIKE = 0.5
"""From here on, labels alone make two numbers one thing."""
_EQUAL, _CLOSE, _NEITHER_COUNTED, _SOUGHT = 0.35, 0.1, 0.3, 1.2
_PART = "share|proportion|fraction|percent|percentage|what part"
_ASKS_PART = re.compile(rf"\b(?:{_PART})\b", re.IGNORECASE)
_ASKS_SHARE = re.compile(rf"\b(?:{_PART}|ratio)\b", re.IGNORECASE)
_ASKS_COUNT = re.compile(r"\b(?:how many|number of|count)\b", re.IGNORECASE)
_ASKS_DATE = re.compile(r"\b(?:when|(?:which|what) (?:date|day|year))\b", re.IGNORECASE)


@dataclass(slots=True)
class Row:
    """One quantity, and what each answer says of it, by the position of the answer."""

    members: dict[int, Stated] = field(default_factory=dict[int, Stated])

    def classes(self, tolerance: float) -> list[list[int]]:
        """The answers that say the same, the largest class first."""
        found: list[list[int]] = []
        for position in sorted(self.members):
            number = self.members[position]
            at = next((c for c in found if all(same(self.members[other], number, tolerance) for other in c)), None)
            if at is None:
                found.append([position])
            else:
                at.append(position)
        return sorted(found, key=len, reverse=True)


@dataclass(frozen=True, slots=True)
class _Known:
    """What is known of all answers together."""

    rare: Mapping[str, float]
    """The weight of each word: little for one that stands at each number of an answer."""
    counts: Sequence[Mapping[str, int]]
    """Of each answer: at how many numbers each word stands."""
    topic: frozenset[str]
    """The words of the question."""
    sought: Callable[[Stated], bool] | None
    """Whether a number is of the kind that the question asks for; None when the question does not say."""
    main: Sequence[Stated | None]
    """Of each answer: the number that it is about."""
    tolerance: float


def aligned(answers: Sequence[str | None], question: str, tolerance: float) -> list[Row]:
    """The quantities that the answers give, in the order in which they come; the ones that only one gives are there too.

    Args:
        answers: None where there is none.
        question: Numbers that only repeat it are left out.
        tolerance: Relative.
    """
    asked = stated(question)
    given = [[] if answer is None else in_percent(repeated(stated(answer), asked), question) for answer in answers]
    topic, sought = frozenset(words_of(question)), sought_kind(question)
    known = _Known(
        rare=_rarity(given),
        counts=tuple(Counter(word for number in numbers for word in _firm(number)) for numbers in given),
        topic=topic,
        sought=sought,
        main=[None if (at := _main(numbers, topic, sought)) is None else numbers[at] for numbers in given],
        tolerance=tolerance,
    )
    rows: list[Row] = []
    for position, numbers in enumerate(given):
        _add(rows, position, numbers, known)
    return rows


def _firm(number: Stated) -> set[str]:
    """The words that are near it."""
    return {word for word, weight in number.label.words.items() if weight >= 0.5}


def _rarity(given: Sequence[Sequence[Stated]]) -> Mapping[str, float]:
    shares: dict[str, list[float]] = defaultdict(list)
    for numbers in given:
        if len(numbers) > 1:
            counts = Counter(word for number in numbers for word in number.label.words)
            for word, count in counts.items():
                shares[word].append(count / len(numbers))
    return {word: 1.0 - 0.9 * (sum(parts) / len(parts)) ** 2 for word, parts in shares.items()}


def _add(rows: list[Row], position: int, numbers: Sequence[Stated], known: _Known) -> None:
    pairs: list[tuple[float, int, int]] = []
    index = _index(rows)
    for at, number in enumerate(numbers):
        for row in _candidates(number, index, rows, known, position):
            members = islice(rows[row].members.items(), MEMBERS_READ)
            score = max(_score(number, position, member, other, known) for other, member in members)
            if score > 0:
                pairs.append((score, row, at))
    pairs.sort(key=lambda pair: (-pair[0], abs(pair[1] - pair[2]), pair[2]))
    matched: dict[int, int] = {}
    taken: set[int] = set()
    for _, row, at in pairs:
        if at not in matched and row not in taken:
            matched[at] = row
            taken.add(row)
    main = _main(numbers, known.topic, known.sought)
    if main is not None and main not in matched:
        found = _main_row(rows, taken, numbers[main], not matched, known)
        matched.update({} if found is None else {main: found})
    for at, number in enumerate(numbers):
        if at in matched:
            rows[matched[at]].members[position] = number
        elif len(rows) < MAX_ROWS:
            rows.append(Row({position: number}))


def _index(rows: Sequence[Row]) -> dict[str, list[int]]:
    """The rows by the words of their labels."""
    index: dict[str, list[int]] = defaultdict(list)
    for position, row in enumerate(rows):
        for word in {word for member in row.members.values() for word in member.label.words}:
            index[word].append(position)
    return index


def _candidates(number: Stated, index: Mapping[str, list[int]], rows: Sequence[Row], known: _Known, position: int) -> Sequence[int]:
    """Rows that share a word with the number, and those with a value near it; all of them for what an answer is about."""
    if number is known.main[position]:
        return range(len(rows))
    shared = {position for word in number.label.words for position in index.get(word, ())}
    near = {position for position, row in enumerate(rows) if any(_near(number, member) for member in row.members.values())}
    return sorted(shared | near)


def _near(a: Stated, b: Stated) -> bool:
    if a.is_date and b.is_date:
        return True
    return a.unit.kind != b.unit.kind or any(
        abs(x.value - y.value) <= max(x.slack, y.slack, 0.01 * abs(x.value)) or x.value * y.value < 0
        for x in a.readings
        for y in b.readings
    )


def _score(a: Stated, of_a: int, b: Stated, of_b: int, known: _Known) -> float:
    """How surely two numbers are about one thing; 0 when nothing says so."""
    if not can_be_one(a, b) or opposed(a.label, b.label):
        return 0.0
    crossed = _has_elsewhere(a, b, known.counts[of_b]) and _has_elsewhere(b, a, known.counts[of_a])
    sought = known.sought is not None and known.sought(a) and known.sought(b)
    if sought and not crossed and a is known.main[of_a] and b is known.main[of_b]:
        return _SOUGHT
    alike, equal = likeness(a.label, b.label, known.rare), same(a, b, known.tolerance)
    if alike < ALIKE and not (equal and (alike > 0 or _telling(a, b))):
        return 0.0
    if not equal and a.place.base != b.place.base:
        return 0.0
    if not equal:
        return alike + _CLOSE * _closeness(a, b) - (_NEITHER_COUNTED if a.counted != b.counted else 0.0)
    return alike + (0.0 if crossed else _EQUAL) or 0.01


def _has_elsewhere(number: Stated, other: Stated, counts: Mapping[str, int]) -> bool:
    """Whether the other's answer has a word of this number at another number, and not at the other."""
    return any(counts.get(word) for word in _firm(number) - set(other.label.words))


def _telling(a: Stated, b: Stated) -> bool:
    """Whether the values are of one thing by themselves: of several digits or one unit, or with no words around one of them."""
    digits = min(len(text.lstrip("0.")) for text in ("".join(c for c in n.text if c.isdigit()) for n in (a, b)))
    return digits >= 3 or bool(a.unit.kind and a.unit.kind == b.unit.kind) or not a.label.words or not b.label.words


def _closeness(a: Stated, b: Stated) -> float:
    if not a.readings or not b.readings:
        return 0.0
    x, y = abs(a.readings[0].value), abs(b.readings[0].value)
    return min(x, y) / max(x, y) if max(x, y) else 1.0


def _main(numbers: Sequence[Stated], topic: frozenset[str], sought: Callable[[Stated], bool] | None) -> int | None:
    """The number that an answer is about: of the kind that is asked for, with the most words of the question, the first."""
    if not numbers:
        return None

    def fits(at: int) -> tuple[bool, int, int]:
        number = numbers[at]
        return sought is not None and sought(number), len(topic & set(number.label.words)), -at

    return max(range(len(numbers)), key=fits)


def sought_kind(question: str) -> Callable[[Stated], bool] | None:
    """Of what kind a number must be that answers the question: a share, a count, a date; None when the question does not say."""
    if _ASKS_SHARE.search(question):
        return lambda n: (
            n.unit.kind == "share"
            or (not n.unit.kind and not n.counted and any(abs(r.value) <= 1 and not r.whole for r in n.readings))
        )
    if _ASKS_COUNT.search(question):
        return lambda n: not n.is_date and not n.unit.kind and not n.place.base and any(r.whole for r in n.readings)
    if _ASKS_DATE.search(question):
        return lambda n: n.is_date
    return None


def in_percent(numbers: list[Stated], question: str) -> list[Stated]:
    """The only number of an answer to a question for a share, as percent where it is over 1 and has no sign."""
    if len(numbers) != 1 or not _ASKS_PART.search(question):
        return numbers
    only = numbers[0]
    if only.unit.kind or only.counted or only.is_date:
        return numbers
    return [replace(only, unit=PERCENT)] if all(1 < abs(r.value) <= 100 for r in only.readings) else numbers


def _main_row(rows: Sequence[Row], taken: set[int], number: Stated, alone: bool, known: _Known) -> int | None:
    """The row of what the other answers are about, when this number must be about it too.

    Args:
        alone: Whether nothing else of its answer was found in the others.
    """
    for at, row in enumerate(rows):
        for other, member in row.members.items():
            if (
                at in taken
                or member is not known.main[other]
                or not can_be_one(number, member)
                or opposed(number.label, member.label)
            ):
                continue
            single = sum(other in r.members for r in rows) == 1
            one_unit = bool(number.unit.kind) and number.unit.kind == member.unit.kind
            bare = not _own(number, known.topic) or not _own(member, known.topic)
            if bare or (alone and (one_unit or single)):
                return at
    return None


def _own(number: Stated, topic: frozenset[str]) -> set[str]:
    """The words of its label that the question does not have."""
    return _firm(number) - topic


def shown_rows(rows: Sequence[Row], entries: int, tolerance: float) -> tuple[NumberRow, ...]:
    """The rows as the comparison has them: those that differ first come where they stand, those of one answer last."""
    ordered = [row for row in rows if len(row.members) > 1] + [row for row in rows if len(row.members) == 1]
    return tuple(_shown(row, entries, tolerance) for row in ordered)


def _shown(row: Row, entries: int, tolerance: float) -> NumberRow:
    classes = row.classes(tolerance)
    most = set(classes[0]) if len(classes) == 1 or len(classes[0]) > len(classes[1]) else set[int]()
    members = list(row.members.values())
    return NumberRow(
        what=next((m.label.what for m in members if m.label.what), ""),
        unit=next((m.unit.shown for m in members if m.unit.shown), ""),
        values=tuple(row.members[at].text[:80] if at in row.members else None for at in range(entries)),
        differs=tuple(at in row.members and at not in most for at in range(entries)),
    )
