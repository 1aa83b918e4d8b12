"""Whether the numbers of an answer stand in what was seen: outputs, files, the question. Pure, and informative only.

A model may state what its own code disproved. The record of the run is the evidence; a number of the answer that stands nowhere
in it is listed. A number counts as standing there when a number of the evidence rounds to it at the digits it is given with, as it
is, as a percentage of it, or in thousands, millions or billions of it.
"""

from __future__ import annotations

import bisect
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sandloop.events import Check, CodeRan, Event, FileMade, FilesPreviewed, RunStarted
from sandloop.numbers import (
    DIGITS,
    EXPONENT,
    MAGNITUDE_WORDS,
    MAGNITUDES,
    PERCENT_WORDS,
    decimal_readings,
    exponent,
    without_markup,
)
from sandloop.store import FileStore

MAX_EVIDENCE = 4_000_000
"""Characters of one text that are read: the beginning and the end of a longer one."""
MAX_CHECKS = 50
MAX_FILE, MAX_FILES = 1_000_000, 20
"""Bytes of a made file that is read, and how many are."""
_TEXTS = ("text/", "application/json")
_NUMBER = re.compile(
    rf"(?<![\w.,])(?P<digits>{DIGITS})(?P<exponent>{EXPONENT})?"
    rf"(?P<unit>\s?(?:{PERCENT_WORDS}|(?i:{MAGNITUDE_WORDS})\b|[kKmMB]\b))?"
)
_EVIDENCE_NUMBER = re.compile(r"[-−]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,3})?")
_FIRST = re.compile(r"(?:1st|2nd|3rd)\b")
_DATE = re.compile(r"(?<![\w.,])(\d{1,2})\.(\d{1,2})\.(\d{4})(?![\w,])")
"""As much of the world writes it. Its numbers count one by one, as in any date."""


@dataclass(frozen=True, slots=True)
class _Stated:
    """A number of the answer: its possible values, and by how much each may be off."""

    text: str
    readings: tuple[tuple[float, float], ...]


def evidence(history: Sequence[Event], store: FileStore) -> list[str]:
    """All texts of a session in which a number may stand: questions, previews, outputs, small text files that were made."""
    texts: list[str] = []
    made: dict[str, FileMade] = {}
    for event in history:
        match event:
            case RunStarted(question=question, files=files):
                texts += [question, *(f"{file.name} {file.size}" for file in files)]
            case FilesPreviewed(previews=previews):
                texts += [preview.text for preview in previews]
            case CodeRan(stdout=stdout, stderr=stderr):
                texts += [stdout, stderr]
            case FileMade(mime=mime, size=size, sha256=sha256):
                texts.append(f"{event.name} {size}")
                if mime.startswith(_TEXTS) and size <= MAX_FILE:
                    made[sha256] = event
            case _:
                pass
    return [*texts, *(_text(store, sha256) for sha256 in list(made)[-MAX_FILES:])]


def _text(store: FileStore, sha256: str) -> str:
    try:
        return store.path(sha256).read_text("utf-8", "replace")
    except OSError:
        return ""  # a loaded run without its files


def unsupported(answer: str, evidence: Iterable[str]) -> tuple[Check, ...]:
    """The numbers of `answer` that no text of `evidence` has, in their order, each once, at most fifty."""
    answer = _DATE.sub(r"\1/\2/\3", answer.replace("{,}", ","))
    stated = _stated(without_markup(answer))
    if not stated:
        return ()
    seen = sorted(_seen(evidence))
    found: dict[str, Check] = {}
    for number in stated:
        if number.text not in found and not any(_stands(seen, value, slack) for value, slack in number.readings):
            found[number.text] = Check(number=number.text, where=_line(answer, number.text))
    return tuple(found.values())[:MAX_CHECKS]


def _stated(answer: str) -> list[_Stated]:
    numbers: list[_Stated] = []
    for match in _NUMBER.finditer(answer):
        if _FIRST.match(match.string, match.start()):
            continue
        digits, unit = match["digits"], (match["unit"] or "").strip().lower()
        readings = [reading for text in decimal_readings(digits) for reading in _readings(text, exponent(match["exponent"]), unit)]
        if readings:
            numbers.append(_Stated(match[0].strip(), tuple(readings)))
    return numbers


def _readings(text: str, power: str, unit: str) -> list[tuple[float, float]]:
    """The values that the evidence may have for it, each with half a unit of its last digit; integers may be truncated too."""
    try:
        value = abs(float(text + power))
    except ValueError:
        return []
    digits = len(text.partition(".")[2])
    slack = 0.5 * 10.0 ** (-digits + (int(power[1:]) if power else 0))
    if not math.isfinite(value):
        return []
    factor = MAGNITUDES.get(unit, 1.0)
    readings = [(value, slack), (value * factor, slack * factor)]
    if unit in ("%", "percent", "per cent"):
        readings.append((value / 100, slack / 100))
    return readings


def _seen(evidence: Iterable[str]) -> set[float]:
    values: set[float] = set()
    for text in evidence:
        short = text if len(text) <= MAX_EVIDENCE else text[: MAX_EVIDENCE // 2] + "\n" + text[-MAX_EVIDENCE // 2 :]
        for match in _EVIDENCE_NUMBER.finditer(short):
            number = match[0].lstrip("-−")
            values.add(_value(number.replace(",", "")))
            if "," in number:
                values.update(_value(part) for part in number.split(","))
    values.discard(math.inf)
    return values


def _value(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return value if math.isfinite(value) else math.inf


def _stands(seen: Sequence[float], value: float, slack: float) -> bool:
    """Whether a number of the evidence lies within the slack; a hair more, since halves are rounded either way."""
    room = slack * (1 + 1e-9) + abs(value) * 1e-12
    at = bisect.bisect_left(seen, value - room)
    return at < len(seen) and seen[at] <= value + room


def _line(answer: str, number: str) -> str:
    line = next((line for line in answer.splitlines() if number in line), "").strip()
    return line if len(line) <= 160 else line[:157] + "…"
