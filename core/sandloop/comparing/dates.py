"""Dates and times of day as people write them: found in a text, and when two are the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "january jan januar janvier enero", "february feb februar février febrero", "march mar märz mars marzo",
            "april apr avril abril", "may mai mayo", "june jun juni juin junio", "july jul juli juillet julio",
            "august aug août agosto", "september sep sept septembre septiembre", "october oct oktober okt octobre octubre",
            "november nov novembre noviembre", "december dec dezember dez décembre diciembre",
        ),
        1,
    )
    for name in names.split()
}  # fmt: skip
MONTH_NAMES = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
               "December")  # fmt: skip
_MONTH = r"(?P<month>" + "|".join(sorted(MONTHS, key=len, reverse=True)) + r")\.?(?!\w)"
_YEAR = r"(?P<year>(?:1[5-9]|2[01])\d\d)(?!\d)"
_DAY = r"(?P<day>[0-3]?\d)(?!\d)"
_FORMS = [
    re.compile(form, re.IGNORECASE)
    for form in (
        rf"(?<![\w.,/-]){_YEAR}(?P<sep>[-/.])(?P<m>[01]?\d)(?!\d)(?P=sep){_DAY}(?![-/\d]|\.\d)",
        rf"(?<![\w.,/-]){_YEAR}[-/](?P<m>[01]?\d)(?![-/\d]|\.\d)",
        rf"(?<![\w.,/-])(?P<a>[0-3]?\d)(?P<sep>[./-])(?P<b>[0-3]?\d)(?P=sep){_YEAR}(?![-/\d]|\.\d)",
        rf"(?<!\w){_MONTH}[ \u00a0]+{_DAY}(?![.,]\d)(?:st|nd|rd|th)?(?!\w)(?:,?[ \u00a0]+{_YEAR})?",
        rf"(?<![\w.,]){_DAY}(?:\.|st|nd|rd|th)?[ \u00a0-]+(?:of[ ]|de[ ])?{_MONTH}(?:,?[ \u00a0-]+(?:de[ ])?{_YEAR})?",
        rf"(?<!\w){_MONTH},?[ \u00a0]+(?:of[ ])?{_YEAR}",
        rf"(?<!\w)Q(?P<quarter>[1-4])(?:[ \u00a0]+of)?[ \u00a0,/-]+{_YEAR}",
        rf"(?<![\w.,/-]){_YEAR}[ \u00a0,/-]*Q(?P<quarter>[1-4])(?!\w)",
    )
]
_TIME = re.compile(
    r"(?:(?<![\w:.,+])|(?<=\dT))(?P<hour>[0-2]?\d)(?::(?P<minute>[0-5]\d)(?!\d)(?::(?P<second>[0-5]\d)(?!\d)(?:\.\d{1,9})?)?(?!:)"
    r"(?:[ \u00a0]?(?P<half>[aApP]\.?[mM]\.?(?!\w)))?|[ \u00a0]?(?P<hours_half>[aApP]\.?[mM]\.?(?!\w)))"
)


@dataclass(frozen=True, slots=True)
class Day:
    """A date, as far as it is told. Zero: not told."""

    year: int = 0
    month: int = 0
    day: int = 0
    quarter: int = 0


@dataclass(frozen=True, slots=True)
class When:
    """A date or a time of day in a text: where it stands, and what it may mean."""

    start: int
    end: int
    days: tuple[Day, ...] = ()
    seconds: int | None = None
    """Of a time of day, since midnight."""


def find_dates(text: str) -> Iterator[When]:
    """The dates and times in `text`, none over another. Years alone are none: they look like any number."""
    taken = bytearray(len(text))
    for form in _FORMS:
        for match in form.finditer(text):
            start, end = match.span()
            days = _days(match.groupdict())
            if days and not any(taken[start:end]):
                taken[start:end] = b"\1" * (end - start)
                yield When(start, end, days=days)
    for match in _TIME.finditer(text):
        hour, half = int(match["hour"]), (match["half"] or match["hours_half"] or "").lower()[:1]
        hour = hour % 12 + 12 * (half == "p") if half and 1 <= hour <= 12 else hour
        if hour < 24:
            yield When(match.start(), match.end(), seconds=hour * 3600 + int(match["minute"] or 0) * 60 + int(match["second"] or 0))


def _days(parts: dict[str, str | None]) -> tuple[Day, ...]:
    year, day = int(parts.get("year") or 0), int(parts.get("day") or 0)
    if (name := parts.get("month")) is not None:
        found = [Day(year, MONTHS[name.lower()], day)]
    elif (quarter := parts.get("quarter")) is not None:
        return (Day(year, quarter=int(quarter)),)
    elif parts.get("a") is not None:
        first, second = int(parts["a"] or 0), int(parts["b"] or 0)
        found = [Day(year, second, first)]
        if parts["sep"] != ".":  # with dots the day always comes first
            found.append(Day(year, first, second))
    else:
        found = [Day(year, int(parts["m"] or 0), day)]
    return tuple(dict.fromkeys(d for d in found if 1 <= d.month <= 12 and d.day <= 31))


def same_day(a: Day, b: Day) -> bool:
    """Whether two dates can be one: nothing that both tell differs, and both tell something in common."""
    parts = ((a.year, b.year), (a.month, b.month), (a.day, b.day), (_quarter(a), _quarter(b)))
    pairs = [(x, y) for x, y in parts if x and y]
    return bool(pairs) and all(x == y for x, y in pairs)


def _quarter(day: Day) -> int:
    return day.quarter or (day.month + 2) // 3
