"""`local`: an open model on this machine, without a key. `local` is a 1.5B coder model, `local:small` a 0.5B one.

Taken is the first of: a llama.cpp server or an Ollama that already runs with a fitting model; `llama-server` on PATH; the Python
package of the extra `local`. The last two start a server of our own with weights from the cache or the hub. Whichever it is, it is
spoken to as any other chat-completions server.
"""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio.to_thread

from sandloop.errors import BadSetting, MissingExtra, UnknownModel, Unreachable
from sandloop.events import Event, Noted
from sandloop.limits import MB
from sandloop.ports import Capabilities, ModelChoice, ProviderAbout, Turn
from sandloop_providers.catalog import Vendor, compatible, llamacpp, ollama
from sandloop_providers.chat import Chat, checked
from sandloop_providers.llama_server import LlamaServer, Program, find_program
from sandloop_providers.server_models import on_this_machine
from sandloop_providers.weights import KNOWN, SMALL, STANDARD, Weights, cache_folder, hub_address, kept, own_file
from sandloop_providers.weights_download import download

REPLY_TOKENS = 2_048
"""A small model that repeats itself never ends; at 15 tokens a second this is over two minutes."""
PARAMETERS: Mapping[str, Any] = {"temperature": 0}
"""Small models write fewer broken lines when they take the likeliest token."""
SMALL_PARAMETERS: Mapping[str, Any] = {**PARAMETERS, "tools": False}
"""Offered tools, the 0.5B model writes functions that return, as JSON with Python's triple quotes; fenced blocks it writes well.
The 1.5B model is offered them: without, it guesses a number first more often. Both seen in a few questions, not measured."""
OWN_PARAMETER = "weights"
PART_TOLD = 0.01
"""Progress of a download is told each time this part of it has come."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be used, and why in words for the user."""

    why: str
    running: Vendor | None = None
    address: str | None = None
    model: str = ""
    program: Program | None = None


async def make_plan(weights: Weights, *, own: bool, base_url: str | None, path: str | None = None) -> Plan:
    """The first way that is there. Starts nothing.

    Args:
        own: The user named a file of weights, so no server that already runs will do.
        path: Instead of the process's PATH.
    """
    if base_url is not None:
        served = await compatible.serving(base_url)
        return Plan(f"the server at {base_url}, as set", compatible, base_url, next(iter(served), weights.model))
    if not own:
        if fitting := _fitting_llamacpp(await llamacpp.serving(), weights):
            return Plan(f"a llama.cpp server runs here with {fitting}", llamacpp, None, fitting)
        if fitting := _fitting_ollama(await ollama.serving(), weights):
            return Plan(f"Ollama runs here and has {fitting}", ollama, None, fitting)
    program = find_program(path)
    if program is None:
        return Plan("no runtime for it was found on this machine")
    found = "llama-server is on PATH" if program.kind == "llama-server" else "llama-cpp-python is installed"
    return Plan(f"{found}, and no server with a fitting model runs", model=weights.model, program=program)


def _fitting_llamacpp(served: Sequence[str], weights: Weights) -> str | None:
    """`local` takes what runs: somebody chose that model. `local:small` asks for one model."""
    if weights is STANDARD:
        return next(iter(served), None)
    return next((name for name in served if weights.model in name.lower().replace("_", "-")), None)


def _fitting_ollama(served: Sequence[str], weights: Weights) -> str | None:
    return next((name for begins in weights.ollama for name in served if name.lower().startswith(begins)), None)


