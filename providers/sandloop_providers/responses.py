"""OpenAI through the Responses API: its code interpreter (or hosted shell) on the native route, client tools on the local one.

This file only sends. `responses_wire` says what, `responses_stream` and `responses_items` read what comes back,
`responses_container` moves files, `chat_errors` names what goes wrong. A server that has no Responses API, or a setting
(`api = "chat"`), takes the local route through chat completions.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import anyio

from sandloop.context import fitted
from sandloop.conversation import Message, conversation
from sandloop.errors import BadSetting, NativeUnavailable
from sandloop.events import Event, Retried, Usage
from sandloop.limits import MB
from sandloop.ports import Capabilities, Turn
from sandloop.prompts import local_instructions
from sandloop_providers import responses_wire as wire
from sandloop_providers.chat import Chat, picture_urls, reported_cost
from sandloop_providers.chat_client import open_client
from sandloop_providers.chat_errors import Fault, error_of, fault_of
from sandloop_providers.container_time import ContainerClock, Rate
from sandloop_providers.event_stream import payloads
from sandloop_providers.http_errors import plain
from sandloop_providers.prices import priced
from sandloop_providers.responses_container import RemoteContainer
from sandloop_providers.responses_session import SessionContainer
from sandloop_providers.responses_stream import ENDS, Reading
from sandloop_providers.sdk import load
from sandloop_providers.server_models import shown

if TYPE_CHECKING:
    from openai import AsyncOpenAI

FILE_BYTES = 512 * MB
"""Of one upload, by OpenAI's documentation."""
CLOSE_SECONDS = 10.0
_GONE = re.compile(r"container", re.IGNORECASE)
_NO_TOOL = re.compile(r"code_interpreter|\bshell\b|container|tool|file", re.IGNORECASE)
_NO_ENCRYPTED = re.compile(r"encrypted", re.IGNORECASE)
_NO_API = re.compile(r"responses", re.IGNORECASE)
log = logging.getLogger("sandloop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """Where, and as whom."""

    name: str
    title: str
    address: str
    key: str = field(repr=False)
    key_variables: tuple[str, ...]
    prices: str | None
    keeps_environment: bool
    containers: Rate | None = None
    """How the time of containers is billed; None: unknown."""
    reports_cost: bool = False
    """`usage.cost` holds US dollars."""


class Responses:
    """An OpenAI model. One object serves one session: it keeps the container and remembers what the server refused."""

    def __init__(self, account: Account, *, model: str, chat: Chat, parameters: Mapping[str, Any], api: str, tool: str) -> None:
        self.name, self.model = account.name, model
        self._account, self._chat, self._parameters = account, chat, dict(parameters)
        self._uses_chat, self._tool = api == "chat", tool
        self._encrypted = True
        self._client: AsyncOpenAI | None = None
        ours = tool == wire.OPENROUTER_SHELL
        self._remote = SessionContainer(key=account.key) if ours else RemoteContainer(key=account.key)
        self._lost_at: int | None = None
        self._clock = ContainerClock(account.containers) if account.containers is not None else None
        self._began = 0.0

    async def capabilities(self) -> Capabilities:
        """There is no question a server answers: it is taken to run code, and a refusal shows at the first reply."""
        return Capabilities(runs_code=True, file_bytes=FILE_BYTES, sees_pictures=True)

    async def reply(self, history: Sequence[Event], turn: Turn) -> AsyncGenerator[Event]:
        """One reply, streamed. Once its code has begun to come, the request is never sent again: the error says what ran."""
        if not turn.native and self._uses_chat:
            async for event in self._chat.reply(history, turn):
                yield event
            return
        await load("openai")
        client, messages = self._opened(), fitted(conversation(history), turn.limits.context_tokens)
        self._began = time.monotonic()
        while True:
            reading = Reading(family=wire.NATIVE if turn.native else wire.LOCAL, output_kept=turn.limits.output_kept)
            fault: Fault | None = None
            try:
                if turn.native:
                    await self._remote.ready(client, turn.files)
                async with _sent(client, await self._body(messages, turn)) as (repeated, chunks):
                    if repeated:
                        yield Retried(reason=_repeated(self._account.title, repeated, native=turn.native))
                    async for chunk in chunks:
                        for event in reading.take(chunk):
                            yield event
            except OSError:
                raise
            except Exception as error:
                fault = fault_of(error)
            again = None if fault is None or reading.began else self._differently(fault, len(history), native=turn.native)
            if again is None:
                break
            yield Retried(reason=again)
            if self._uses_chat and not turn.native:
                async for event in self._chat.reply(history, turn):
                    yield event
                return
        async for event in self._end(reading, fault, client, turn):
            yield event

    async def _end(self, reading: Reading, fault: Fault | None, client: AsyncOpenAI, turn: Turn) -> AsyncGenerator[Event]:
        for event in reading.unanswered():
            yield event
        if (usage := reading.usage()) is not None:
            yield self._with_container(await self._priced(usage, reading), native=turn.native)
        if turn.native and self._remote.id and reading.began:
            async for made in self._remote.made(client, reading.pictures, reading.cited, reading.last_code, turn):
                yield made
        if fault is None and not reading.over:
            fault = Fault("connection", "the reply broke off")
        if fault is not None:
            raise self._error(fault, reading, native=turn.native)
        yield reading.ended(container=self._remote.id if turn.native else None)

    async def close(self) -> None:
        """Delete the container and the uploads within 10 seconds, also while being cancelled."""
        client, self._client = self._client, None
        await self._chat.close()
        if client is None:
            return
        try:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._remote.delete_all(client)
            with anyio.move_on_after(1, shield=True):
                await client.close()
        except Exception as error:  # closing never raises
            log.warning("closing the connection to %s: %s", self._account.title, type(error).__name__)

    def _opened(self) -> AsyncOpenAI:
        if self._client is None:
            account = self._account
            self._client = open_client(account.address, account.key, keeps_environment=account.keeps_environment)
        return self._client

    async def _body(self, messages: Sequence[Message], turn: Turn) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self.model,
            "stream": True,
            "store": False,
            "max_output_tokens": turn.limits.reply_tokens,
        }
        include = [wire.ENCRYPTED] if self._encrypted else []
        if turn.native:
            include += [wire.OUTPUTS] if self._tool == wire.INTERPRETER else []
            body["instructions"] = wire.native_instructions(self._tool, self._remote.paths)
            body["tools"] = [self._remote.tool(self._tool)]
            body["input"] = wire.native_input(messages, live=self._remote.id, encrypted=self._encrypted)
        else:
            pictures = await picture_urls(messages, turn) if turn.show_pictures else {}
            body["instructions"] = local_instructions(tools=True)
            body["tools"] = wire.client_tools()
            body["input"] = wire.local_input(messages, pictures=pictures, encrypted=self._encrypted)
        extra = {**self._parameters, **(self._remote.request if turn.native else {})}
        return {**body, "include": include, "extra_body": extra}

    def _differently(self, fault: Fault, position: int, *, native: bool) -> str | None:
        """How to ask again after a refusal, in words for the user; None when there is no other way."""
        if fault.kind != "status" or fault.status is None:
            return None
        said = plain(fault.said, self._account.key)
        if fault.status == 400 and self._encrypted and _NO_ENCRYPTED.search(said):
            self._encrypted = False
            return f"{self._account.title} does not give this model's reasoning back, so it is left out"
        dead = native and self._remote.id and fault.status in (400, 404, 410) and _GONE.search(said)
        if dead and self._lost_at != position:
            self._lost_at = position
            self._remote.lost()
            return (
                f"{self._account.title}'s container was gone ({said}); the question was asked again in a new one with the input "
                "files, and variables and files of the old one are lost"
            )
        if not native and fault.status in (404, 405) and not self._uses_chat and "model" not in said.lower():
            self._uses_chat = True
            return f"the server at {shown(self._account.address)} has no Responses API, so chat completions are used"
        return None

    def _error(self, fault: Fault, reading: Reading, *, native: bool) -> Exception:
        account = self._account
        said = plain(fault.said, account.key)
        if reading.cells:
            fault.said += f"; {reading.cells} pieces of code may have run by then, and asking again runs them again"
        elif (
            native
            and fault.status in (400, 404, 405, 413, 422)
            and (self._tool == wire.OPENROUTER_SHELL or _NO_TOOL.search(said) or _NO_API.search(said))
        ):
            return NativeUnavailable(provider=account.title, said=said)
        return error_of(
            fault,
            title=account.title,
            model=self.model,
            address=shown(account.address),
            key=account.key,
            variables=account.key_variables,
        )

    def _with_container(self, usage: Usage, *, native: bool) -> Usage:
        if not native or not self._remote.id or self._clock is None:
            return usage
        seconds, dollars = self._clock.used(self._remote.id, self._began, time.monotonic())
        return replace(usage, container_seconds=seconds, container_cost=dollars)

    async def _priced(self, usage: Usage, reading: Reading) -> Usage:
        usage = replace(usage, model=usage.model or self.model)
        if self._account.reports_cost:
            return replace(usage, cost=reported_cost(reading.reported))
        if self._account.prices is None:
            return usage
        return await priced(usage, provider=self._account.prices, model=self.model)


OURS = (
    "model",
    "input",
    "instructions",
    "tools",
    "stream",
    "store",
    "include",
    "previous_response_id",
    "conversation",
    "background",
)
API_PARAMETER, TOOL_PARAMETER = "api", "tool"


def checked(parameters: Mapping[str, Any]) -> tuple[str, str]:
    """The two parameters that are ours: which API the local route speaks, and which tool runs code. Raises `BadSetting`."""
    api, tool = parameters.get(API_PARAMETER, "chat"), parameters.get(TOOL_PARAMETER, wire.INTERPRETER)
    if api not in ("chat", "responses"):
        raise BadSetting(name="parameters.api", why=f"is {api!r}, but must be 'chat' or 'responses'")
    if tool not in (wire.INTERPRETER, wire.SHELL):
        raise BadSetting(name="parameters.tool", why=f"is {tool!r}, but must be '{wire.INTERPRETER}' or '{wire.SHELL}'")
    for name in parameters:
        if name in OURS:
            raise BadSetting(name=f"parameters.{name}", why="is set by sandloop itself")
    return api, tool


def _repeated(title: str, times: int, *, native: bool) -> str:
    again = "once more" if times == 1 else f"{times} times more"
    lost = "; code of an attempt whose answer was lost may have run at the provider" if native else ""
    return f"{title} did not answer at first, so the request was sent {again}{lost}"


@asynccontextmanager
async def _sent(client: AsyncOpenAI, body: Mapping[str, Any]) -> AsyncGenerator[tuple[int, AsyncIterator[object]]]:
    """The request, sent: how often the SDK had to repeat it, and the events of its answer. Leaving it closes the connection."""
    create: Any = client.responses.with_streaming_response.create
    async with create(**body) as response:
        yield response.retries_taken, _events(response)


async def _events(response: Any) -> AsyncIterator[object]:
    """The wire events as plain JSON, before the SDK's classes fill in and rename what they do not know."""
    async for _, event in payloads(response.iter_bytes(), ENDS):
        yield event
