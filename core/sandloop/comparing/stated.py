"""The numbers and dates of an answer, each with its unit and what it is the number of. Pure, and bounded for any text."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sandloop.comparing.around import Bound, bound, denied, negative, operands, turn
from sandloop.comparing.dates import Day, When, find_dates
from sandloop.comparing.inside.close import slack_of
from sandloop.comparing.labels import Label
from sandloop.comparing.places import Place, Span, places
from sandloop.comparing.units import BEFORE, BEHIND, NONE, Unit, unit_of
from sandloop.numbers import DIGITS, EXPONENT, MAGNITUDE_WORDS, MAGNITUDES, decimal_readings, exponent, without_markup

MAX_CHARACTERS = 60_000
"""Of an answer that are read: the beginning and the end of a longer one."""
MAX_NUMBERS = 150
"""Of an answer that are aligned, the first ones."""
_NUMBER = re.compile(
    rf"(?P<before>{BEFORE})?[ \u00a0]?(?P<sign>(?<![\w.,)\]%])[-−–+])?(?P<before2>(?<=[-−+]){BEFORE})?"
    rf"(?<![\w.,])(?<![A-Za-z]-)(?P<digits>{DIGITS})(?P<exponent>{EXPONENT})?"
    rf"(?:[ \u00a0\u202f-]?(?P<magnitude>(?i:{MAGNITUDE_WORDS})\b\.?|[kKMB](?![\w/])"
    r"|m(?![\w/²³^])))?"
    rf"(?:[ \u00a0\u202f-]?(?P<unit>{BEHIND}))?"
)
_ABOUT = re.compile(r"(?:\b(?:about|approximately|approx\.?|around|roughly|nearly|almost|circa|ca\.?|rund|etwa)|[~≈])\s*$", re.I)
_AND = re.compile(r"\s*(?:,|&|,?\s(?:and|und|et|y))?\s*", re.IGNORECASE)
_MONTH = re.compile(r"\bmonth(?:\s+(?:is|was|number))?\W{0,3}$", re.IGNORECASE)
_YEAR = re.compile(r"(?:1[5-9]|20|21)\d\d")
_SPAN = re.compile(r"(?<!`)`([^`\n]{1,300})`(?!`)")
_PLAIN_SPAN = re.compile(r"[-+−$€£]?\s?\d[\d.,' \u00a0]*\s?(?:%|°?[A-Za-z]{0,3})")
_LATEX_SPAN = re.compile(r"\$([^$\n]{1,60})\$(?!\d)|\\[(\[]([^\n]{1,60}?)\\[)\]]")
_LATEX_WORDS = (
    (re.compile(r"\\(?:boxed|text|mathrm|mathbf|textbf)\s?\{([^{}\n]{0,60})\}"), r"\1"),
    (re.compile(r"\\([%$#_&])"), r"\1"),
    (re.compile(r"\^?\\circ\s?"), "°"),
    (re.compile(r"\\(?:approx|sim)\b"), "≈"),
    (re.compile(r"\\[,;:! ]"), " "),
)


@dataclass(frozen=True, slots=True)
class Reading:
    """One value that a written number may have."""

    value: float
    slack: float
    """Half a unit of its last digit."""
    whole: bool
    """Whether it is a count: written in full, without a unit."""
    likely: bool = True
    """Whether its separators are most often meant like this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stated:
    """A number, a date or a time of day that an answer gives."""

    text: str
    """As it is written, with its unit."""
    readings: tuple[Reading, ...] = ()
    days: tuple[Day, ...] = ()
    seconds: int | None = None
    unit: Unit = NONE
    place: Place
    counted: bool = False
    """Whether it is a whole number with a noun right behind: `1461 rows`."""
    bound: Bound = ""
    turn: int = 0
    """1 for what rose by it, -1 for what fell by it."""

    @property
    def label(self) -> Label:
        return self.place.label

    @property
    def is_date(self) -> bool:
        return bool(self.days) or self.seconds is not None


