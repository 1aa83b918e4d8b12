"""Claude through the Anthropic Messages API: its own code execution on the native route, client tools on the local one.

This file only sends. `anthropic_wire` says what, `anthropic_stream` and `anthropic_blocks` read what comes back,
`anthropic_files` moves files, `anthropic_errors` names what goes wrong.
"""

from __future__ import annotations

import base64
import logging
import time
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import anyio

from sandloop.context import fitted
from sandloop.conversation import Asked, Message, conversation
from sandloop.errors import NativeUnavailable
from sandloop.events import CodeRan, CodeWritten, Event, Noted, ReplyEnded, Retried
from sandloop.ports import Capabilities, ModelChoice, ProviderAbout, Turn
from sandloop.prompts import NATIVE_RULES, local_instructions
from sandloop_providers import anthropic_wire as wire
from sandloop_providers.anthropic_client import (
    SKILLS_PARAMETER,
    TOOL_PARAMETER,
    Decoder,
    address_of,
    ask_capabilities,
    assumed,
    checked,
    credential_of,
    http_client,
    sent,
    shown,
)
from sandloop_providers.anthropic_errors import KEY_VARIABLES, NAME, Fault, error_of, fault_of
from sandloop_providers.anthropic_files import RemoteFiles
from sandloop_providers.anthropic_inputs import found, looked
from sandloop_providers.anthropic_stream import Reading
from sandloop_providers.container_time import ANTHROPIC, ContainerClock
from sandloop_providers.prices import priced
from sandloop_providers.sdk import load

if TYPE_CHECKING:
    from anthropic import AsyncAnthropic

log = logging.getLogger("sandloop")


