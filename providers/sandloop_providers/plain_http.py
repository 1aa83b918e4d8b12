"""A provider reached without its SDK: JSON over HTTP, events of a stream as plain JSON, retries that are told.

For vendors whose SDK loses what it does not know, or fails on it. A request is sent again on the statuses that say so, and only
while nothing of its answer has come.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, cast

import anyio

from sandloop_providers.event_stream import payloads
from sandloop_providers.http_errors import never_go_elsewhere, said_in
from sandloop_providers.server_models import on_this_machine
from sandloop_providers.untrusted import mapping
from sandloop_providers.waits import LONGEST_WAIT, wait_of, waits_long

if TYPE_CHECKING:
    import httpx2

CONNECT_SECONDS = 10.0
READ_SECONDS = 600.0
ANSWER_BYTES = 100_000_000
RETRIES = 2
AGAIN = frozenset({408, 409, 429, 500, 502, 503, 504})
_DELAY = re.compile(r"(\d{1,9}(?:\.\d{1,9})?)s")


class Fault(Exception):
    """A request that got no usable answer. Internal: it never leaves the provider."""

    def __init__(
        self,
        kind: Literal["status", "connection", "unreadable"],
        said: str,
        *,
        status: int = 0,
        wait: float | None = None,
        body: Mapping[str, Any] | None = None,
        final: bool = False,
    ) -> None:
        self.kind, self.said, self.status, self.wait = kind, said, status, wait
        self.final = final
        """Whether the server says that asking again is of no use."""
        self.body: Mapping[str, Any] = body or {}
        super().__init__(said)


@dataclass
class Http:
    """One server. `headers` go with every request; they may hold a key and are never shown."""

    address: str
    headers: Mapping[str, str] = field(repr=False)
    _client: httpx2.AsyncClient | None = None

    def _opened(self) -> httpx2.AsyncClient:
        if self._client is None:
            import httpx2

            timeout = httpx2.Timeout(READ_SECONDS, connect=CONNECT_SECONDS)
            # No proxy for this machine's own servers, whatever the proxy variables say.
            self._client = httpx2.AsyncClient(
                timeout=timeout,
                trust_env=not on_this_machine(self.address),
                headers=dict(self.headers),
                follow_redirects=True,
                event_hooks={"response": [never_go_elsewhere]},
            )
        return self._client

    async def close(self) -> None:
        """Close the connections."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def call(
        self, method: str, path: str, *, again: bool = True, **given: Any
    ) -> tuple[Mapping[str, Any], Mapping[str, str]]:
        """A request that is answered with JSON, or with nothing: the body, and the headers. Raises `Fault`."""
        async with self.sent(method, path, again=again, **given) as (_, response):
            return mapping(_parsed(await _whole(response)) or {}), dict(response.headers)

    @asynccontextmanager
    async def sent(
        self, method: str, path: str, *, again: bool = True, **given: Any
    ) -> AsyncGenerator[tuple[int, httpx2.Response]]:
        """A request, sent: how often it had to be repeated, and its answer, not yet read. Raises `Fault`.

        Leaving it closes the connection. `again=False`: what it starts must not run twice.
        """
        import httpx2

        url = path if path.startswith(("http://", "https://")) else f"{self.address}{path}"
        for attempt in range(RETRIES + 1):
            fault: Fault
            try:
                async with self._opened().stream(method, url, **given) as response:
                    if response.status_code < 400:
                        try:
                            yield attempt, response
                        except (httpx2.HTTPError, httpx2.StreamError) as error:
                            raise Fault("connection", str(error) or type(error).__name__) from None
                        return
                    fault = _fault(response.status_code, response.headers, await _whole(response))
            except (httpx2.HTTPError, httpx2.InvalidURL) as error:
                fault = Fault("connection", str(error) or type(error).__name__)
            if attempt == RETRIES or not again or not _worth_another(fault):
                raise fault
            await anyio.sleep(fault.wait if fault.wait is not None else 0.5 * 2**attempt * random.uniform(0.75, 1))  # noqa: S311
        raise AssertionError("unreachable")


def _worth_another(fault: Fault) -> bool:
    if fault.final or (fault.wait or 0) > LONGEST_WAIT:
        return False
    return fault.kind == "connection" or fault.status in AGAIN


async def events(response: httpx2.Response, ends: Collection[str] = ()) -> AsyncGenerator[Any]:
    """The payloads of an event stream; one, when the server answers in one piece. Raises `Fault` for what is no JSON.

    Args:
        ends: Types of events after which nothing is waited for.
    """
    try:
        async for _, payload in payloads(response.aiter_bytes(), ends):
            yield payload
    except RecursionError:
        raise Fault("unreadable", "the answer is nested too deep") from None
    except ValueError as error:
        raise Fault("unreadable", str(error)) from None


async def _whole(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for piece in response.aiter_bytes():
        body += piece
        if len(body) > ANSWER_BYTES:
            raise Fault("unreadable", f"the answer is longer than {ANSWER_BYTES} bytes")
    return bytes(body)


def _parsed(body: bytes) -> Any:
    if not body.strip():
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise Fault("unreadable", f"the answer is no JSON: {body[:100].decode('utf-8', 'replace')}") from None


def _fault(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    try:
        whole: object = _parsed(body)
    except Fault:
        whole = None
    rows: list[object] = cast("list[object]", whole) if isinstance(whole, list) and whole else [whole]
    found = mapping(rows[0])
    return Fault(
        "status",
        said_in(found) or body[:300].decode("utf-8", "replace").strip() or f"status {status}",
        status=status,
        wait=wait_of(headers, status=status) or retry_delay(found),
        body=found,
        final=headers.get("x-should-retry") == "false" or waits_long(headers, status=status),
    )


def retry_delay(body: Mapping[str, Any]) -> float | None:
    """The seconds of Google's `RetryInfo` in an error, when they are there."""
    details = mapping(body.get("error")).get("details")
    for detail in cast("list[object]", details) if isinstance(details, list) else ():
        if (found := _DELAY.fullmatch(str(mapping(detail).get("retryDelay")))) is not None:
            return float(found[1]) or None
    return None
