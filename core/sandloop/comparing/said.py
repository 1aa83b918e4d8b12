"""What the program in the sandbox said, checked before anything is made of it: a file may have taken it over. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from sandloop.comparing.inside.differ import MAX_DIFFERENCES
from sandloop.comparing.inside.looks import SIDE
from sandloop.comparing.inside.match import Group
from sandloop.comparing.made import Made

_LONGEST = 2_000


@dataclass(frozen=True, slots=True)
class SaidDifference:
    """One difference; the fields as in `sandloop.comparing.inside.differ.Difference`."""

    what: str
    sheet: str = ""
    place: str = ""
    a: str = ""
    b: str = ""


@dataclass(frozen=True, slots=True)
class SaidOutcome:
    """How two files differ."""

    a: int
    b: int
    same: bool | None
    more: int
    differences: tuple[SaidDifference, ...]


@dataclass(frozen=True, slots=True)
class SaidGroup:
    """Files that are one."""

    files: tuple[int, ...]
    classes: tuple[tuple[int, ...], ...]
    unknown: tuple[int, ...]
    outcomes: tuple[SaidOutcome, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """How a picture looks: its size, and the lights of its fields, row by row."""

    width: int
    height: int
    lights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Looked:
    """All that was found."""

    groups: tuple[SaidGroup, ...] = ()
    looks: Mapping[int, Look] = field(default_factory=dict[int, Look])
    unread: Mapping[int, str] = field(default_factory=dict[int, str])
    """Why a file could not be read, by id."""

    @classmethod
    def of(cls, groups: Sequence[Group]) -> Looked:
        """What was compared on this side."""
        return cls(tuple(_group(group) for group in groups))


def _group(group: Group) -> SaidGroup:
    outcomes = tuple(
        SaidOutcome(a, b, o.same, o.more, tuple(SaidDifference(d.what, d.sheet, d.place, d.a, d.b) for d in o.differences))
        for a, b, o in group.outcomes
    )
    return SaidGroup(tuple(f.id for f in group.files), tuple(map(tuple, group.classes)), tuple(group.unknown), outcomes)


def checked(text: str, made: Sequence[Made]) -> Looked:
    """The findings, when they are of our form and about the files that were given. Raises `ValueError`."""
    from pydantic import TypeAdapter, ValidationError

    try:
        looked = TypeAdapter(Looked).validate_json(text)
    except ValidationError as error:
        raise ValueError(f"what it said cannot be read ({error.error_count()} faults)") from None
    _check(looked, made)
    return looked


def _check(looked: Looked, made: Sequence[Made]) -> None:
    known = {m.id: m for m in made}
    grouped = list(chain.from_iterable(group.files for group in looked.groups))
    if len(grouped) != len(set(grouped)) or not set(grouped) <= known.keys() or not {*looked.looks, *looked.unread} <= known.keys():
        raise ValueError("it spoke of files that it was not given")
    for group in looked.groups:
        placed = list(chain(chain.from_iterable(group.classes), group.unknown))
        entries = [known[id_].entry for id_ in group.files]
        if sorted(placed) != sorted(group.files) or len(set(entries)) != len(entries) or not all(group.classes):
            raise ValueError("its groups of files do not add up")
        for outcome in group.outcomes:
            if not {outcome.a, outcome.b} <= set(group.files) or len(outcome.differences) > MAX_DIFFERENCES:
                raise ValueError("its differences do not add up")
            if any(len(part) > _LONGEST for d in outcome.differences for part in (d.what, d.sheet, d.place, d.a, d.b)):
                raise ValueError("its differences are too long")
    for look in looked.looks.values():
        if len(look.lights) != (SIDE + 1) * SIDE or not all(0 <= light <= 255 for light in look.lights):
            raise ValueError("its look at a picture does not add up")
        if not (0 < look.width <= 1 << 20 and 0 < look.height <= 1 << 20):
            raise ValueError("its look at a picture has no size")