class Claude:
    """A Claude model. One object serves one session: it keeps the uploads and knows which containers have died."""

    name = "anthropic"
    title = NAME
    variables: tuple[str, ...] = KEY_VARIABLES
    prices = "anthropic"
    close_seconds = 10.0
    """The bound of all that closing does."""

    def __init__(self, *, model: str, address: str, credential: Mapping[str, str], parameters: Mapping[str, Any]) -> None:
        self.model = model
        self._address, self._credential = address, credential
        self._key = next(iter(credential.values()))
        self._parameters = {k: v for k, v in parameters.items() if k not in (TOOL_PARAMETER, SKILLS_PARAMETER)}
        self._tool = str(parameters.get(TOOL_PARAMETER, wire.CODE_TOOL))
        self._skills = list(parameters.get(SKILLS_PARAMETER, ()))
        self._client: AsyncAnthropic | None = None
        self._can: Capabilities | None = None
        self._files = RemoteFiles(key=self._key, model=model, address=shown(address))
        self._dead: set[str] = set()
        self._clock = ContainerClock(ANTHROPIC)
        self._restarted: wire.Restart | None = None
        self._found: set[str] = set()
        """The input files that the code was seen to find."""

    async def capabilities(self) -> Capabilities:
        """Asked from the server; one that can't say is taken to run code. A refused key or model shows at the first reply."""
        if self._can is None:
            try:
                await load("anthropic")
                self._can = await ask_capabilities(self._opened(), self.model)
            except Exception as error:
                return assumed(fault_of(error, key=self._key).said)
        return self._can

    async def reply(self, history: Sequence[Event], turn: Turn) -> AsyncGenerator[Event]:
        """One reply, streamed. Once its code has begun to come, the request is never sent again: the error says what ran."""
        await load("anthropic")
        client, messages = self._opened(), fitted(conversation(history), turn.limits.context_tokens)
        container = self._container(history) if turn.native else None
        began = time.monotonic()
        uploaded_again, steps = False, list[Event]()
        while True:
            if turn.native:
                await self._files.upload(client, turn.files)
            family = wire.NATIVE if turn.native else wire.LOCAL
            reading = Reading(family=family, output_kept=turn.limits.output_kept)
            fault: Fault | None = None
            try:
                body = await self._body(messages, turn, container)
                async with sent(client, body, key=self._key, decoder=self._decoder()) as (repeated, wire_events):
                    if repeated:
                        yield Retried(reason=_repeated(self.title, repeated, native=turn.native))
                    async for wire_event in wire_events:
                        events = reading.take(wire_event)
                        self._files.remember(reading.outputs)
                        for event in events:
                            if isinstance(event, CodeWritten | CodeRan):
                                steps.append(event)
                            yield event
            except Exception as error:
                fault = fault_of(error, key=self._key)
            if fault is None or reading.began:
                break
            if turn.native and turn.files and fault.is_lost_upload and not uploaded_again:
                uploaded_again = True
                self._files.forget(fault.said)
                yield Retried(reason=f"{NAME} no longer had an uploaded file ({fault.said}); it was uploaded and asked about again")
            elif container is not None and fault.is_dead_container:
                yield self._restart(messages, container, fault)
                container = None
            else:
                break
        async for event in self._spent(reading, reading.container or container, began):
            yield event
        async for made in self._files.download(client, reading.outputs, turn):
            yield made
        if fault is None and not reading.over:
            fault = Fault("connection", "the reply broke off")
        if fault is None and turn.native:
            for noted in self._looked(steps, turn):
                yield noted
        if fault is not None:
            if reading.cells:
                fault.said += f"; {reading.cells} pieces of code may have run by then, and asking again runs them again"
            raise self._error(fault, native=turn.native)
        yield reading.ended(container=container)

    async def close(self) -> None:
        """Delete uploads and outputs within 10 seconds, also while being cancelled. A killed process can't: what it uploaded
        expires a day after its upload, and what code made there stays until the account's owner deletes it."""
        client, self._client = self._client, None
        if client is None:
            return
        try:
            with anyio.move_on_after(self.close_seconds, shield=True):
                await self._files.delete_all(client)
            with anyio.move_on_after(1, shield=True):
                await client.close()
        except Exception as error:  # closing never raises
            log.warning("closing the connection to %s: %s", NAME, type(error).__name__)

    async def listed(self) -> list[str]:
        """The models that the account may use. Raises a `ProviderError`."""
        try:
            await load("anthropic")
            page = await self._opened().with_options(max_retries=0, timeout=15).models.list(limit=100)
        except Exception as error:
            raise error_of(fault_of(error, key=self._key), model="", address=shown(self._address), native=False) from None
        return [str(model.id) for model in page.data]

    def _looked(self, steps: Sequence[Event], turn: Turn) -> Generator[Noted]:
        """Says when the code did not find the files. Raises `NativeUnavailable` when they are surely not there."""
        names = {local.file.name for local in turn.files} - self._found
        self._found |= found(steps, names)
        shows = looked(steps, names)
        if shows == "there":
            return
        listed = ", ".join(repr(name) for name in sorted(names))
        if shows == "doubtful":
            yield Noted(
                about="provider", text=f"{NAME}'s code did not find the uploaded files: {listed}. Check what the answer rests on."
            )
        else:
            yield Noted(about="provider", text=f"{NAME} took the uploaded files, but they are not in its container: {listed}.")
            raise NativeUnavailable(provider=NAME, said="it took the files, but its container does not hold them")

    def _opened(self) -> AsyncAnthropic:
        if self._client is None:
            from anthropic import AsyncAnthropic

            self._client = AsyncAnthropic(base_url=self._address, http_client=http_client(), **dict[str, Any](self._credential))
        return self._client

    def _decoder(self) -> Decoder | None:
        """How the stream is framed; None: server-sent events."""
        return None

    def _cached(self, body: dict[str, Any]) -> None:
        """Every step of the local route sends the conversation again, so it is kept at the server."""
        body["cache_control"] = {"type": "ephemeral"}

    def _error(self, fault: Fault, *, native: bool) -> Exception:
        return error_of(
            fault, model=self.model, address=shown(self._address), native=native, provider=self.title, variables=self.variables
        )

    def _container(self, history: Sequence[Event]) -> str | None:
        """The newest container of the conversation, unless it died."""
        ended = (e.container for e in reversed(history) if isinstance(e, ReplyEnded) and e.family == wire.NATIVE)
        newest = next((c for c in ended if c), None)
        return None if newest in self._dead else newest

    def _restart(self, messages: Sequence[Message], container: str, fault: Fault) -> Retried:
        """Ask the last question again without the dead container. A second death within one question ends the native route."""
        at = max(i for i, m in enumerate(messages) if isinstance(m, Asked))
        if self._restarted is not None and self._restarted.at == at:
            raise NativeUnavailable(provider=NAME, said=f"its container was lost twice: {fault.said}")
        self._dead.add(container)
        self._restarted = wire.Restart(at=at, until=len(messages))
        return Retried(
            reason=f"{NAME}'s container was gone ({fault.said}); the question was asked again in a new one with the input files, "
            "and variables and files of the old one are lost"
        )

    async def _body(self, messages: Sequence[Message], turn: Turn, container: str | None) -> dict[str, Any]:
        body: dict[str, Any] = {"model": self.model, "max_tokens": turn.limits.reply_tokens, "stream": True}
        if turn.native:
            body["system"] = NATIVE_RULES
            body["tools"] = [{"type": self._tool, "name": "code_execution"}]
            body["messages"] = wire.native_messages(messages, self._files.ids, self._restarted)
            if self._skills:
                body["container"] = {"skills": self._skills} | ({"id": container} if container is not None else {})
            elif container is not None:
                body["container"] = container
        else:
            body["system"] = local_instructions(tools=True)
            body["tools"] = wire.client_tools()
            body["messages"] = wire.local_messages(messages, await self._pictures(messages, turn))
            self._cached(body)
        return {**body, "extra_body": self._parameters}

    async def _pictures(self, messages: Sequence[Message], turn: Turn) -> dict[str, wire.Picture]:
        """The newest made pictures, read. One that is gone from disk is left out: the text beside it names the file."""
        found: dict[str, wire.Picture] = {}
        if not turn.show_pictures or (self._can is not None and not self._can.sees_pictures):
            return found
        for made in wire.newest_pictures(messages):
            path = anyio.Path(turn.sink.path(made.sha256))
            if await path.is_file():
                found[made.sha256] = wire.Picture(made.mime, base64.b64encode(await path.read_bytes()).decode())
        return found

    async def _spent(self, reading: Reading, container: str | None, began: float) -> AsyncGenerator[Event]:
        """The tokens of the reply, also of one that broke off."""
        usage = reading.usage()
        if usage is None:
            return
        if reading.list_price:
            usage = await priced(usage, provider=self.prices, model=self.model)
        if container:
            seconds, dollars = self._clock.used(container, began, time.monotonic())
            usage = replace(usage, container_seconds=seconds, container_cost=dollars)
        yield usage


def _repeated(title: str, times: int, *, native: bool) -> str:
    again = "once more" if times == 1 else f"{times} times more"
    lost = "; code of an attempt whose answer was lost may have run at the provider" if native else ""
    return f"{title} did not answer at first, so the request was sent {again}{lost}"


class _Factory:
    """What the entry point names: opens a Claude model, without a request."""

    key_variables: tuple[str, ...] = KEY_VARIABLES
    storable_keys: tuple[str, ...] = KEY_VARIABLES[:1]
    """The other one is a token, which is sent in another header."""
    default_model: str | None = "claude-sonnet-5-5"
    about = ProviderAbout(
        title="Anthropic Claude",
        native="code execution, with files",
        limits="500 MB a file, 90 s a cell, container kept for the session",
    )

    async def listed(self, choice: ModelChoice) -> list[str]:
        """The models that the account may use. Raises a `ProviderError`."""
        claude = self(choice)
        try:
            return await claude.listed()
        finally:
            await claude.close()

    def __call__(self, choice: ModelChoice) -> Claude:
        address = address_of(choice)
        return Claude(
            model=choice.model or "claude-sonnet-5-5",
            address=address,
            credential=credential_of(choice, address),
            parameters=checked(choice.parameters),
        )


anthropic = _Factory()
