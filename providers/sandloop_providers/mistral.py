"""Mistral: its code interpreter through the Conversations API for questions without data files, chat completions for all else.

There is no documented way to give the interpreter a file, so files go to the local route; small texts may go along in the question
when `native` is asked for. Plain HTTP: the SDK raises on any answer that it does not know exactly.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

import anyio

from sandloop.context import fitted
from sandloop.conversation import conversation
from sandloop.errors import BadFile, BadReply, NativeUnavailable, ProviderError, Unreachable
from sandloop.events import Event, FileMade, Noted, Retried
from sandloop.ports import Capabilities, Turn
from sandloop_providers.chat import Chat
from sandloop_providers.http_errors import by_status, plain
from sandloop_providers.mistral_stream import ENDS, INTERPRETER, NATIVE_RULES, Reading, ToolFile, native_inputs
from sandloop_providers.plain_http import Fault, Http, events
from sandloop_providers.prices import priced
from sandloop_providers.server_models import shown

NAME = "Mistral"
TEXT_BYTES = 100_000
"""Of all texts that go along in a question."""
_NO_TOOL = re.compile(r"code.?interpreter|connector|\btools?\b|conversation", re.IGNORECASE)
CHUNK = 256 * 1024
log = logging.getLogger("sandloop")


class Mistral:
    """A Mistral model. One object serves one session."""

    name = "mistral"

    def __init__(
        self, *, model: str, address: str, key: str, variables: tuple[str, ...], chat: Chat, parameters: Mapping[str, Any]
    ) -> None:
        self.model = model
        self._key, self._variables, self._chat, self._parameters = key, variables, chat, dict(parameters)
        self._http = Http(address, {"Authorization": f"Bearer {key}"})
        self._made: list[str] = []

    async def capabilities(self) -> Capabilities:
        """By its documentation: it runs code, and takes no data files."""
        return Capabilities(runs_code=True, total_bytes=TEXT_BYTES, auto_bytes=0, returns_files=False)

    async def reply(self, history: Sequence[Event], turn: Turn) -> AsyncGenerator[Event]:
        """One reply, streamed. On the native route, once anything of it has come, the request is never sent again."""
        if not turn.native:
            async with aclosing(self._chat.reply(history, turn)) as local:
                async for event in local:
                    yield event
            return
        reading, fault = Reading(output_kept=turn.limits.output_kept, model=self.model), None
        body = {
            "model": self.model,
            "instructions": NATIVE_RULES,
            "inputs": native_inputs(fitted(conversation(history), turn.limits.context_tokens), await _texts(turn)),
            "tools": [{"type": INTERPRETER}],
            "store": False,
            "stream": True,
            "completion_args": {"max_tokens": turn.limits.reply_tokens, **self._parameters},
        }
        try:
            async with self._http.sent("POST", "/conversations", json=body) as (repeated, response):
                if repeated:
                    yield Retried(
                        reason=f"{NAME} did not answer at first, so the request was sent again; its code may have run twice"
                    )
                async for wire in events(response, ENDS):
                    for event in reading.take(wire):
                        yield event
        except Fault as error:
            fault = error
        if (usage := reading.usage()) is not None:
            yield await priced(usage, provider="mistral", model=self.model)
        for file in reading.files[: turn.limits.files]:
            yield await self._fetch(file, turn)
        if fault is None and not reading.over:
            fault = Fault("connection", "the reply broke off")
        if fault is not None:
            raise self._error(fault, reading)
        yield reading.ended()

    async def close(self) -> None:
        """Delete the files that its code made, and close the connections."""
        try:
            with anyio.move_on_after(10, shield=True):
                for file_id in self._made:
                    await self._http.call("DELETE", f"/files/{file_id}")
        except Fault as fault:
            log.warning("%s did not delete a file: %s", NAME, fault.kind)
        self._made = []
        with anyio.move_on_after(1, shield=True):
            await self._http.close()
        await self._chat.close()

    async def _fetch(self, file: ToolFile, turn: Turn) -> FileMade | Noted:
        try:
            async with self._http.sent("GET", f"/files/{file.file_id}/content") as (_, response):
                self._made.append(file.file_id)
                chunks: Any = response.aiter_bytes(CHUNK)
                return await turn.sink.add(file.name, chunks, code_id=file.code_id)
        except BadFile as error:
            return Noted(about="file", text=str(error))
        except Fault as fault:
            return Noted(about="file", text=f"{file.name!r} was not brought back: {plain(fault.said, self._key)}.")

    def _error(self, fault: Fault, reading: Reading) -> ProviderError:
        said = plain(fault.said, self._key)
        if reading.cells:
            said += f"; {reading.cells} pieces of code may have run by then, and asking again runs them again"
        if fault.kind == "connection":
            return Unreachable(provider=NAME, address=shown(self._http.address), said=said)
        if fault.kind == "unreadable":
            return BadReply(provider=NAME, said=said)
        if not reading.cells and fault.status in (400, 404, 422) and _NO_TOOL.search(said):
            return NativeUnavailable(provider=NAME, said=said)
        return by_status(fault.status, provider=NAME, model=self.model, said=said, variables=self._variables, wait=fault.wait)


async def _texts(turn: Turn) -> dict[str, str]:
    """The text files of the session. Raises `NativeUnavailable` for one that is no text."""
    found: dict[str, str] = {}
    for local in turn.files:
        try:
            found[local.file.name] = (await anyio.Path(local.path).read_bytes()).decode("utf-8")
        except UnicodeDecodeError:
            raise NativeUnavailable(
                provider=NAME, said=f"{local.file.name!r} is no text, and its interpreter takes no files"
            ) from None
        except OSError as error:
            why = f"can't be read: {error.strerror or error}"
            raise BadFile(name=local.file.name, why=why, do="Check that it is still there") from error
    return found
