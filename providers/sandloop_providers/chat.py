"""Any server that speaks chat completions: code is always run here, on the local route.

This file only sends. `chat_wire` says what, `chat_stream` reads what comes back, `chat_shape` knows what a server refuses to take,
`chat_errors` names what goes wrong; `catalog` has the vendors.
"""

from __future__ import annotations

import base64
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

import anyio

from sandloop.context import fitted
from sandloop.conversation import Message, conversation
from sandloop.errors import BadSetting, UsageError
from sandloop.events import Event, Noted, Retried, Text, Usage
from sandloop.ports import Capabilities, Turn
from sandloop_providers.chat_client import open_client, sent
from sandloop_providers.chat_errors import Fault, error_of, fault_of
from sandloop_providers.chat_shape import Shape, narrowed
from sandloop_providers.chat_stream import Reading
from sandloop_providers.chat_wire import client_tools, newest_pictures, to_wire
from sandloop_providers.ollama import Watch, chars_of, context_of, room
from sandloop_providers.prices import priced
from sandloop_providers.sdk import load
from sandloop_providers.server_models import on_this_machine, served_models, shown

if TYPE_CHECKING:
    from openai import AsyncOpenAI

OURS = ("model", "messages", "stream", "stream_options", "n")
TOOLS_PARAMETER, PICTURES_PARAMETER = "tools", "pictures"
"""The two parameters that are ours: offer tools, and show made pictures."""
CLOSE_SECONDS = 1.0
NO_KEY = "none"
"""Servers without keys get a word: the SDK refuses to start without one."""
log = logging.getLogger("sandloop")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """One chat-completions server, and how it differs."""

    name: str
    title: str
    """For messages."""
    address: str
    """With `/v1`, or whatever stands before `/chat/completions`."""
    key: str = field(default=NO_KEY, repr=False)
    key_variables: tuple[str, ...] = ()
    shape: Shape = field(default_factory=Shape)
    sends_back: tuple[str, ...] = ()
    """Fields of reasoning that the server wants to see again."""
    sees_pictures: bool = False
    prices: str | None = None
    """The server's name in the price list; None: what a token costs there is unknown."""
    reports_cost: bool = False
    """`usage.cost` holds US dollars."""
    cuts_silently: bool = False
    """A conversation that is longer than the server's context is cut there, and nobody is told: Ollama."""
    keeps_environment: bool = False
    """OpenAI's own server: the SDK's organisation and header variables are meant for it and for no other."""
    no_model: str = "Name one as 'PROVIDER:MODEL'"
    """What to do when the server lists no model."""


