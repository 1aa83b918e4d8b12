"""What goes wrong with a chat-completions server, as facts, and which of sandloop's errors they are.

No SDK error rides along as a cause: it holds the request with its headers, and the key stands in one of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Literal, cast

from sandloop.errors import (
    BadReply,
    ProviderError,
    Refused,
    Unreachable,
)
from sandloop_providers.http_errors import by_status, plain, status_in
from sandloop_providers.waits import wait_of

SEARCHED_CHARS = 4_000
"""Of a server's answer, searched for what it refuses."""
_MODERATED = re.compile(r"moderation|flagged|content[ _](?:filter|policy)|safety", re.IGNORECASE)


class Fault(Exception):
    """A request that got no usable answer. Internal: it never leaves the provider."""

    def __init__(
        self,
        kind: Literal["status", "connection", "unreadable"],
        said: str,
        *,
        status: int | None = None,
        wait: float | None = None,
        generated: str | None = None,
    ) -> None:
        self.kind, self.said, self.status, self.wait = kind, said, status, wait
        self.generated = generated
        """What the model wrote, when the server refused it because it is no valid tool call."""
        super().__init__(said)


def fault_of(error: Exception) -> Fault:
    """The facts of an SDK or transport error. Anything that is neither is raised again."""
    import httpx2
    import openai as sdk

    match error:
        case Fault():
            return error
        case sdk.APIStatusError():
            wait = wait_of(error.response.headers, status=error.status_code)
            return fault_from_body(error.body, status=error.status_code, wait=wait)
        case sdk.APITimeoutError() | httpx2.TimeoutException():
            return Fault("connection", "no answer in time")
        case sdk.APIConnectionError() | httpx2.HTTPError() | httpx2.StreamError() | httpx2.InvalidURL():
            return Fault("connection", str(error.__cause__ or error) or type(error).__name__)
        case sdk.APIError():
            return fault_from_body(error.body, status=None, said=error.message)
        case RecursionError():
            return Fault("unreadable", "the answer is nested too deep")
        case sdk.OpenAIError() | ValueError():
            return Fault("unreadable", str(error) or type(error).__name__)
        case _:
            raise error


def fault_from_body(body: object, *, status: int | None, wait: float | None = None, said: str = "") -> Fault:
    """The facts of an error object. One inside a stream has no status of its own: it is read from its code or its type."""
    facts = _mapping(body)
    code = facts.get("code")
    status = status_in(facts) if status is None else status
    generated = facts.get("failed_generation")
    told = (facts.get("message"), facts.get("detail"), facts.get("error"), body if isinstance(body, str) else "", said, body)
    message = next((t for t in told if t), "no reason given")
    raw = _mapping(facts.get("metadata")).get("raw")
    text = message if isinstance(message, str) else json.dumps(message, default=str)
    if isinstance(raw, str) and raw not in text:
        text = f"{text}: {raw}"
    return Fault(
        "status",
        text[:SEARCHED_CHARS],
        status=status,
        wait=wait,
        generated=generated if code == "tool_use_failed" and isinstance(generated, str) else None,
    )


def error_of(fault: Fault, *, title: str, model: str, address: str, key: str, variables: tuple[str, ...]) -> ProviderError:
    """The error the caller gets for a failed request for a reply."""
    said = plain(fault.said, key)
    if fault.kind == "connection":
        return Unreachable(provider=title, address=address, said=said)
    if fault.kind == "unreadable" or fault.status is None:
        return BadReply(provider=title, said=said)
    match fault.status:
        case 403 if _MODERATED.search(said):
            return Refused(provider=title, said=said)
        case 404 | 405 if "model" not in said.lower():
            where = f"it answered {fault.status} ({said}); the address of such a server usually ends in /v1"
            return Unreachable(provider=title, address=address, said=where)
        case status:
            return by_status(status, provider=title, model=model, said=said, variables=variables, wait=fault.wait)


def _mapping(value: object) -> Mapping[str, Any]:
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}
