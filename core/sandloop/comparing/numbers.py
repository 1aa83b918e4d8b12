"""The numbers of several answers side by side: which of them are about the same thing, and where they differ. Pure.

Two numbers are about the same thing when the words around them say so, when they are of one value and nothing speaks against it, or
when each is the number that its answer is about. A number that only one answer gives is no disagreement.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice

from sandloop.comparing.comparison import NumberRow
from sandloop.comparing.labels import likeness, opposed, words_of
from sandloop.comparing.stated import Stated, can_be_one, repeated, same, stated

MAX_ROWS = 400
"""Numbers that are told apart, over all answers."""
MEMBERS_READ = 4
"""Answers that a number is held against to find out whether it is about the same thing."""
ALIKE = 0.5
"""From here on, labels alone make two numbers one thing."""
_EQUAL, _CLOSE, _NEITHER_COUNTED = 0.35, 0.1, 0.3


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
    tolerance: float


def aligned(answers: Sequence[str | None], question: str, tolerance: float) -> list[Row]:
    """The quantities that the answers give, in the order in which they come; the ones that only one gives are there too.

    Args:
        answers: None where there is none.
        question: Numbers that only repeat it are left out.
        tolerance: Relative.
    """
    asked = stated(question)
    given = [[] if answer is None else repeated(stated(answer), asked) for answer in answers]
    known = _Known(
        rare=_rarity(given),
        counts=tuple(Counter(word for number in numbers for word in _firm(number)) for numbers in given),
        topic=frozenset(words_of(question)),
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
        for row in _candidates(number, index, rows):
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
    main = _main(numbers, known.topic)
    if main is not None and main not in matched:
        found = _main_row(rows, taken, numbers[main], not matched, known.topic)
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


def _candidates(number: Stated, index: Mapping[str, list[int]], rows: Sequence[Row]) -> list[int]:
    """Rows that share a word with the number, and those with a value near it."""
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
    alike, equal = likeness(a.label, b.label, known.rare), same(a, b, known.tolerance)
    if alike < ALIKE and not (equal and (alike > 0 or _telling(a, b))):
        return 0.0
    if not equal:
        return alike + _CLOSE * _closeness(a, b) - (_NEITHER_COUNTED if a.counted != b.counted else 0.0)
    crossed = _has_elsewhere(a, b, known.counts[of_b]) and _has_elsewhere(b, a, known.counts[of_a])
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


def _main(numbers: Sequence[Stated], topic: frozenset[str]) -> int | None:
    """The number that an answer is about: the one whose words are most those of the question, the first of several."""
    if not numbers:
        return None
    return max(range(len(numbers)), key=lambda at: (len(topic & set(numbers[at].label.words)), -at))


def _main_row(rows: Sequence[Row], taken: set[int], number: Stated, alone: bool, topic: frozenset[str]) -> int | None:
    """The row of what the other answers are about, when this number must be about it too.

    Args:
        alone: Whether nothing else of its answer was found in the others.
    """
    others = {position for row in rows for position in row.members}
    for other in sorted(others):
        theirs = [(at, row.members[other]) for at, row in enumerate(rows) if other in row.members]
        main = _main([member for _, member in theirs], topic)
        if main is None:
            continue
        at, member = theirs[main]
        bare = not _own(number, topic) or not _own(member, topic)
        one_unit = bool(number.unit.kind) and number.unit.kind == member.unit.kind
        if (
            at not in taken
            and can_be_one(number, member)
            and not opposed(number.label, member.label)
            and (bare or (alone and (one_unit or len(theirs) == 1)))
        ):
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
