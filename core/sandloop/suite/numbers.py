"""The numbers that an answer states, each with all that it may mean."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from sandloop.numbers import (
    DIGITS,
    EXPONENT,
    LIST_MARKER,
    MAGNITUDE_WORDS,
    MAGNITUDES,
    PERCENT_WORDS,
    decimal_readings,
    exponent,
)

MAX_TEXT, MAX_NUMBERS = 1_000_000, 5_000
_UNITS = rf"{PERCENT_WORDS}|(?i:{MAGNITUDE_WORDS})\b|[kKM]\b"
_NUMBER = re.compile(rf"(?<![\w.,])(?P<sign>[-−–]?)(?P<digits>{DIGITS})(?P<exponent>{EXPONENT})?(?P<unit>\s?(?:{_UNITS}))?")
_FACTORS = {**MAGNITUDES, "%": 0.01, "percent": 0.01, "per cent": 0.01}


@dataclass(frozen=True, slots=True)
class Stated:
    """A number as it is written, and the values that it may have, the likeliest first: as it is, and in its unit."""

    text: str
    readings: tuple[float, ...]


def stated(answer: str) -> list[Stated]:
    """The numbers of `answer` in their order, without those that only count a list's entries."""
    found: list[Stated] = []
    for match in _NUMBER.finditer(LIST_MARKER.sub("", answer[:MAX_TEXT])):
        sign = -1.0 if match["sign"] else 1.0
        factor = _FACTORS.get((match["unit"] or "").strip().lower(), 1.0)
        values = [float(digits + exponent(match["exponent"])) * sign for digits in decimal_readings(match["digits"])]
        readings = dict.fromkeys(value for one in values for value in (one, one * factor) if math.isfinite(value))
        if readings:
            found.append(Stated(match[0].strip(), tuple(readings)))
        if len(found) == MAX_NUMBERS:
            break
    return found