def stated(answer: str) -> list[Stated]:
    """The numbers, dates and times of an answer, in order. Code and list numbers are none, unless there is nothing else."""
    short = answer if len(answer) <= MAX_CHARACTERS else answer[: MAX_CHARACTERS * 3 // 4] + "\n" + answer[-MAX_CHARACTERS // 4 :]
    found = _stated(plain(without_markup(short)))
    if not found and (bare := "\n".join(line for line in short.splitlines() if line.strip()[:3] not in ("```", "~~~"))):
        found = _stated(plain(bare))
    return found


def plain(text: str) -> str:
    """Without emphasis, links and LaTeX; what stands in backquotes is a name, unless it is all number."""
    text = _LATEX_SPAN.sub(lambda match: match[1] or match[2] or "", text)
    for pattern, instead in _LATEX_WORDS:
        text = pattern.sub(instead, text)
    return _SPAN.sub(lambda match: match[1] if _PLAIN_SPAN.fullmatch(match[1].strip()) else re.sub(r"\d", "#", match[1]), text)


def _stated(text: str) -> list[Stated]:
    marked = text
    text = _without_emphasis(marked)
    dates = sorted(find_dates(text), key=lambda when: when.start)
    masked = bytearray(len(text))
    for when in dates:
        masked[when.start : when.end] = b"\1" * (when.end - when.start)
    found: list[tuple[int, int, When | re.Match[str]]] = [(when.start, when.end, when) for when in dates]
    for match in _NUMBER.finditer(text):
        start, end = match.start("digits"), match.end()
        if not any(masked[start:end]) and not _is_part(text, end, match):
            found.append((min(s for s in (match.start("before"), match.start("sign"), start) if s >= 0), end, match))
        if len(found) > 4 * MAX_NUMBERS:
            break
    found.sort(key=lambda item: item[0])
    found = found[:MAX_NUMBERS]
    comma = _decimal_sign(text)
    kept: list[tuple[int, int, Stated]] = []
    worked = operands(text, [item[:2] for item in found])
    spans = [Span(start, end, isinstance(item, When) or _is_year(item)) for start, end, item in found]
    for at, ((start, end, item), place) in enumerate(zip(found, places(text, spans), strict=True)):
        if at in worked or denied(place.left):
            continue
        if isinstance(item, When):
            kept.append((start, end, Stated(text=text[start:end], days=item.days, seconds=item.seconds, place=place)))
        elif (number := _number(item, text[max(start - 20, 0) : start], text[end : end + 40], place, comma)) is not None:
            kept.append((start, end, number))
    return _without_keys(joined(text, kept))


def joined(text: str, numbers: Sequence[tuple[int, int, Stated]]) -> list[Stated]:
    """The numbers with `12 minutes and 30 seconds` as one."""
    found: list[Stated] = []
    end, last = 0, NONE
    for start, stop, number in numbers:
        before = found[-1] if found else None
        fits = before is not None and number.unit.kind == last.kind == "time" and number.unit.factor < last.factor
        if before is not None and fits and before.readings and number.readings and _AND.fullmatch(text[end:start]):
            ratio = number.unit.factor / before.unit.factor
            more = number.readings[0]
            value = before.readings[0].value + more.value * ratio
            found[-1] = replace(before, text=f"{before.text} {number.text}", readings=(Reading(value, more.slack * ratio, False),))
        else:
            found.append(number)
        end, last = stop, number.unit
    return found


def _without_emphasis(text: str) -> str:
    return re.sub(r"\*{1,3}|(?<!\w)_{1,3}(?=\S)|(?<=\S)_{1,3}(?!\w)", "", text)


def _is_part(text: str, end: int, match: re.Match[str]) -> bool:
    """Whether it belongs to a name, a version or an ordinal: `3D`, `1.2.3`, `2nd`."""
    after, digits = text[end : end + 2], match["digits"]
    if after[:1].isalnum():
        return not match["unit"]
    return after[:1] in (".", ",") and after[1:].isdigit() and "." in digits


def _decimal_sign(text: str) -> str:
    """The decimal sign that the text's clear numbers have; empty when none is clear, or both are used."""
    dot = re.search(r"(?<![\d.,])\d+\.(?:\d{1,2}|\d{4,})(?![\d.,]\d|\d)|\d,\d{3}\.\d", text) is not None
    comma = re.search(r"(?<![\d.,])\d+,(?:\d{1,2}|\d{4,})(?![\d.,]\d|\d)|\d\.\d{3},\d", text) is not None
    return "." if dot and not comma else "," if comma and not dot else ""


def _is_year(match: re.Match[str]) -> bool:
    alone = not any(match[part] for part in ("before", "sign", "before2", "exponent", "magnitude", "unit"))
    return alone and _YEAR.fullmatch(match["digits"]) is not None


def _number(match: re.Match[str], before_it: str, behind: str, place: Place, sign: str) -> Stated | None:
    text, digits, power = match[0], match["digits"], exponent(match["exponent"])
    before = unit_of(match["before"] or match["before2"] or "")
    own = unit_of(match["unit"] or "")
    magnitude = (match["magnitude"] or "").rstrip(".")
    unit = next((unit for unit in (own, before, unit_of(place.unit)) if unit.kind), NONE)
    if magnitude == "m" and unit.kind != "money":  # metres, where no currency says millions
        magnitude, unit = "", unit if unit.kind else unit_of("m")
    factor = MAGNITUDES.get(magnitude.lower(), 1.0) if magnitude else 1.0
    below = (match["sign"] or "") in tuple("-−–") or negative(before_it, behind)
    forms = decimal_readings(digits)
    if "," in digits and unit.kind == "money" and len(forms) == 2:
        forms = forms[:1]  # no currency has three decimals
    if len(forms) == 2 and sign:
        forms = tuple(form for form in forms if ("." in form) == (sign in digits))
    approximate = _ABOUT.search(place.left[-20:]) is not None
    counted = not unit.kind and bool(place.noun)
    readings = [r for form in forms if (r := _reading(form + power, factor, below, unit, approximate)) is not None]
    if not readings:
        return None
    readings = [readings[0], *(replace(reading, likely=False) for reading in readings[1:])]
    if _MONTH.search(place.left) and digits.isdigit() and 1 <= int(digits) <= 12 and not unit.kind:
        return Stated(text=text.strip(), days=(Day(month=int(digits)),), place=place)
    days = (Day(year=int(digits)),) if _is_year(match) and not unit.kind and not counted else ()
    return Stated(
        text=" ".join(text.split()),
        readings=tuple(readings),
        days=days,
        unit=unit,
        place=place,
        counted=counted,
        bound=bound(place.left, readings[0].value),
        turn=turn(place.left, behind, match["sign"] or ""),
    )


def _reading(form: str, factor: float, negative: bool, unit: Unit, approximate: bool) -> Reading | None:
    try:
        value = float(form) * factor
    except ValueError:
        return None
    if not math.isfinite(value):
        return None
    slack, whole = slack_of(form) * factor, form.isdigit() and factor == 1.0
    if approximate and whole and value:
        slack *= 10.0 ** (len(form) - len(form.rstrip("0")))
    return Reading(-value if negative else value, slack, whole and not unit.kind and not approximate)


def _without_keys(numbers: list[Stated]) -> list[Stated]:
    """Without those that only say which number is which: `2012: 10.2, 2013: 11.4`, or the first column of a table."""
    keys = {i for i, number in enumerate(numbers) if number.place.key}
    return [number for i, number in enumerate(numbers) if i not in keys] if 1 < len(keys) < len(numbers) else numbers
