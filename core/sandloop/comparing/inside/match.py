"""Which files of several answers are one file, and how those differ. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .differ import Outcome, compare_books, shape
from .table import Table


@dataclass(frozen=True, slots=True)
class Given:
    """A file that an answer made."""

    id: int
    entry: int
    name: str
    kind: str
    content: str
    """The same for files of the same bytes."""


@dataclass(slots=True)
class Group:
    """Files that are one, of different answers."""

    files: list[Given]
    classes: list[list[int]] = field(default_factory=list[list[int]])
    """The ids of files that are the same, together."""
    unknown: list[int] = field(default_factory=list[int])
    """The ids of files that could not be compared."""
    outcomes: list[tuple[int, int, Outcome]] = field(default_factory=list[tuple[int, int, Outcome]])
    """How two of them differ, by their ids."""


def compared(files: Sequence[Given], books: Mapping[int, Sequence[Table]], tolerance: float) -> list[Group]:
    """The files in groups, each compared with one of each class of its group.

    Args:
        books: The sheets of each file, by id; one that could not be read is not in it.
    """
    groups = grouped(files, books)
    for group in groups:
        _classify(group, books, tolerance)
    return groups


def grouped(files: Sequence[Given], books: Mapping[int, Sequence[Table]]) -> list[Group]:
    """The files by kind, then by name, then by columns; the only ones of their kind that two answers made are one."""
    counts: dict[tuple[int, str], int] = {}
    for file in files:
        counts[file.entry, file.kind] = counts.get((file.entry, file.kind), 0) + 1
    groups: list[Group] = []
    for entry in dict.fromkeys(file.entry for file in files):
        own = [file for file in files if file.entry == entry]
        scores = [
            (score, i, at)
            for i, file in enumerate(own)
            for at, group in enumerate(groups)
            if (score := max(_likeness(file, other, books, counts) for other in group.files)) > 0
        ]
        placed: dict[int, int] = {}
        for _, i, at in sorted(scores, key=lambda item: (-item[0], item[1], item[2])):
            if i not in placed and at not in placed.values():
                placed[i] = at
        for i, file in enumerate(own):
            if i in placed:
                groups[placed[i]].files.append(file)
            else:
                groups.append(Group([file]))
    return groups


def _likeness(a: Given, b: Given, books: Mapping[int, Sequence[Table]], counts: Mapping[tuple[int, str], int]) -> float:
    if a.kind != b.kind:
        return 0.0
    if a.content == b.content:
        return 4.0
    if a.name.casefold() == b.name.casefold():
        return 3.0
    only = counts[a.entry, a.kind] == counts[b.entry, b.kind] == 1
    if a.id not in books or b.id not in books:
        return 0.5 * only
    one, other = shape(books[a.id]), shape(books[b.id])
    common = (one & other).total() / max((one | other).total(), 1)
    alike = common >= 0.5 or (only and (common > 0 or one.total() == other.total()))
    return common + 0.5 if alike else 0.0


def _classify(group: Group, books: Mapping[int, Sequence[Table]], tolerance: float) -> None:
    for file in group.files:
        twin = next((f for f in group.files if f.content == file.content and f.id != file.id and _placed(f.id, group)), None)
        if twin is not None:
            next(c for c in [*group.classes, group.unknown] if twin.id in c).append(file.id)
            continue
        if file.id not in books:
            alone = len({f.content for f in group.files}) == 1
            (group.classes.append([file.id]) if alone else group.unknown.append(file.id))
            continue
        _place(file.id, group, books, tolerance)


def _place(id_: int, group: Group, books: Mapping[int, Sequence[Table]], tolerance: float) -> None:
    outcomes = [(c, compare_books(books[id_], books[c[0]], tolerance)) for c in group.classes]
    for members, outcome in outcomes:
        if outcome.same:
            members.append(id_)
            if outcome.differences:
                group.outcomes.append((id_, members[0], outcome))
            return
    group.outcomes += [(id_, members[0], outcome) for members, outcome in outcomes]
    if outcomes and all(outcome.same is None for _, outcome in outcomes):
        group.unknown.append(id_)
    else:
        group.classes.append([id_])


def _placed(id_: int, group: Group) -> bool:
    return id_ in group.unknown or any(id_ in c for c in group.classes)
