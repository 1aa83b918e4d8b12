"""What goes wrong with the Anthropic API, as facts, and which of sandloop's errors they are.

No SDK error rides along as a cause: it holds the request with its headers, and the key stands in one of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Literal

from sandloop.errors import (
    BadReply,
    NativeUnavailable,
    ProviderError,
    Unreachable,
)
from sandloop_providers.http_errors import by_status, plain, said_in, status_in
from sandloop_providers.untrusted import mapping
from sandloop_providers.waits import wait_of

NAME = "Anthropic"
KEY_VARIABLES = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN")
_ABOUT_CONTAINER = re.compile(r"\bcontainers?(_id)?\b", re.IGNORECASE)
_ABOUT_FILE = re.compile(r"\bfiles?\b|file_", re.IGNORECASE)
_GONE = re.compile(r"not[ _]found|expired|no longer|does not exist", re.IGNORECASE)
_ABOUT_NATIVE = re.compile(r"code[ _-]execution|container|server[ _]tool|\bfiles?\b|file_|\bskills?\b|skill_", re.IGNORECASE)


class Fault(Exception):
    """A request that got no usable answer. Internal: it never leaves the provider."""

    def __init__(
        self, kind: Literal["status", "connection", "unreadable"], said: str, *, status: int = 0, wait: float | None = None
    ) -> None:
        self.kind, self.said, self.status, self.wait = kind, said, status, wait
        super().__init__(said)

    @property
    def is_dead_container(self) -> bool:
        """Of a request that named a container. A dead one may answer with a plain 500; 529 is said to be load."""
        if self.kind != "status":
            return False
        if self.status in (400, 404, 410):
            return _ABOUT_CONTAINER.search(self.said) is not None
        return self.status >= 500 and self.status != 529

    @property
    def is_lost_upload(self) -> bool:
        """Of a request that named uploaded files: one of them is gone or has expired."""
        about_file = _ABOUT_FILE.search(self.said) is not None and _GONE.search(self.said) is not None
        return self.kind == "status" and self.status in (400, 404, 410) and about_file


def fault_of(error: Exception, *, key: str) -> Fault:
    """The facts of an SDK or transport error. Anything that is neither is raised again."""
    import anthropic as sdk
    import httpx2

    match error:
        case Fault():
            return error
        case sdk.APIStatusError():
            said = error.api_message if isinstance(error.api_message, str) else error.message
            wait = wait_of(error.response.headers, status=error.status_code)
            return Fault("status", plain(said, key), status=error.status_code, wait=wait)
        case sdk.APITimeoutError() | httpx2.TimeoutException():
            return Fault("connection", "no answer in time")
        case sdk.APIConnectionError() | httpx2.HTTPError() | httpx2.StreamError():
            return Fault("connection", plain(str(error.__cause__ or error) or type(error).__name__, key))
        case RecursionError():
            return Fault("unreadable", "the answer is nested too deep")
        case sdk.AnthropicError() | ValueError():
            return Fault("unreadable", plain(str(error), key))
        case _:
            raise error


def fault_in_stream(event: Mapping[str, Any], *, key: str) -> Fault:
    """The facts of an `error` event inside a stream."""
    facts = mapping(event.get("error"))
    kind, said = str(facts.get("type") or "error"), said_in(event) or "no reason given"
    return Fault("status", plain(f"{kind}: {said}", key), status=status_in(facts, event) or 500)


def error_of(
    fault: Fault, *, model: str, address: str, native: bool, provider: str = NAME, variables: tuple[str, ...] = KEY_VARIABLES
) -> ProviderError:
    """The error the caller gets for a failed request for a reply."""
    said = fault.said
    if fault.kind == "connection":
        return Unreachable(provider=provider, address=address, said=said)
    if fault.kind == "unreadable":
        return BadReply(provider=provider, said=said)
    if native and fault.status in (400, 403, 404, 413, 422) and _ABOUT_NATIVE.search(said):
        return NativeUnavailable(provider=provider, said=said)
    return by_status(fault.status, provider=provider, model=model, said=said, variables=variables, wait=fault.wait)


def upload_error(fault: Fault, *, name: str, model: str, address: str) -> ProviderError:
    """The error for an input file that was not taken. Whatever is about the file and not the key, the local route can do."""
    if fault.kind == "status" and fault.status not in (401, 402, 408, 409, 429) and fault.status < 500:
        return NativeUnavailable(provider=NAME, said=f"the file {name!r} was refused: {fault.said}")
    return error_of(fault, model=model, address=address, native=False)
