"""Google Gemini through `generateContent`: its own code execution on the native route, client tools on the local one.

This file only sends. `gemini_wire` says what, `gemini_stream` reads what comes back, `gemini_files` moves files in. Plain HTTP: the
SDK's classes lose the parts they do not know, and parts must go back as they came.
"""

from __future__ import annotations

import base64
import logging
import os
import re
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from typing import Any

import anyio

from sandloop.context import fitted
from sandloop.conversation import Message, conversation
from sandloop.errors import BadFile, BadReply, BadSetting, KeyRefused, MissingKey, NativeUnavailable, ProviderError, Unreachable
from sandloop.events import CodeWritten, Event, FileMade, Noted, Retried
from sandloop.limits import MB
from sandloop.ports import Capabilities, ModelChoice, ProviderAbout, Turn
from sandloop.settings.hidden import quoted, shown_address
from sandloop_providers import gemini_environment as environment
from sandloop_providers import gemini_wire as wire
from sandloop_providers.chat_wire import newest_pictures
from sandloop_providers.gemini_files import RemoteFiles
from sandloop_providers.gemini_stream import Reading
from sandloop_providers.http_errors import by_status, plain
from sandloop_providers.plain_http import Fault, Http, events
from sandloop_providers.prices import priced
from sandloop_providers.remote_runs import PICTURE_TYPES, Inline
from sandloop_providers.server_models import shown
from sandloop_providers.untrusted import mapping, rows, text

NAME = "Gemini"
KEY_VARIABLES = ("GOOGLE_API_KEY", "GEMINI_API_KEY")
ADDRESS = "https://generativelanguage.googleapis.com"
DEFAULT_MODEL = "gemini-flash-latest"
TEXTS = ("text/", "application/json")
TEXT_BYTES = 1 * MB
"""Inputs count as tokens: more than this would fill the window of the smaller models."""
ENVIRONMENT_PARAMETER = "environment"
"""Ours: true, or the name of an agent: run code in a managed environment, which Google calls experimental."""
OURS = ("contents", "tools", "systemInstruction")
CLOSE_SECONDS = 10.0
_NO_TOOL = re.compile(r"code.?execution|\btool|mime|file|unsupported", re.IGNORECASE)
_NO_FUNCTIONS = re.compile(r"function.?(?:calling|declaration)|\btools?\b.*not supported", re.IGNORECASE)
_BAD_KEY = re.compile(r"API.?key", re.IGNORECASE)
log = logging.getLogger("sandloop")


