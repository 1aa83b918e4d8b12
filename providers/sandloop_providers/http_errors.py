"""What a status of HTTP means to the caller, whoever sent it, and what a server said as a line that is safe to show."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sandloop.errors import BadReply, KeyRefused, ModelNotFound, Overloaded, ProviderError, RateLimited

SAID_CHARS = 300
"""A sentence or two; a page of HTML says no more."""
_SPENT = re.compile(r"credit balance|insufficient[ _](?:balance|quota|funds)|billing|quota", re.IGNORECASE)
"""Accounts without money are told so with 400 by some."""


def by_status(
    status: int, *, provider: str, model: str, said: str, variables: tuple[str, ...], wait: float | None = None
) -> ProviderError:
    """The error of an answer with that status.

    Args:
        wait: Seconds after which the server takes the next request, where it says so.
    """
    match status:
        case 401 | 403:
            return KeyRefused(provider=provider, said=said, variables=variables)
        case 404:
            return ModelNotFound(provider=provider, model=model, said=said)
        case 402 | 429:
            return RateLimited(provider=provider, said=said, wait=wait)
        case 400 if _SPENT.search(said):
            return RateLimited(provider=provider, said=said)
        case 408 | 409:
            return Overloaded(provider=provider, status=status, said=said)
        case _ if status >= 500:
            return Overloaded(provider=provider, status=status, said=said)
        case _:
            return BadReply(provider=provider, said=said)


def plain(said: str, key: str) -> str:
    """One bounded line without the key: a server may quote it back."""
    line = " ".join(said.split())
    if key:
        line = line.replace(key, "[key]")
    return (line if len(line) <= SAID_CHARS else line[:SAID_CHARS] + " …").rstrip(".") or "no reason given"


def wait_of(headers: Mapping[str, str]) -> float | None:
    """The seconds of `retry-after`; None when it is a date, absent, or more than a day."""
    try:
        wait = float(headers.get("retry-after", ""))
    except ValueError:
        return None
    return wait if 0 < wait < 86_400 else None
