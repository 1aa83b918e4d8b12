"""The driver of one question: it does what `next_step` decides, and tells all that happens as events.

Which step is next, which route the code takes, which cells a reply holds and what goes along to another place are pure functions
over the history. The session writes that: each event stands in it before the next is asked for.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias

from sandloop.carry import made_elsewhere, moved
from sandloop.cells import cells_of
from sandloop.checks import evidence, unsupported
from sandloop.deadline import in_time
from sandloop.errors import LimitReached, NativeUnavailable, Refused
from sandloop.events import (
    Answered,
    Checked,
    CodeRan,
    CodeWritten,
    Event,
    FellBack,
    Noted,
    Reminded,
    ReplyEnded,
    Resumed,
    RouteChosen,
    RunStarted,
    Usage,
)
from sandloop.files import Inputs, Resolved
from sandloop.limits import Limits
from sandloop.loop import Ask, Decline, Finish, Halt, Remind, Run, next_step
from sandloop.opening import OpenModel
from sandloop.ports import Capabilities, Turn
from sandloop.prices import priced
from sandloop.routing import Chosen, choose_route
from sandloop.runs.past import Past, as_texts
from sandloop.runs.place import new_id
from sandloop.settings import Settings
from sandloop.store import FileStore
from sandloop.workspace import Workspace

Confirm: TypeAlias = Callable[[CodeWritten], Awaitable[bool]]
"""Whether the user allows this cell to run."""


@dataclass(kw_only=True, slots=True)
class Drive:
    """One question on its way through a session."""

    question: str
    taken: Resolved
    """The files that came with it."""
    after: Past | None
    """The kept conversation that it takes up again."""
    began: float
    """By the monotonic clock. Time in which the user is asked moves it: that is none of the run."""
    settings: Settings
    limits: Limits
    confirm: Confirm | None
    model: OpenModel
    inputs: Inputs
    workspace: Workspace
    store: FileStore
    history: Sequence[Event]
    """Of the whole session, growing while this goes on."""
    native: bool = field(default=False, init=False)
    """Whether the code runs at the provider."""

    async def run(self) -> AsyncGenerator[Event]:
        """All of the question, up to its answer. Raises a `SandloopError` when it gets none."""
        for event in self._begun():
            yield event
        async with aclosing(self._choose()) as events:
            async for event in events:
                yield event
        while True:
            match next_step(self.history, self.limits, seconds=time.monotonic() - self.began):
                case Ask():
                    async with aclosing(self._ask()) as events:
                        async for event in events:
                            yield event
                case Run(code=cell):
                    async with aclosing(self._cell(cell)) as events:
                        async for event in events:
                            yield event
                case Remind(about=about, text=text):
                    yield Reminded(about=about, text=text)
                case Finish(text=text):
                    if found := await asyncio.to_thread(lambda: unsupported(text, evidence(self.history, self.store))):
                        yield Checked(checks=found)
                    yield Answered(text=text)
                    return
                case Decline(said=said):
                    raise Refused(provider=self.model.provider.name, said=said or "no reason given")
                case Halt(limit=limit, value=value):
                    raise LimitReached(limit=limit, value=value)

    def _begun(self) -> list[Event]:
        """What is asked, after what, and what the user should know of the files."""
        started = RunStarted(
            id=new_id(),
            question=self.question,
            model=self.settings.model or "",
            files=tuple(f.file for f in self.inputs.files),
            new_files=tuple(f.file.name for f in self.taken.files),
            at=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        resumed: list[Event] = [] if self.after is None else [Resumed(run=self.after.last.id), *self.after.notes()]
        return [started, *resumed, *(Noted(about="file", text=note) for note in self.taken.notes)]

    async def _choose(self) -> AsyncGenerator[Event]:
        """Choose the route and, for the local one, make the sandbox ready."""
        provider = self.model.provider
        chosen = self._chosen(await provider.capabilities())
        self.native = chosen.route == "native"
        made = () if self.native else made_elsewhere(self.history)
        carried = self.inputs.carry((e, self.store.path(e.sha256)) for e in made if self.store.has(e.sha256))
        yield RouteChosen(
            route=chosen.route,
            provider=provider.name,
            model=provider.model,
            reason=chosen.reason,
            carried=tuple(f.file for f in carried.files),
        )
        if (move := moved(self.history)) is not None:
            yield Noted(about="sandbox", text=move.for_user)
        gone = [e.name for e in made if not self.store.has(e.sha256)]
        for note in [*carried.notes, *([f"No longer kept, so not there: {', '.join(gone)}."] if gone else [])]:
            yield Noted(about="file", text=note)
        if not self.native:
            preview = self.settings.preview is not False
            files = [*self.inputs.files, *self.inputs.carried]
            async with aclosing(self.workspace.prepare(files, preview=preview)) as events:
                async for event in events:
                    yield event

    def _chosen(self, can: Capabilities) -> Chosen:
        if self.confirm is not None:
            return Chosen("local", "you are asked before code runs")
        return choose_route(
            self.model.route,
            can,
            [f.file for f in self.inputs.files],
            provider=self.model.provider.name,
            question=next((e.question for e in reversed(self.history) if isinstance(e, RunStarted)), ""),
            failed=self.model.native_failed,
        )

    async def _ask(self) -> AsyncGenerator[Event]:
        """One reply; where the provider's interpreter can't be used after all, `auto` goes on in the local sandbox."""
        try:
            async with aclosing(self._reply()) as events:
                async for event in events:
                    yield event
        except NativeUnavailable as error:
            if not self.native or self.model.route != "auto":
                raise
            self.model.native_failed = error.said
            yield FellBack(reason=error.said)
            async with aclosing(self._choose()) as events:
                async for event in events:
                    yield event

    async def _reply(self) -> AsyncGenerator[Event]:
        """One reply of the model; on the local route with the cells found in it."""
        turn = Turn(
            native=self.native,
            files=tuple(self.inputs.files),
            sink=self.store,
            limits=self.limits,
            show_pictures=self.settings.show_pictures is not False,
        )
        history = as_texts(self.history, self.model.own_from)
        async with aclosing(in_time(self.model.provider.reply(history, turn), self.limits.seconds, self.began)) as events:
            async for event in events:
                yield self._priced(event) if isinstance(event, Usage) else event
                if isinstance(event, ReplyEnded) and not self.native:
                    for written in cells_of(event, self.history):
                        yield written

    def _priced(self, usage: Usage) -> Usage:
        provider = self.model.provider
        asked, names = self.settings.model or "", (provider.name, self.model.named)
        return priced(usage, self.settings.prices or {}, asked=asked, providers=names, model=provider.model)

    async def _cell(self, cell: CodeWritten) -> AsyncGenerator[Event]:
        """One cell in the local sandbox, if the user allows it."""
        asked = time.monotonic()
        allowed = self.confirm is None or await self.confirm(cell)
        self.began += time.monotonic() - asked
        if not allowed:
            yield CodeRan(code_id=cell.code_id, exit_code=None, stopped_by="declined")
            return
        async with aclosing(in_time(self.workspace.run(cell), self.limits.seconds, self.began)) as events:
            async for event in events:
                yield event
