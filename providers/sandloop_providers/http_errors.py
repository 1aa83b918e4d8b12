"""What a status of HTTP means to the caller, whoever sent it, and what a server said as a line that is safe to show."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sandloop.errors import BadReply, KeyRefused, ModelNotFound, Overloaded, ProviderError, RateLimited
from sandloop_providers.untrusted import mapping

if TYPE_CHECKING:
    import httpx2

SAID_CHARS = 300
"""A sentence or two; a page of HTML says no more."""
STATUS_OF = {
    "invalid_request_error": 400,
    "validationException": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "throttlingException": 429,
    "api_error": 500,
    "server_error": 500,
    "serviceUnavailableException": 503,
    "timeout_error": 504,
    "overloaded_error": 529,
}
"""What Anthropic, OpenAI and Bedrock (in camel case) call an error inside a stream, where the HTTP answer was 200."""
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


def status_in(*facts: Mapping[str, Any]) -> int | None:
    """The status that an error object stands for: a number in its code, or a known name; None when none of them tells it."""
    for told in (found.get(name) for found in facts for name in ("code", "type")):
        number = int(told) if isinstance(told, str) and re.fullmatch(r"[45]\d\d", told) else told
        if isinstance(number, int) and not isinstance(number, bool) and 400 <= number < 600:
            return number
        if isinstance(told, str) and told in STATUS_OF:
            return STATUS_OF[told]
    return None


def said_in(body: Mapping[str, Any]) -> str:
    """The words of an error object, in any of the usual places."""
    inner = mapping(body.get("error"))
    for told in (inner.get("message"), body.get("message"), body.get("detail"), body.get("error")):
        if told:
            return told if isinstance(told, str) else json.dumps(told, default=str)
    return ""


def plain(said: str, key: str) -> str:
    """One bounded line without the key: a server may quote it back, and a client as Python would write it."""
    for form in filter(None, (key, repr(key)[1:-1])):
        said = said.replace(form, "[key]")
    line = " ".join(said.split())
    return (line if len(line) <= SAID_CHARS else line[:SAID_CHARS] + " …").rstrip(".") or "no reason given"


async def never_go_elsewhere(response: httpx2.Response) -> None:
    """A hook for an SDK's client, which would send the question on, with the key, to wherever a server points. Raises
    `RemoteProtocolError`."""
    import httpx2

    if not response.has_redirect_location:
        return
    here = response.url
    try:
        there = here.join(response.headers["location"])
    except httpx2.InvalidURL:
        there = httpx2.URL()
    secured = (here.scheme, there.scheme, here.port, there.port) == ("http", "https", None, None)
    if here.host != there.host or not (secured or (here.scheme, here.port) == (there.scheme, there.port)):
        where = f"{there.scheme}://{there.netloc.decode('ascii', 'replace')}"[:100]
        raise httpx2.RemoteProtocolError(
            f"it redirects to {where}, where nothing of yours is sent; if that is right, use its address"
        )
