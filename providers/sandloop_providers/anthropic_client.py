"""How Anthropic is reached: address, key and parameters checked, one streamed request, and what a model can do."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, TypeAlias, cast
from urllib.parse import urlsplit

from sandloop.errors import BadSetting, MissingKey
from sandloop.limits import MB
from sandloop.ports import Capabilities, ModelChoice
from sandloop_providers.anthropic_errors import KEY_VARIABLES, NAME, fault_in_stream
from sandloop_providers.anthropic_stream import ENDS
from sandloop_providers.event_stream import payloads
from sandloop_providers.http_errors import never_go_elsewhere
from sandloop_providers.untrusted import mapping
from sandloop_providers.waits import never_wait_long

if TYPE_CHECKING:
    import httpx2
    from anthropic import AsyncAnthropic

ADDRESS = "https://api.anthropic.com"
FILE_BYTES = 500 * MB
TOTAL_BYTES = 4_000 * MB
"""Its container has 5 GiB of disk; the rest is left to work in."""
ASK_SECONDS = 10.0
"""For the question what a model can do: without an answer the run goes on."""
OURS = ("model", "max_tokens", "messages", "system", "tools", "container", "stream")
SAMPLING = ("temperature", "top_p", "top_k")
TOOL_PARAMETER = "code_tool"
"""A parameter of ours: another version of the code execution tool."""
SKILLS_PARAMETER = "skills"
"""A parameter of ours: skills for the container of the native route."""


Decoder: TypeAlias = Callable[[AsyncIterator[bytes]], AsyncIterator[Any]]
"""Bytes of an answer as events with `data` and `event`."""


def address_of(choice: ModelChoice) -> str:
    """The base URL without `/v1`, which the SDK adds. It is always given to the SDK, so that no login profile changes it."""
    address = (choice.base_url or os.environ.get("ANTHROPIC_BASE_URL") or ADDRESS).rstrip("/")
    return address.removesuffix("/v1")


def credential_of(choice: ModelChoice, address: str) -> dict[str, str]:
    """The SDK's argument that holds the key. Raises `MissingKey`, except for a server on this machine."""
    if choice.key:
        return {"api_key": choice.key}
    for variable, argument in zip(KEY_VARIABLES, ("api_key", "auth_token"), strict=True):
        if key := os.environ.get(variable):
            return {argument: key}
    if _on_this_machine(address):
        return {"api_key": "none"}
    raise MissingKey(provider=NAME, variables=KEY_VARIABLES)


def checked(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters, when none of them is ours to set or known to be refused. Raises `BadSetting`."""
    skills = parameters.get(SKILLS_PARAMETER, [])
    if not isinstance(skills, list) or not all(_is_skill(skill) for skill in cast("list[object]", skills)):
        why = "must be a list of {type = 'anthropic' or 'custom', skill_id = '...', version = '...'}; the version may be left out"
        raise BadSetting(name=f"parameters.{SKILLS_PARAMETER}", why=why)
    for name in parameters:
        if name in OURS:
            raise BadSetting(name=f"parameters.{name}", why="is set by sandloop itself")
        if name in SAMPLING:
            raise BadSetting(name=f"parameters.{name}", why="is refused by the Anthropic API, at any value")
    return parameters


def shown(address: str) -> str:
    """The address for a message: without a password somebody put into it."""
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"


def http_client() -> httpx2.AsyncClient:
    """For the SDK's client: it goes nowhere else, and waits no longer than is bearable."""
    from anthropic import DefaultAsyncHttpxClient

    return DefaultAsyncHttpxClient(event_hooks={"response": [never_go_elsewhere, never_wait_long]})


@asynccontextmanager
async def sent(
    client: AsyncAnthropic, body: Mapping[str, Any], *, key: str, decoder: Decoder | None = None
) -> AsyncGenerator[tuple[int, AsyncIterator[Mapping[str, Any]]]]:
    """The request, sent: how often the SDK had to repeat it, and the events of its answer. Leaving it closes the connection."""
    create: Any = client.messages.with_streaming_response.create
    async with create(**body) as response:
        yield response.retries_taken, _events(response.http_response, key, decoder)


async def _events(response: Any, key: str, decoder: Decoder | None) -> AsyncIterator[Mapping[str, Any]]:
    """The wire events as plain JSON. The SDK's own event classes would fill in and rename what they do not know."""
    pieces: AsyncIterator[bytes] = response.aiter_bytes()
    async for name, payload in _decoded(decoder(pieces)) if decoder else payloads(pieces, ENDS):
        event = {"type": name, **mapping(payload)}
        if "error" in (event["type"], name) or event.get("error"):
            raise fault_in_stream(event, key=key)
        yield event


async def _decoded(framed: AsyncIterator[Any]) -> AsyncIterator[tuple[str, object]]:
    async for one in framed:
        if one.data:
            yield one.event or "", json.loads(one.data)


async def ask_capabilities(client: AsyncAnthropic, model: str) -> Capabilities:
    """What the server says about a model. Raises what the SDK raises when it says nothing."""
    answer = await client.with_options(max_retries=1, timeout=ASK_SECONDS).models.with_raw_response.retrieve(model)
    about = mapping(mapping(cast("object", answer.http_response.json())).get("capabilities"))
    runs = mapping(mapping(about.get("server_tools")).get("code_execution")).get("supported")
    pictures = mapping(about.get("image_input")).get("supported") is not False
    if not isinstance(runs, bool):
        return assumed("its answer has no such field", sees_pictures=pictures)
    if not runs:
        return Capabilities(runs_code=False, runs_code_why=f"{model} has no code execution tool", sees_pictures=pictures)
    return Capabilities(runs_code=True, file_bytes=FILE_BYTES, total_bytes=TOTAL_BYTES, sees_pictures=pictures)


def assumed(said: str, *, sees_pictures: bool = True) -> Capabilities:
    """What a Claude model can do as a rule, with the reason why it was not asked."""
    return Capabilities(
        runs_code=True,
        runs_code_why=f"the server did not say whether the model runs code ({said}), so it is taken to",
        file_bytes=FILE_BYTES,
        total_bytes=TOTAL_BYTES,
        sees_pictures=sees_pictures,
    )


def _is_skill(value: object) -> bool:
    skill = mapping(value)
    texts = all(isinstance(v, str) and v for v in skill.values())
    needed = skill.get("type") in ("anthropic", "custom") and "skill_id" in skill
    return needed and texts and set(skill) <= {"type", "skill_id", "version"}


def _on_this_machine(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