class Chat:
    """A model behind chat completions. One object serves one session: it remembers what the server refused."""

    def __init__(self, server: Server, *, model: str | None, parameters: Mapping[str, Any] = {}) -> None:
        self.name, self.model = server.name, model or ""
        self._server = server
        self._parameters = checked(parameters)
        self._shape = replace(server.shape, tools=server.shape.tools and parameters.get(TOOLS_PARAMETER) is not False)
        self._sees_pictures = bool(parameters.get(PICTURES_PARAMETER, server.sees_pictures))
        self._begins_inside = False
        self._watch = Watch() if server.cuts_silently else None
        self._client: AsyncOpenAI | None = None

    async def capabilities(self) -> Capabilities:
        """It runs no code. A server on this machine is asked for its first model when none was named."""
        await self._find_model()
        return Capabilities(
            runs_code=False, runs_code_why=f"{self._server.title} runs no code itself", sees_pictures=self._sees_pictures
        )

    async def reply(self, history: Sequence[Event], turn: Turn) -> AsyncGenerator[Event]:
        """One reply, streamed. What the server says it doesn't take is left out from then on, and the reply asked for again."""
        await load("openai")
        if not await self._find_model():
            raise self._no_model()
        messages, note = await self._fitted(history, turn)
        if note is not None:
            yield Noted(about="provider", text=note)
        while True:
            reading = Reading(begins_inside=self._begins_inside, sends_back=self._server.sends_back)
            fault: Fault | None = None
            body = await self._body(messages, turn)
            try:
                async with sent(self._opened(), body) as (repeated, chunks):
                    if repeated:
                        yield Retried(reason=f"{self._server.title} did not answer at first, so the request was sent again")
                    async for chunk in chunks:
                        for event in reading.take(chunk):
                            yield event
            except Exception as error:
                fault = fault_of(error)
            less = None if fault is None or reading.began or fault.generated else narrowed(self._shape, fault.status, fault.said)
            if less is None:
                break
            self._shape, why = less
            yield Retried(reason=f"{self._server.title} refused the request: {why}")
        for event in reading.end():
            yield event
        if (usage := reading.usage()) is not None:
            yield await self._priced(usage, reading)
            if self._watch is not None and (note := self._watch.cut(chars_of(body["messages"]), usage.input_tokens)) is not None:
                yield Noted(about="provider", text=note)
        if fault is not None and fault.generated is not None and not reading.began:
            # The model's call was no valid call, so the server gave it as text; code is found in it like in any text.
            yield Text(text=fault.generated)
            reading = Reading(finish="stop", model=self.model)
            for _ in reading.content.feed(fault.generated):
                pass
        elif reading.finish is None:
            raise self._error(fault or Fault("connection", "the reply broke off in the middle"))
        elif fault is not None:
            yield Noted(about="provider", text=f"After the reply had ended, {self._error(fault)}")
        self._begins_inside = self._begins_inside or reading.content.closed_unopened
        yield reading.ended()

    async def close(self) -> None:
        """Close the connections. Nothing was uploaded."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await client.close()
        except Exception as error:  # closing never raises
            log.warning("closing the connection to %s: %s", self._server.title, type(error).__name__)

    async def listed(self) -> list[str]:
        """The models that the server lists. Raises a `ProviderError`."""
        try:
            await load("openai")
            page = await self._opened().with_options(max_retries=0, timeout=15).models.list()
        except Exception as error:
            raise self._error(fault_of(error)) from None
        return [str(model.id) for model in page.data]

    async def _find_model(self) -> str:
        if not self.model and on_this_machine(self._server.address):
            self.model = next(iter(await served_models(self._server.address, self._server.key)), "")
        return self.model

    def _no_model(self) -> Exception:
        server = self._server
        return UsageError(f"{server.title} at {shown(server.address)} lists no model, or does not answer. {server.no_model}.")

    def _opened(self) -> AsyncOpenAI:
        if self._client is None:
            self._client = open_client(self._server.address, self._server.key, keeps_environment=self._server.keeps_environment)
        return self._client

    async def _fitted(self, history: Sequence[Event], turn: Turn) -> tuple[Sequence[Message], str | None]:
        """The conversation as long as may be sent, and a note when the server's own context made it shorter."""
        everything = conversation(history)
        messages = fitted(everything, turn.limits.context_tokens)
        if self._watch is None:
            return messages, None
        if self._watch.context is None:
            self._watch.context = await context_of(self._server.address, self.model)
        context = self._watch.context
        if context is None or (shorter := fitted(everything, min(room(context), turn.limits.context_tokens))) == messages:
            return messages, None
        return shorter, self._watch.shortened()

    async def _body(self, messages: Sequence[Message], turn: Turn) -> dict[str, Any]:
        shape = self._shape
        pictures = await picture_urls(messages, turn) if turn.show_pictures and self._sees_pictures else {}
        body: dict[str, Any] = {
            "model": self.model,
            "messages": to_wire(messages, tools=shape.tools, system_role=shape.system_role, pictures=pictures),
            "stream": True,
        }
        if shape.bound is not None:
            body[shape.bound] = turn.limits.reply_tokens
        if shape.asks_usage:
            body["stream_options"] = {"include_usage": True}
        if shape.tools:
            body["tools"] = client_tools()
        return {**body, "extra_body": dict(self._parameters)}

    async def _priced(self, usage: Usage, reading: Reading) -> Usage:
        """The usage with what it cost: as the server says, else from the price list, else unknown."""
        usage = replace(usage, model=usage.model or self.model)
        if self._server.reports_cost and (cost := reported_cost(reading.reported or {})) is not None:
            return replace(usage, cost=cost)
        if self._server.prices is None:
            return usage
        return await priced(usage, provider=self._server.prices, model=self.model)

    def _error(self, fault: Fault) -> Exception:
        server = self._server
        return error_of(
            fault,
            title=server.title,
            model=self.model,
            address=shown(server.address),
            key="" if server.key == NO_KEY else server.key,
            variables=server.key_variables,
        )


async def picture_urls(messages: Sequence[Message], turn: Turn) -> dict[str, str]:
    """The newest made pictures as data URLs. One that is gone from disk is left out: the text beside it names the file."""
    found: dict[str, str] = {}
    for made in newest_pictures(messages):
        path = anyio.Path(turn.sink.path(made.sha256))
        if await path.is_file():
            found[made.sha256] = f"data:{made.mime};base64,{base64.b64encode(await path.read_bytes()).decode()}"
    return found


def checked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """What goes into the request's body: those of `extra_body` too, and none that is ours. Raises `BadSetting`."""
    for name in (TOOLS_PARAMETER, PICTURES_PARAMETER):
        if not isinstance(parameters.get(name, True), bool):
            raise BadSetting(name=f"parameters.{name}", why=f"is {parameters[name]!r}, but must be true or false")
    extra = parameters.get("extra_body", {})
    if not isinstance(extra, Mapping):
        raise BadSetting(name="parameters.extra_body", why="must be a table")
    ours = (TOOLS_PARAMETER, PICTURES_PARAMETER, "extra_body")
    body = {**{k: v for k, v in parameters.items() if k not in ours}, **cast("Mapping[str, Any]", extra)}
    for name in body:
        if name in OURS:
            raise BadSetting(name=f"parameters.{name}", why="is set by sandloop itself")
    return body


def reported_cost(usage: Mapping[str, Any]) -> float | None:
    """US dollars as OpenRouter reports them. With a key of the user's own at the vendor, the vendor's bill comes on top."""
    cost = _dollars(usage.get("cost"))
    if cost is None or usage.get("is_byok") is not True:
        return cost
    details = usage.get("cost_details")
    upstream = _dollars(cast("Mapping[str, Any]", details).get("upstream_inference_cost")) if isinstance(details, Mapping) else None
    return None if upstream is None else cost + upstream


def _dollars(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e6 else None
