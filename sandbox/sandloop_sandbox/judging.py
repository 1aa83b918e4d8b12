"""Verdicts on what was seen. Pure: silence, a crash, or an attack that did not take place is never held."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from typing import Any

from sandloop_sandbox.probe import Judge, Seen, Verdict


def attempts(seen: Seen, about: str = "") -> list[tuple[str, int, str]]:
    """The attempts whose name begins so: name, error number (0: it came through), and what it got."""
    rows: list[Any] = seen.told.get("tried", [])
    return [(str(what), int(number), str(got)) for what, number, got in rows if str(what).startswith(about)]


def refused(about: str = "", *, least: int = 1, by: frozenset[int] | None = None) -> Judge:
    """Held when at least so many attempts were made and each was refused; with `by`, with one of these error numbers.

    On another kernel than this machine's, any refusal will do.
    """

    def judge(seen: Seen) -> Verdict:
        made = attempts(seen, about)
        if len(made) < least:
            return not_made(seen, f"{len(made)} of {least} attempts were made")
        fine = None if seen.given.get("own_kernel") else by
        through = [(what, number) for what, number, _ in made if not number or (fine is not None and number not in fine)]
        if through:
            return Verdict(held=False, happened="; ".join(f"{what}: {_answer(number)}" for what, number in through[:4]))
        names = sorted({os.strerror(number) for _, number, _ in made if number > 0})
        return Verdict(held=True, happened=f"{len(made)} attempt{'s' if len(made) > 1 else ''} refused: {', '.join(names).lower()}")

    return judge


def not_made(seen: Seen, why: str) -> Verdict:
    """An attack that did not take place proves nothing."""
    ran = seen.ran
    end = ran.error.value if ran.error else ran.stderr.strip().rpartition("\n")[2]
    how = f"exit {ran.exit_code}, stopped by {ran.stopped_by}" + (f": {end[:200]}" if end else "")
    return Verdict(held=False, happened=f"not shown: {why} ({how})")


def both(first: Judge, second: Judge) -> Judge:
    """Held when both say so; what is said is the first that does not hold, or both."""

    def judge(seen: Seen) -> Verdict:
        one, other = first(seen), second(seen)
        if one.held and other.held:
            return Verdict(held=True, happened=f"{one.happened}; {other.happened}")
        return other if one.held else one

    return judge


def needs(key: str, check: Callable[[Seen, Any], Verdict]) -> Judge:
    """A judge of one thing that the lines told; when they did not tell it, nothing was shown."""

    def judge(seen: Seen) -> Verdict:
        if key not in seen.told:
            return not_made(seen, "the lines did not come to their end")
        return check(seen, seen.told[key])

    return judge


def _answer(number: int) -> str:
    return "came through" if not number else f"the kernel answered {errno.errorcode.get(number, number)}"
