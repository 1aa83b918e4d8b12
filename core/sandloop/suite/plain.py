"""The expectations that are pure functions of an answer and the names of the files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from fnmatch import fnmatchcase

from sandloop.suite.matching import Match
from sandloop.suite.model import Expectation
from sandloop.suite.numbers import Stated, stated
from sandloop.suite.outcome import Outcome

SHOWN = 200
"""Characters of an answer that are shown as what was found."""
SHOWN_NUMBERS = 8
RELATIVE = 1e-6
"""How far off a number may be where no tolerance says it: what remains of binary fractions."""
_MARKS = re.compile(r"[*`]+")


def outcome(expectation: Expectation, *, passed: bool, found: str) -> Outcome:
    """What became of it, in words."""
    return Outcome(name=expectation.name, kind=expectation.kind, expected=expectation.wanted, found=found, passed=passed)


def judge_plain(expectation: Expectation, answer: str, files: Sequence[str], search: Callable[[str, str], Match]) -> Outcome | None:
    """Hold it against the answer and the made files' names; None for `python`, which is judged in the sandbox."""
    match expectation.kind:
        case "approx":
            return _approx(expectation, answer)
        case "contains":
            text = folded(answer)
            fits = next((of for of in expectation.of if folded(of) in text), None)
            return outcome(expectation, passed=fits is not None, found=repr(fits) if fits else shown(answer))
        case "equals":
            passed = whole(answer) == whole(expectation.of[0])
            return outcome(expectation, passed=passed, found=shown(answer))
        case "regex":
            found = search(expectation.of[0], answer)
            passed = found.found is not None
            return outcome(expectation, passed=passed, found=repr(found.found) if passed else found.problem or shown(answer))
        case "makes":
            fits = next((name for name in files for of in expectation.of if _fits(name, of)), None)
            there = f"{', '.join(files[:10])}{f' and {len(files) - 10} more' if len(files) > 10 else ''}" or "no files"
            return outcome(expectation, passed=fits is not None, found=fits or there)
        case "python":
            return None


def _approx(expectation: Expectation, answer: str) -> Outcome:
    wanted = float(expectation.of[0])
    room = abs(wanted) * RELATIVE if expectation.tolerance is None else expectation.tolerance + abs(wanted) * 1e-12
    numbers = stated(answer)
    fits = next((number for number in numbers if any(abs(value - wanted) <= room for value in number.readings)), None)
    return outcome(expectation, passed=fits is not None, found=fits.text if fits else _nearest(numbers, wanted))


def _nearest(numbers: Sequence[Stated], wanted: float) -> str:
    """The numbers of an answer, those nearest to the wanted one first."""
    if not numbers:
        return "no number"
    texts = [n.text for n in sorted(numbers, key=lambda n: min(abs(value - wanted) for value in n.readings))]
    unique = list(dict.fromkeys(texts))
    return ", ".join(unique[:SHOWN_NUMBERS]) + (f" and {len(unique) - SHOWN_NUMBERS} more" if len(unique) > SHOWN_NUMBERS else "")


def _fits(name: str, pattern: str) -> bool:
    """A file in a folder fits by its whole name or its last part; upper and lower case do not count."""
    return any(fnmatchcase(part.lower(), pattern.lower()) for part in (name, name.rpartition("/")[2]))


def folded(text: str) -> str:
    """For looking up: without case, with single blanks, without the marks of bold and code."""
    return " ".join(_MARKS.sub("", unicodedata.normalize("NFKC", text)).casefold().split())


def whole(text: str) -> str:
    """For comparing whole answers: as `folded`, without a full stop at the end."""
    return folded(text).removesuffix(".").rstrip()


def shown(answer: str) -> str:
    """An answer in a message."""
    line = " ".join(answer.split())
    if not line:
        return "an empty answer"
    return repr(line if len(line) <= SHOWN else line[: SHOWN - 1] + "…")
