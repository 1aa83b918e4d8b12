"""Gemini's managed environments: files in, files out, state kept, behind a setting, since Google calls them experimental.

An agent of Google's works in an environment of ours, made without network and with the input files in it, and deleted at the end.
Wire as in google-genai 3.6: `POST /environments`, `POST /interactions`, `GET /environments/ID/files`, `DELETE /environments/ID`.
"""

from __future__ import annotations

import base64
import json
import logging
import posixpath
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import anyio

from sandloop.conversation import Asked, Message, Ran, Said
from sandloop.errors import BadFile
from sandloop.events import CodeRan, CodeWritten, Event, FileMade, Noted, ReplyEnded, ReplyStop, Text, Thinking, Usage
from sandloop.ports import LocalFile, Turn
from sandloop_providers.plain_http import Fault, Http
from sandloop_providers.remote_runs import error_in, head_and_tail
from sandloop_providers.untrusted import mapping, rows, text

FAMILY = "gemini-environment"
AGENT = "antigravity-preview-09-2026"
FOLDER = "workspace"
INPUT_BYTES = 10_000_000
"""Of all inputs: they go inline into the request that makes the environment."""
MAX_LISTED = 500
CHUNK = 256 * 1024
log = logging.getLogger("sandloop")


class Environment:
    """One session's environment at Google."""

    def __init__(self, http: Http, version: str, *, agent: str) -> None:
        self._http, self._version, self._agent = http, version, agent
        self.id = self._previous = ""
        self._inside: set[str] = set()
        self._seen: dict[str, str] = {}
        """Size and time of each file of the environment, by its path."""

    async def ready(self, files: Sequence[LocalFile]) -> None:
        """An environment with all files in it. New files need a new one, since none can be put into the old. Raises `Fault`."""
        names = {local.file.name for local in files}
        if self.id and names <= self._inside:
            return
        if sum(local.file.size for local in files) > INPUT_BYTES:
            raise Fault("status", f"the files are over {INPUT_BYTES} bytes, which an environment does not take", status=413)
        await self.delete()
        sources = [
            {
                "type": "inline",
                "target": f"{FOLDER}/{local.file.name}",
                "encoding": "base64",
                "content": base64.b64encode(await anyio.Path(local.path).read_bytes()).decode(),
            }
            for local in files
        ]
        made, _ = await self._http.call("POST", f"/{self._version}/environments", json={"network": "disabled", "sources": sources})
        self.id = text(made.get("id"))
        if not self.id:
            raise Fault("unreadable", "a request for an environment was answered without an id")
        self._inside, self._previous = names, ""
        self._seen = {path: mark async for path, mark in self._listed()}

    async def ask(self, messages: Sequence[Message]) -> Mapping[str, Any]:
        """One interaction, whole. Raises `Fault`."""
        body: dict[str, Any] = {"agent": self._agent, "environment": self.id, "input": _input(messages, whole=not self._previous)}
        if self._previous:
            body["previous_interaction_id"] = self._previous
        answer, _ = await self._http.call("POST", f"/{self._version}/interactions", json=body, again=False)
        self._previous = text(answer.get("id")) or self._previous
        return answer

    async def made(self, code_id: str | None, turn: Turn) -> AsyncGenerator[FileMade | Noted]:
        """Files that are new or changed since the last look. A file that can't be had is noted and stops nothing."""
        try:
            now = {path: mark async for path, mark in self._listed()}
        except Fault as fault:
            yield Noted(about="file", text=f"The environment's files could not be listed: {fault.said}.")
            return
        changed = [path for path, mark in now.items() if self._seen.get(path) != mark]
        before, self._seen = self._seen, now
        for path in changed[: turn.limits.files]:
            yield await self._fetch(path, code_id, path in before, turn)
        if (left := len(changed) - turn.limits.files) > 0:
            yield Noted(about="file", text=f"{left} more made files were not brought back: the limit is {turn.limits.files}.")

    async def _listed(self) -> AsyncGenerator[tuple[str, str]]:
        token, count = "", 0
        while count < MAX_LISTED:
            params = {"page_token": token} if token else {}
            page, _ = await self._http.call("GET", f"/{self._version}/environments/{self.id}/files/{FOLDER}", params=params)
            for row in rows(page.get("files")):
                path, count = text(row.get("path")) or text(row.get("name")), count + 1
                if row.get("type") in ("file", None) and path:
                    yield path, f"{row.get('size_bytes')} {row.get('modified')}"
            token = text(page.get("next_page_token"))
            if not token:
                return

    async def _fetch(self, path: str, code_id: str | None, known: bool, turn: Turn) -> FileMade | Noted:
        name = posixpath.relpath(path, FOLDER) if path.startswith(f"{FOLDER}/") else posixpath.basename(path)
        address = f"/{self._version}/environments/{self.id}/files/{quote(path)}"
        try:
            async with self._http.sent("GET", address, params={"alt": "media"}) as (_, response):
                chunks: Any = response.aiter_bytes(CHUNK)
                return await turn.sink.add(name, chunks, code_id=code_id, change="changed" if known else "new")
        except BadFile as error:
            return Noted(about="file", text=str(error))
        except Fault as fault:
            return Noted(about="file", text=f"{name!r} was not brought back: {fault.said}.")

    async def delete(self) -> None:
        """Delete the environment, if there is one. What can't be deleted is logged."""
        gone, self.id = self.id, ""
        if gone:
            try:
                await self._http.call("DELETE", f"/{self._version}/environments/{gone}")
            except Fault as fault:
                if fault.status != 404:
                    log.warning("Gemini did not delete the environment %s: %s", gone, fault.kind)


