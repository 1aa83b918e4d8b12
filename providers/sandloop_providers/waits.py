"""How long a server asks to wait before the next request, in each of the forms it is said in."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx2

_DAY = 86_400
LONGEST_WAIT = 30.0
"""Seconds before a request is sent again. A server that asks for more is told to the user instead, who would see nothing happen."""
_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m(?!s))?(?:(\d+(?:\.\d+)?)s)?(?:(\d+(?:\.\d+)?)ms)?")
"""As OpenAI and Groq write one: `6m0s`, `7.66s`, `120ms`."""
_EPOCH, _EPOCH_MS = 1e9, 1e12
"""A greater number is no wait but a moment: seconds since 1970, or thousandths, as OpenRouter writes it."""


def wait_of(headers: Mapping[str, str], *, status: int | None = None, now: float | None = None) -> float | None:
    """The seconds a server asks to wait: `retry-after-ms`, or `retry-after`; else, with 429, until the used up limits begin anew.

    None when it names none, one that has passed, or more than a day.

    Args:
        headers: With names in lower case, or found in any.
        status: Of the response.
        now: Seconds since 1970, instead of the clock.
    """
    return next((wait for wait in _waits(headers, status, now) if wait < _DAY), None)


def waits_long(headers: Mapping[str, str], *, status: int | None = None) -> bool:
    """Whether a server asks for more than is waited before a request is sent again, be it for ever."""
    return next(_waits(headers, status, None), 0) > LONGEST_WAIT


async def never_wait_long(response: httpx2.Response) -> None:
    """A hook for an SDK's client: the SDKs wait for as long as they are told, one of them for weeks, and know few of the forms."""
    wait = next(_waits(response.headers, response.status_code, None), 0)
    if wait > LONGEST_WAIT:
        response.headers["x-should-retry"] = "false"
    elif wait:
        response.headers["retry-after-ms"] = str(1000 * wait)


def _waits(headers: Mapping[str, str], status: int | None, now: float | None) -> Iterator[float]:
    at = time.time() if now is None else now
    waits = [_number(headers.get("retry-after-ms", ""), 1000), _until(headers.get("retry-after", ""), at)]
    if status == 429:
        waits.append(_until_reset(headers, at))
    return (wait for wait in waits if wait is not None and wait > 0)


def _until_reset(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds until the last of the used up limits begins anew, as in `x-ratelimit-reset-tokens` or `ratelimitbysize-reset`."""
    resets = {name.lower(): text for name, text in headers.items() if "ratelimit" in name.lower() and "reset" in name.lower()}
    used_up = [text for name, text in resets.items() if _number(headers.get(name.replace("reset", "remaining"), "0"), 1) == 0]
    return max((wait for text in used_up if (wait := _until(text, now)) is not None), default=None)


def _until(text: str, now: float) -> float | None:
    """Seconds, however they are said: as a number, a duration, or a moment."""
    number = _number(text, 1)
    if number is None:
        return next((wait for wait in (_duration(text), _moment(text, now), _date(text, now)) if wait is not None), None)
    return number / 1000 - now if number > _EPOCH_MS else number - now if number > _EPOCH else number


def _number(text: str, per_second: int) -> float | None:
    try:
        number = float(text) / per_second
    except ValueError:
        return None
    return None if math.isnan(number) else number


def _duration(text: str) -> float | None:
    match = _DURATION.fullmatch(text.strip())
    if match is None or not any(match.groups()):
        return None
    return sum(float(part or 0) * seconds for part, seconds in zip(match.groups(), (3600, 60, 1, 0.001), strict=True))


def _moment(text: str, now: float) -> float | None:
    """Seconds to a moment such as `2026-10-21T07:28:00Z`."""
    try:
        return _seconds_to(datetime.fromisoformat(text.strip()), now)
    except (ValueError, OverflowError):
        return None


def _date(text: str, now: float) -> float | None:
    """Seconds to a date such as `Wed, 21 Oct 2026 07:28:00 GMT`."""
    try:
        return _seconds_to(parsedate_to_datetime(text), now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _seconds_to(moment: datetime, now: float) -> float:
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp() - now