class Gemini:
    """A Gemini model. One object serves one session."""

    name = "gemini"

    def __init__(self, *, model: str, address: str, version: str, key: str, parameters: Mapping[str, Any]) -> None:
        self.model = model
        self._key, self._version, self._parameters = key, version, dict(parameters)
        self._http = Http(address, {"x-goog-api-key": key})
        self._files = RemoteFiles(self._http, version)
        agent = self._parameters.pop(ENVIRONMENT_PARAMETER, False)
        name = agent if isinstance(agent, str) else environment.AGENT
        self._environment = environment.Environment(self._http, version, agent=name) if agent else None
        self._tools = True
        self._figures = 0

    async def capabilities(self) -> Capabilities:
        """By its documentation: text in, pictures out, 30 seconds a run, nothing kept between questions; an environment takes and
        gives any file."""
        if self._environment is not None:
            return Capabilities(runs_code=True, total_bytes=environment.INPUT_BYTES, sees_pictures=True)
        return Capabilities(runs_code=True, auto_bytes=TEXT_BYTES, auto_types=TEXTS, returns_files=False, sees_pictures=True)

    async def reply(self, history: Sequence[Event], turn: Turn) -> AsyncGenerator[Event]:
        """One reply, streamed. Once anything of it has come, the request is never sent again."""
        messages = fitted(conversation(history), turn.limits.context_tokens)
        if turn.native and self._environment is not None:
            async for event in self._managed(self._environment, messages, turn):
                yield event
            return
        while True:
            reading = Reading(family=wire.NATIVE if turn.native else wire.LOCAL, output_kept=turn.limits.output_kept)
            fault: Fault | None = None
            try:
                if turn.native:
                    await self._files.ready(turn.files)
                path = f"/{self._version}/models/{self.model}:streamGenerateContent"
                body = await self._body(messages, turn)
                async with self._http.sent("POST", path, params={"alt": "sse"}, json=body) as (repeated, response):
                    if repeated:
                        yield Retried(reason=f"{NAME} did not answer at first, so the request was sent again")
                    async for chunk in events(response):
                        for event in reading.take(chunk):
                            yield event
            except Fault as error:
                fault = error
            if (
                fault is None
                or reading.began
                or turn.native
                or not (self._tools and fault.status == 400 and _NO_FUNCTIONS.search(fault.said))
            ):
                break
            self._tools = False
            yield Retried(reason=f"{NAME} refused the request: this model takes no tools, so code is asked for in fenced blocks")
        async for event in self._end(reading, turn):
            yield event
        if fault is None and not reading.over:
            fault = Fault("connection", "the reply broke off")
        if fault is not None:
            raise self._error(fault, reading, native=turn.native)
        yield reading.ended()

    async def _managed(self, place: environment.Environment, messages: Sequence[Message], turn: Turn) -> AsyncGenerator[Event]:
        """One reply of Google's agent in an environment of ours. It comes whole, and is never asked for twice."""
        try:
            await place.ready(turn.files)
            answer = await place.ask(messages)
            environment.check(answer)
        except Fault as fault:
            raise self._error(fault, Reading(family=wire.NATIVE, output_kept=0), native=True) from None
        last: str | None = None
        for event in environment.read(answer, turn.limits.output_kept):
            last = event.code_id if isinstance(event, CodeWritten) else last
            yield event
        if (usage := environment.usage_of(answer, self.model)) is not None:
            yield await priced(usage, provider="google", model=self.model)
        async for made in place.made(last, turn):
            yield made
        yield environment.ended(answer, self.model, place.id)

    async def _end(self, reading: Reading, turn: Turn) -> AsyncGenerator[Event]:
        for event in reading.unanswered():
            yield event
        if (usage := reading.usage()) is not None:
            yield await priced(usage, provider="google", model=self.model)
        for picture in reading.pictures[: turn.limits.files]:
            yield await self._made(picture, turn)

    async def close(self) -> None:
        """Delete the uploads within 10 seconds, also while being cancelled."""
        try:
            with anyio.move_on_after(CLOSE_SECONDS, shield=True):
                await self._files.delete_all()
                if self._environment is not None:
                    await self._environment.delete()
            with anyio.move_on_after(1, shield=True):
                await self._http.close()
        except Exception as error:  # closing never raises
            log.warning("closing the connection to %s: %s", NAME, type(error).__name__)

    async def listed(self) -> list[str]:
        """The models that the account may use. Raises a `ProviderError`."""
        try:
            body, _ = await self._http.call("GET", f"/{self._version}/models", params={"pageSize": "200"})
        except Fault as fault:
            raise self._error(fault, Reading(family=wire.LOCAL, output_kept=0), native=False) from None
        return [text(row.get("name")).removeprefix("models/") for row in rows(body.get("models"))]

    async def _body(self, messages: Sequence[Message], turn: Turn) -> dict[str, Any]:
        if turn.native:
            body = wire.native_request(messages, self._files.parts)
        else:
            pictures = await _pictures(messages, turn) if turn.show_pictures else {}
            body = wire.local_request(messages, pictures, tools=self._tools)
        generation = {"maxOutputTokens": turn.limits.reply_tokens, **mapping(self._parameters.get("generationConfig"))}
        return {**self._parameters, **body, "generationConfig": generation}

    async def _made(self, picture: Inline, turn: Turn) -> FileMade | Noted:
        self._figures += 1

        async def once() -> AsyncIterator[bytes]:
            yield picture.data

        try:
            return await turn.sink.add(
                f"figure-{self._figures}.{PICTURE_TYPES[picture.mime]}", once(), code_id=picture.code_id or None
            )
        except BadFile as error:
            return Noted(about="file", text=str(error))

    def _error(self, fault: Fault, reading: Reading, *, native: bool) -> ProviderError:
        said = plain(fault.said, self._key)
        if reading.cells:
            said += f"; {reading.cells} pieces of code may have run by then, and asking again runs them again"
        if fault.kind == "connection":
            return Unreachable(provider=NAME, address=shown(self._http.address), said=said)
        if fault.kind == "unreadable":
            return BadReply(provider=NAME, said=said)
        if fault.status == 400 and _BAD_KEY.search(said):
            return KeyRefused(provider=NAME, said=said, variables=KEY_VARIABLES)
        if native and not reading.cells and fault.status in (400, 413, 422) and _NO_TOOL.search(said):
            return NativeUnavailable(provider=NAME, said=said)
        return by_status(fault.status, provider=NAME, model=self.model, said=said, variables=KEY_VARIABLES, wait=fault.wait)


async def _pictures(messages: Sequence[Message], turn: Turn) -> dict[str, wire.Part]:
    """The newest made pictures as parts. One that is gone from disk is left out: the text beside it names the file."""
    found: dict[str, wire.Part] = {}
    for made in newest_pictures(messages):
        path = anyio.Path(turn.sink.path(made.sha256))
        if await path.is_file():
            data = base64.b64encode(await path.read_bytes()).decode()
            found[made.sha256] = {"inlineData": {"mimeType": made.mime, "data": data}}
    return found


class _Factory:
    """What the entry point names: opens a Gemini model, without a request."""

    key_variables: tuple[str, ...] = KEY_VARIABLES
    default_model: str | None = DEFAULT_MODEL
    about = ProviderAbout(
        title="Google Gemini",
        native="code execution, pictures back",
        limits="30 s a run, text inputs up to 1 MB, no other files back, no state between questions",
    )

    async def listed(self, choice: ModelChoice) -> list[str]:
        """The models that the account may use. Raises a `ProviderError`."""
        gemini = self(choice)
        try:
            return await gemini.listed()
        finally:
            await gemini.close()

    def __call__(self, choice: ModelChoice) -> Gemini:
        address = (choice.base_url or os.environ.get("GOOGLE_GEMINI_BASE_URL") or ADDRESS).rstrip("/")
        if not address.startswith(("http://", "https://")):
            why = f"is {quoted(shown_address(address))}, but must begin with http:// or https:// and name a host"
            raise BadSetting(name="base_url", why=why)
        key = choice.key or next((v for name in KEY_VARIABLES if (v := os.environ.get(name))), None)
        if not key:
            raise MissingKey(provider=NAME, variables=KEY_VARIABLES)
        for name in choice.parameters:
            if name in OURS:
                raise BadSetting(name=f"parameters.{name}", why="is set by sandloop itself")
        if not isinstance(choice.parameters.get(ENVIRONMENT_PARAMETER, True), bool | str):
            raise BadSetting(name="parameters.environment", why="must be true, or the name of an agent")
        return Gemini(
            model=(choice.model or DEFAULT_MODEL).removeprefix("models/"),
            address=address,
            version=os.environ.get("GOOGLE_GENAI_API_VERSION") or "v1",
            key=key,
            parameters=choice.parameters,
        )


gemini = _Factory()
