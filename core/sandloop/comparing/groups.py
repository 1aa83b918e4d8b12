"""Who says the same: from what was compared of each two answers to groups. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import TypeAlias

from sandloop.comparing.numbers import Row
from sandloop.comparing.words import WordRow

Relation: TypeAlias = Mapping[tuple[int, int], bool]
"""Of two answers, the smaller position first: whether they agree. A pair that has nothing to compare is not in it."""


def relation(numbers: Sequence[Row], words: WordRow | None, files: Iterable[Sequence[Sequence[int]]], tolerance: float) -> Relation:
    """What each two answers have in common: a single difference outweighs all that is the same.

    Args:
        files: For each file that was compared, the entries whose file is the same, together.
        tolerance: Relative.
    """
    found: dict[tuple[int, int], bool] = {}

    def note(a: int, b: int, agrees: bool) -> None:
        pair = (min(a, b), max(a, b))
        found[pair] = found.get(pair, True) and agrees

    for classes in [*(row.classes(tolerance) for row in numbers), *files]:
        for position, members in enumerate(classes):
            for a, b in combinations(members, 2):
                note(a, b, True)
            for a in members:
                for other in classes[position + 1 :]:
                    for b in other:
                        note(a, b, False)
    if words is not None:
        for a, b in combinations(sorted(words.members), 2):
            if (agrees := words.agree(a, b)) is not None:
                note(a, b, agrees)
    return found


def grouped(answered: Sequence[int], pairs: Relation) -> list[list[int]]:
    """The answers in groups that agree with each other, the largest first. One that nothing connects is alone."""
    friends = {a: sum(pairs.get((min(a, b), max(a, b))) is True for b in answered if b != a) for a in answered}
    groups: list[list[int]] = []
    for a in sorted(answered, key=lambda at: (-friends[at], at)):
        for group in groups:
            told = [pairs.get((min(a, b), max(a, b))) for b in group]
            if True in told and False not in told:
                group.append(a)
                break
        else:
            groups.append([a])
    return sorted((sorted(group) for group in groups), key=lambda group: (-len(group), group[0]))


def connected(position: int, pairs: Relation) -> bool:
    """Whether anything of this answer could be compared with another one."""
    return any(position in pair for pair in pairs)