class Local:
    """The embedded model. Nothing is started before the first reply."""

    name = "local"

    def __init__(self, weights: Weights, *, own_path: Path | None, base_url: str | None, parameters: Mapping[str, Any]) -> None:
        self.model = own_path.stem if own_path else weights.model
        self._weights, self._own_path, self._base_url = weights, own_path, base_url
        self._parameters = {**(SMALL_PARAMETERS if weights is SMALL else PARAMETERS), **parameters}
        self._plan: Plan | None = None
        self._chat: Chat | None = None
        self._server: LlamaServer | None = None

    async def capabilities(self) -> Capabilities:
        """It runs no code. Says what will be used."""
        plan = await self._planned()
        return Capabilities(runs_code=False, runs_code_why=f"the local model runs no code itself; used: {plan.why}")

    async def reply(self, history: Sequence[Event], turn: Turn) -> AsyncGenerator[Event]:
        """One reply. Before the first one a server is started when none runs, and the weights are fetched when they are missing."""
        if self._chat is None:
            async with aclosing(self._start()) as notes:
                async for note in notes:
                    yield note
        assert self._chat is not None  # noqa: S101 - _start() sets it or raises
        limits = replace(turn.limits, reply_tokens=min(turn.limits.reply_tokens, REPLY_TOKENS))
        try:
            async with aclosing(self._chat.reply(history, replace(turn, limits=limits))) as events:
                async for event in events:
                    yield event
        except Unreachable as error:
            failure = self._server.failure() if self._server is not None else None
            raise failure or error from None

    async def close(self) -> None:
        """End the server that was started here. One that ran before stays."""
        chat, self._chat = self._chat, None
        server, self._server = self._server, None
        if chat is not None:
            await chat.close()
        if server is not None:
            await server.close()

    async def _planned(self) -> Plan:
        if self._plan is None:
            self._plan = await make_plan(self._weights, own=self._own_path is not None, base_url=self._base_url)
            self.model = self._plan.model if self._plan.running else self.model
        return self._plan

    async def _start(self) -> AsyncGenerator[Noted]:
        plan = await self._planned()
        if plan.running is not None:
            choice = ModelChoice(provider=plan.running.name, model=plan.model, base_url=plan.address, parameters=self._parameters)
            self._chat = plan.running.chat(choice)
            return
        if plan.program is None:
            raise MissingExtra(what="llama-cpp-python, which runs the local model,", extra="local")
        path = self._own_path
        if path is None:
            async with aclosing(self._fetched()) as notes:
                async for note in notes:
                    yield note
            path = cache_folder() / self._weights.file
        yield Noted(about="provider", text=f"Starting {plan.program.kind} with {path.name}.")
        self._server = LlamaServer(plan.program, path, alias=self.model)
        await self._server.ready()
        choice = ModelChoice(
            provider="local", model=self.model, base_url=self._server.address, key=self._server.key, parameters=self._parameters
        )
        self._chat = OWN.chat(choice)

    async def _fetched(self) -> AsyncGenerator[Noted]:
        """Make sure that the weights are in the cache."""
        weights, folder, hub = self._weights, cache_folder(), hub_address()
        if await anyio.to_thread.run_sync(kept, weights, folder) is not None:
            return
        yield Noted(about="provider", text=f"Downloading {weights.file} ({weights.size // MB} MB) from {hub}, once, into {folder}.")
        told = 0.0
        async with aclosing(download(weights, folder, hub)) as progress:
            async for size in progress:
                if size / weights.size >= told + PART_TOLD:
                    told = size / weights.size
                    here, whole = size // MB, weights.size // MB
                    yield Noted(about="progress", text=f"{bar(size / weights.size)} {here} of {whole} MB")


def bar(part: float, width: int = 30) -> str:
    """How far it has come, from 0 to 1, as a line of text."""
    full = int(part * width)
    return f"[{'#' * full}{'.' * (width - full)}] {part:4.0%}"


OWN = Vendor(name="local", title="The local model", address=None)
"""The server that was started here."""


class _Factory:
    """What the entry point names. `local`, `local:small`, or `local:PATH.gguf`."""

    key_variables: tuple[str, ...] = ()
    default_model: str | None = "standard"
    about = ProviderAbout(title="embedded model", limits="Qwen2.5-Coder 1.5B on llama.cpp, about 1.1 GB once; local:small 0.5 GB")

    def __call__(self, choice: ModelChoice) -> Local:
        """Raises `UnknownModel`, `BadFile` and `BadSetting`. Makes no request."""
        name = choice.model or "standard"
        named = choice.parameters.get(OWN_PARAMETER) or os.environ.get("SANDLOOP_WEIGHTS")
        if named is not None and not isinstance(named, str):
            raise BadSetting(name="parameters.weights", why=f"is {named!r}, but must be a path")
        if name.endswith(".gguf"):
            name, named = "standard", name
        if name not in KNOWN:
            raise UnknownModel(model=f"local:{name}", known=("local", "local:small", "local:PATH.gguf"))
        parameters = {k: v for k, v in choice.parameters.items() if k != OWN_PARAMETER}
        checked(parameters)
        own_path = own_file(Path(named)) if named else None
        return Local(KNOWN[name], own_path=own_path, base_url=choice.base_url, parameters=parameters)

    def computes_here(self, choice: ModelChoice) -> bool:
        """Whether the model runs on this machine: unless an address elsewhere is set."""
        return choice.base_url is None or on_this_machine(choice.base_url)


local = _Factory()
