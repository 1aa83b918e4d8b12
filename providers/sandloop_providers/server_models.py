"""Which models a chat-completions server lists now: a quick question that never fails."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, cast
from urllib.parse import urlsplit

ASK_SECONDS = 0.3
"""A server on this machine answers within milliseconds; more would be felt at every start."""
ANSWER_BYTES = 2_000_000
MODELS = 500
NAME_CHARS = 300


async def served_models(address: str, key: str = "none", *, seconds: float = ASK_SECONDS) -> list[str]:
    """The names of the models, in the server's order; empty when nothing answers in time or the answer can't be read."""
    import httpx2

    try:
        async with (
            httpx2.AsyncClient(trust_env=not on_this_machine(address), timeout=seconds) as client,
            client.stream("GET", f"{address}/models", headers={"Authorization": f"Bearer {key}"}) as response,
        ):
            if response.status_code != 200:
                return []
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > ANSWER_BYTES:
                    return []
        return _names(body)
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, ValueError):
        return []


def on_this_machine(address: str) -> bool:
    """Whether the address is this machine's own loopback."""
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def shown(address: str) -> str:
    """The address for a message: without a password or a query somebody put into it."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _names(body: bytes) -> list[str]:
    import json

    whole: Any = json.loads(body)
    rows = cast("dict[str, Any]", whole).get("data") if isinstance(whole, dict) else None
    if not isinstance(rows, list):
        return []
    names = [cast("dict[str, Any]", r).get("id") for r in cast("list[object]", rows)[:MODELS] if isinstance(r, dict)]
    return [n[:NAME_CHARS] for n in names if isinstance(n, str) and n]
