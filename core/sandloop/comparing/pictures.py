"""Pictures side by side: which are of one thing, and how different they look. For the eye: they never decide who agrees. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from sandloop.comparing.comparison import Entry, FileRow, short_label
from sandloop.comparing.inside.looks import SIDE
from sandloop.comparing.made import Made
from sandloop.comparing.said import Look
from sandloop.comparing.verdict import short

_STEP = 4
"""How much lighter a field must be than its neighbour to count, of 255."""


def distance(a: Look, b: Look) -> float:
    """How different two pictures look, from 0 (the same) to 1: where it gets lighter and darker, how light it is, and its shape."""
    one, other = _steps(a), _steps(b)
    lively = sum(1 for x, y in zip(one, other, strict=True) if x or y)
    form = sum(x != y for x, y in zip(one, other, strict=True)) / lively if lively else 0.0
    light = sum(abs(x - y) for x, y in zip(a.lights, b.lights, strict=True)) / (255 * len(a.lights))
    ratios = sorted((a.width / a.height, b.width / b.height))
    shape = 1.0 - ratios[0] / ratios[1]
    return round(min(1.0, 0.6 * form + 0.6 * min(1.0, 2 * light) + 0.4 * shape), 3)


def _steps(look: Look) -> list[int]:
    """Of each field: whether the one to its right is lighter, darker or much the same."""
    wide = SIDE + 1
    rows = [look.lights[at : at + wide] for at in range(0, len(look.lights), wide)]
    return [(y - x > _STEP) - (x - y > _STEP) for row in rows for x, y in pairwise(row)]


def picture_rows(
    made: Sequence[Made], looks: Mapping[int, Look], entries: Sequence[Entry], why: Mapping[int, str]
) -> list[FileRow]:
    """A row for each picture that one or several entries made: matched by name, then by how alike they look.

    Args:
        why: Why a picture was not looked at, by id.
    """
    groups: list[list[Made]] = []
    for entry in dict.fromkeys(m.entry for m in made):
        own = [m for m in made if m.entry == entry]
        scores = [(_likeness(m, group[0], looks), i, at) for i, m in enumerate(own) for at, group in enumerate(groups)]
        placed: dict[int, int] = {}
        for score, i, at in sorted(scores, key=lambda item: (-item[0], item[1], item[2])):
            if score > 0 and i not in placed and at not in placed.values():
                placed[i] = at
        for i, m in enumerate(own):
            if i in placed:
                groups[placed[i]].append(m)
            else:
                groups.append([m])
    return [_row(group, looks, entries, why) for group in groups]


def _likeness(a: Made, b: Made, looks: Mapping[int, Look]) -> float:
    if a.file.sha256 == b.file.sha256:
        return 4.0
    if a.file.name.casefold() == b.file.name.casefold():
        return 3.0
    one, other = looks.get(a.id), looks.get(b.id)
    return 0.01 if one is None or other is None else 1.01 - distance(one, other)


def _row(group: Sequence[Made], looks: Mapping[int, Look], entries: Sequence[Entry], why: Mapping[int, str]) -> FileRow:
    names: list[str | None] = [None] * len(entries)
    distances: list[float | None] = [None] * len(entries)
    first = group[0]
    for m in group:
        names[m.entry] = m.file.name
        one, other = looks.get(m.id), looks.get(first.id)
        if m.file.sha256 == first.file.sha256:
            distances[m.entry] = 0.0
        elif one is not None and other is not None:
            distances[m.entry] = distance(one, other)
    same = len(group) > 1 and all(m.file.sha256 == first.file.sha256 for m in group)
    told = [f"{short_label(entries[m.entry].label)}: not looked at, {short(why[m.id], 120)}" for m in group if m.id in why]
    if len(group) == 1:
        told = [f"only {short_label(entries[first.entry].label)} made it", *told]
    elif not same:
        told = ["pictures are for the eye to compare", *told]
    return FileRow(
        kind="picture", names=tuple(names), same=True if same else None, differences=tuple(told), distances=tuple(distances)
    )
