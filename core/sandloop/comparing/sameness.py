"""When two numbers of answers say the same, and when they can be about one thing. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from sandloop.comparing.dates import same_day
from sandloop.comparing.inside.close import close
from sandloop.comparing.stated import Reading, Stated
from sandloop.comparing.units import Unit, comparable
from sandloop.errors import UsageError


def check_tolerance(tolerance: float | None) -> None:
    """Raises `UsageError` for one that no two numbers, or all, would meet."""
    if tolerance is not None and not 0 <= tolerance < 1:
        raise UsageError(f"tolerance is {tolerance}, and must be from 0 up to 1. Write 0.01 for one percent.")


def same(a: Stated, b: Stated, tolerance: float) -> bool:
    """Whether two say the same value."""
    if a.seconds is not None or b.seconds is not None:
        return a.seconds is not None and b.seconds is not None and (a.seconds == b.seconds or a.seconds // 60 * 60 == b.seconds)
    if a.days and b.days:
        return any(same_day(x, y) for x in a.days for y in b.days)
    if a.unit.kind == b.unit.kind == "money" and a.unit.shown != b.unit.shown:
        return False
    if a.bound != b.bound:
        return _within(a, b)
    return any(_same(x, y, a, b, tolerance) for x in a.readings for y in b.readings)


def _within(a: Stated, b: Stated) -> bool:
    """Whether a number lies where the other one, a bound, says; of two bounds, none holds the other."""
    if a.bound and b.bound:
        return False
    limit, number = (a, b) if a.bound else (b, a)
    edge, value = limit.readings[0].value, number.readings[0].value if number.readings else math.nan
    return value <= edge if limit.bound == "<" else value >= edge


def _same(x: Reading, y: Reading, a: Stated, b: Stated, tolerance: float) -> bool:
    if x.value > 0 < y.value and a.turn * b.turn < 0:
        return False
    if x.whole and y.whole:
        return x.value == y.value
    if not (x.likely and y.likely):
        tolerance = 0.0
    if x.value * y.value < 0 and (b if x.value < 0 else a).label.falls:
        x, y = replace(x, value=abs(x.value)), replace(y, value=abs(y.value))
    if a.unit.kind == b.unit.kind and a.unit.shown != b.unit.shown and "°" not in (a.unit.shown, b.unit.shown):
        x, y = _based(x, a.unit), _based(y, b.unit)
    elif {a.unit.kind, b.unit.kind} == {"", "share"}:
        # `12.4 %`, `0.124` and a `12.4` whose sign was left out are one.
        based = (_based(x, a.unit), y) if a.unit.kind else (x, _based(y, b.unit))
        if close(based[0].value, based[0].slack, based[1].value, based[1].slack, tolerance):
            return True
    return close(x.value, x.slack, y.value, y.slack, tolerance)


def _based(reading: Reading, unit: Unit) -> Reading:
    return replace(reading, value=reading.value * unit.factor + unit.offset, slack=reading.slack * unit.factor)


def can_be_one(a: Stated, b: Stated) -> bool:
    """Whether they can be two accounts of one thing: a date is no number, and a count of rows is no temperature."""
    if a.days and b.days:
        return True
    if a.seconds is not None or b.seconds is not None:
        return a.seconds is not None and b.seconds is not None
    if not a.readings or not b.readings or not comparable(a.unit, b.unit):
        return False
    if a.bound and a.bound == b.bound and a.readings[0].value != b.readings[0].value:
        return False
    return not _no_amount(a, b) and not _no_amount(b, a)


def _no_amount(a: Stated, b: Stated) -> bool:
    """Whether `a` is a count that `b`, with its unit, can be no other account of: rows are no degrees, and 641 is no percentage."""
    return bool(b.unit.kind) and (
        a.counted or (b.unit.kind == "share" and not a.unit.kind and all(r.value > 100 for r in a.readings))
    )


def repeated(numbers: Sequence[Stated], question: Sequence[Stated]) -> list[Stated]:
    """The numbers without those that the question has, unless nothing would be left."""
    left = [number for number in numbers if not any(_as_asked(number, asked) for asked in question)]
    return left or list(numbers)


def _as_asked(number: Stated, asked: Stated) -> bool:
    if number.days and asked.days:
        return number.days == asked.days
    if number.is_date or asked.is_date or not comparable(number.unit, asked.unit):
        return False
    return {r.value for r in number.readings} == {r.value for r in asked.readings}
