"""How a chat-completions server is reached: the client, one streamed request, its chunks as plain JSON."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from sandloop_providers.event_stream import PAGE, payloads
from sandloop_providers.http_errors import never_go_elsewhere
from sandloop_providers.server_models import on_this_machine
from sandloop_providers.waits import never_wait_long

if TYPE_CHECKING:
    import httpx2
    from openai import AsyncOpenAI

CONNECT_SECONDS = 10.0
READ_SECONDS = 600.0
"""Between two pieces of a reply. A server on this machine may read a long prompt for longer, and the run has its own limit."""
HEADERS = ("accept", "accept-encoding", "connection", "content-length", "content-type", "host", "transfer-encoding", "user-agent")


def open_client(address: str, key: str, *, keeps_environment: bool = False) -> AsyncOpenAI:
    """A client for one server.

    Args:
        keeps_environment: Send what the SDK takes from its own variables (organisation, project, custom headers). For any other
            server than OpenAI's they are stripped: they may hold a key.
    """
    import httpx2
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    here = on_this_machine(address)
    timeout = httpx2.Timeout(None if here else READ_SECONDS, connect=CONNECT_SECONDS)

    async def only_ours(request: httpx2.Request) -> None:
        for name in list(request.headers):
            if name.lower() not in HEADERS and not name.lower().startswith("x-stainless-"):
                del request.headers[name]
        request.headers["Authorization"] = f"Bearer {key}"

    # No proxy for this machine's own servers, whatever the proxy variables say.
    http = DefaultAsyncHttpxClient(
        timeout=timeout,
        trust_env=not here,
        event_hooks={"request": [] if keeps_environment else [only_ours], "response": [never_go_elsewhere, never_wait_long]},
    )
    return AsyncOpenAI(base_url=address, api_key=key, timeout=timeout, http_client=http)


@asynccontextmanager
async def sent(client: AsyncOpenAI, body: Mapping[str, Any]) -> AsyncGenerator[tuple[int, AsyncIterator[object]]]:
    """The request, sent: how often the SDK had to repeat it, and the chunks of its answer. Leaving it closes the connection."""
    create: Any = client.chat.completions.with_streaming_response.create
    async with create(**body) as response:
        yield response.retries_taken, _chunks(response)


async def _chunks(response: Any) -> AsyncIterator[object]:
    """The chunks as plain JSON: the SDK's classes fill in and rename what they do not know. A server that ignores `stream`
    answers with one object, which is one chunk here."""
    kind = response.headers.get("content-type", "")
    if "html" in kind:
        raise ValueError(f"{response.url} {PAGE}")
    async for _, chunk in payloads(response.iter_bytes()):
        yield chunk