def _as_text(message: Message) -> str:
    match message:
        case Asked(text=text):
            return text
        case Said(narrated=narrated):
            return narrated
        case Ran(results=results):
            return "\n\n".join(result.text for result in results)


def _input(messages: Sequence[Message], *, whole: bool) -> str:
    """The newest question; all that was said before it as well, where the server does not know it."""
    now = max((i for i, m in enumerate(messages) if isinstance(m, Asked)), default=0)
    said = [_as_text(m) for m in messages[:now]] if whole else []
    asked = [m.text for m in messages[now:] if isinstance(m, Asked)]
    rules = (
        [f"The user's files are in the folder {FOLDER}. Write files for the user there, too. Compute; never guess."]
        if whole
        else []
    )
    return "\n\n".join([*rules, *filter(None, said), *asked])


def read(answer: Mapping[str, Any], kept: int) -> Iterator[Event]:
    """The events of an interaction, but for its end. `kept` bounds stdout and stderr of a cell, in bytes."""
    for step in rows(answer.get("steps")):
        match step.get("type"):
            case "code_execution_call":
                arguments = mapping(step.get("arguments"))
                bash = text(arguments.get("language")).lower() == "bash"
                yield CodeWritten(
                    code_id=text(step.get("id")),
                    language="bash" if bash else "python",
                    source=text(arguments.get("code")),
                    origin="provider",
                )
            case "code_execution_result":
                yield _ran(step, kept)
            case "model_output":
                if said := _said(step):
                    yield Text(text=said)
            case "thought":
                if thought := "".join(text(part.get("text")) for part in rows(step.get("summary"))):
                    yield Thinking(text=thought)
            case _:
                pass


def _ran(step: Mapping[str, Any], kept: int) -> CodeRan:
    result = step.get("result")
    output, cut = head_and_tail(text(result) or "".join(text(part.get("text")) for part in rows(result)), kept)
    code_id = text(step.get("call_id"))
    if step.get("is_error") is True:
        return CodeRan(code_id=code_id, exit_code=1, stderr=output, stderr_cut=cut, error=error_in(output))
    return CodeRan(code_id=code_id, exit_code=0, stdout=output, stdout_cut=cut)


def _said(step: Mapping[str, Any]) -> str:
    return "".join(text(part.get("text")) for part in rows(step.get("content")) if part.get("type") == "text")


def usage_of(answer: Mapping[str, Any], model: str) -> Usage | None:
    """The tokens of an interaction; None when nothing was counted."""
    found = mapping(answer.get("usage"))
    count = {name: value for name, value in found.items() if isinstance(value, int) and value > 0}
    if not count:
        return None
    thoughts = count.get("total_thought_tokens", 0)
    return Usage(
        model=model,
        input_tokens=count.get("total_input_tokens", 0) + count.get("total_tool_use_tokens", 0),
        output_tokens=count.get("total_output_tokens", 0) + thoughts,
        cached_tokens=count.get("total_cached_tokens", 0),
        reasoning_tokens=thoughts,
    )


def ended(answer: Mapping[str, Any], model: str, container: str) -> ReplyEnded:
    """The reply as a whole."""
    said = [_said(step) for step in rows(answer.get("steps")) if step.get("type") == "model_output"]
    status = text(answer.get("status"))
    stop: ReplyStop = "length" if status in ("incomplete", "budget_exceeded") else "end"
    return ReplyEnded(
        stop=stop,
        text="\n\n".join(part for part in said if part.strip()),
        model=model,
        family=FAMILY,
        wire=json.dumps({"interaction": text(answer.get("id"))}),
        container=container,
    )


def check(answer: Mapping[str, Any]) -> None:
    """Raises `Fault` for an interaction that did not come to its end."""
    status = text(answer.get("status"))
    if status in ("failed", "cancelled", "requires_action"):
        said = text(mapping(answer.get("error")).get("message")) or f"the interaction is {status}"
        raise Fault("status", said, status=500 if status == "failed" else 400)
    if not isinstance(answer.get("steps"), list):
        raise Fault("unreadable", "an interaction was answered without steps")
