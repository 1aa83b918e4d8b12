"""A run on the disk as it happens: a line an event, written before the caller sees it.

Nothing in here may end a run that was paid for: when the place is full or can't be written, a note says so once, and the run
goes on without being kept.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sandloop import codec
from sandloop.events import Event, FileMade, Noted, RunStarted, SandboxOpened
from sandloop.limits import Limits
from sandloop.ports import LocalFile
from sandloop.runs.contents import keep_inputs, keep_made
from sandloop.runs.environment import environment
from sandloop.runs.place import ENVIRONMENT, EVENTS, INPUTS, NEW, RUN, held, lock, write_json
from sandloop.runs.removal import remove_oldest
from sandloop.runs.summary import RunSummary, as_table, summarized
from sandloop.scratch import in_scratch
from sandloop.settings import Route


class Recorder:
    """Writes the questions of one session, one after the other, each as a run.

    Args:
        folder: Where runs are kept; None keeps none.
        made: Where the bytes of a made file are, by their sum.
        after: The run that the session goes on after, if it does.

    Attributes:
        asked_route: The route that the next questions ask for.
    """

    def __init__(
        self, folder: Path | None, *, kept: int, limits: Limits, made: Callable[[str], Path], after: RunSummary | None = None
    ) -> None:
        self.folder, self._kept, self._limits, self._made = folder, kept, limits, made
        self.last = after
        """The last run that was begun."""
        self.asked_route: Route = "auto"
        self._opened: SandboxOpened | None = None
        self._writing: _Writing | None = None

    async def take(self, event: Event, inputs: Sequence[LocalFile] = ()) -> list[Noted]:
        """Write one event; returns what the user should know of it, which is written, too.

        Args:
            inputs: With `RunStarted`: all files of the session.
        """
        if self.folder is None:
            return []
        if isinstance(event, RunStarted):
            return await self._begin(self.folder, event, inputs)
        if self._writing is None:
            return []
        if isinstance(event, SandboxOpened):
            self._opened = event
        why = await self._writing.write(event, self._made)
        return self._writing.noted() if why is None else self._given_up(why)

    async def settled(self) -> list[Noted]:
        """Wait for the copies of the inputs, before the run's last event."""
        if self._writing is None:
            return []
        await self._writing.copied()
        return self._writing.noted()

    def finish(self) -> None:
        """The question is over, also where it was left in the middle."""
        writing, self._writing = self._writing, None
        if writing is not None:
            writing.finish()

    async def _begin(self, folder: Path, started: RunStarted, inputs: Sequence[LocalFile]) -> list[Noted]:
        before = self.last
        summary = RunSummary(
            id=started.id,
            at=started.at or datetime.now(UTC).isoformat(timespec="seconds"),
            began=time.time(),
            status="running",
            question=started.question,
            model=started.model,
            asked_route=self.asked_route,
            session=started.id if before is None else before.session,
            position=1 if before is None else before.position + 1,
            previous=None if before is None else before.id,
        )
        try:
            self._writing = await asyncio.to_thread(self._made_ready, folder, summary, started, inputs)
        except OSError as error:
            return [Noted(about="run", text=_not_kept(folder, error))]
        self.last = summary
        self._writing.begin(folder, inputs, self._opened, self._kept)
        return []

    def _made_ready(self, folder: Path, summary: RunSummary, started: RunStarted, inputs: Sequence[LocalFile]) -> _Writing:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with held(folder, shared=True, wait=True):  # whoever removes inputs sees those of this run, or has removed before
            new = folder / f"{NEW}{summary.id}"
            new.mkdir(mode=0o700)
            with ExitStack() as undo:
                undo.callback(shutil.rmtree, new, ignore_errors=True)
                handle = os.open(new / EVENTS, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
                undo.callback(os.close, handle)
                lock(handle)
                _write(handle, started)
                write_json(new / INPUTS, [_input(file) for file in inputs])
                write_json(new / RUN, as_table(summary))
                new.rename(folder / summary.id)
                undo.pop_all()
        return _Writing(folder / summary.id, handle, summary, started, environment=partial(environment, self._limits))

    def _given_up(self, why: OSError) -> list[Noted]:
        assert self.folder is not None and self._writing is not None  # noqa: S101, PT018 - only asked while it writes
        self._writing.give_up(why)
        self._writing = None
        return [Noted(about="run", text=_not_kept(self.folder, why))]


class _Writing:
    """One run."""

    def __init__(
        self,
        run: Path,
        handle: int,
        summary: RunSummary,
        started: RunStarted,
        *,
        environment: Callable[[SandboxOpened | None], dict[str, Any]],
    ) -> None:
        self._run, self._handle, self._summary, self._environment = run, handle, summary, environment
        self._told: list[Event] = [started]
        """Without the pieces that stream."""
        self._clock = time.monotonic()
        self._stopped = False
        self._works: list[asyncio.Future[list[str]]] = []
        """What goes on beside the run, each with what it could not do."""
        self._notes: list[str] = []
        self._opened: SandboxOpened | None = None
        self._one = threading.Lock()

    async def write(self, event: Event, made: Callable[[str], Path]) -> OSError | None:
        """Why it could not be written, or None."""
        try:
            match event:
                case FileMade():
                    await self._keep(event, made(event.sha256))
                case SandboxOpened():
                    self._opened = event
                    self._beside(self._keep_environment)
                case _:
                    pass
            _write(self._handle, event)
        except OSError as error:
            return error
        if event.kind not in ("text", "thinking", "code_delta", "output"):
            self._told.append(event)
        return None

    async def _keep(self, made: FileMade, source: Path) -> None:
        try:
            await asyncio.to_thread(keep_made, self._run, made, source)
        except OSError as error:
            self._notes.append(f"The file {made.name!r} is not kept with the run: {error.strerror}.")

    def begin(self, folder: Path, inputs: Sequence[LocalFile], opened: SandboxOpened | None, kept: int) -> None:
        """Write what it is made with, copy the inputs, then remove the oldest runs, while the run goes on."""
        self._opened = opened

        def work() -> list[str]:
            notes = [*self._keep_environment(), *keep_inputs(folder, inputs, stopped=lambda: self._stopped)]
            with contextlib.suppress(OSError):
                remove_oldest(folder, kept=kept)
            return notes

        self._beside(work)

    def _beside(self, work: Callable[[], list[str]]) -> None:
        self._works.append(asyncio.get_running_loop().run_in_executor(None, work))

    def _keep_environment(self) -> list[str]:
        try:
            with self._one:  # whoever is last knows the sandbox
                write_json(self._run / ENVIRONMENT, self._environment(self._opened))
        except OSError as error:
            return [f"What the run is made with is not kept: {error.strerror}."]
        return []

    async def copied(self) -> None:
        """Wait for what goes on beside the run."""
        if self._works:
            await asyncio.wait(self._works)

    def noted(self) -> list[Noted]:
        """What could not be done, as far as it is known."""
        over = [work for work in self._works if work.done()]
        self._works = [work for work in self._works if work not in over]
        texts, self._notes = [*self._notes, *(text for work in over for text in work.result())], []
        notes = [Noted(about="run", text=text) for text in texts]
        with contextlib.suppress(OSError):
            for note in notes:
                _write(self._handle, note)
        return notes

    def finish(self, incomplete: str = "") -> None:
        self._stopped = True
        with contextlib.suppress(OSError):
            facts: dict[str, Any] = {"status": "interrupted"} | summarized(self._told)
            seconds = round(time.monotonic() - self._clock, 3)
            ended = replace(self._summary, **(facts | {"id": self._summary.id}), seconds=seconds, incomplete=incomplete)
            write_json(self._run / RUN, as_table(ended))
        os.close(self._handle)

    def give_up(self, why: OSError) -> None:
        """What is there stays; it says that the rest is missing, where that can still be written."""
        self.finish(incomplete=f"the rest could not be written: {why.strerror or why}")


def _write(handle: int, event: Event) -> None:
    line = memoryview((codec.to_json(event) + "\n").encode())
    while line:
        line = line[os.write(handle, line) :]


def _input(file: LocalFile) -> dict[str, Any]:
    original = None if in_scratch(file.path) else str(file.path.absolute())
    return {
        "name": file.file.name,
        "size": file.file.size,
        "sha256": file.file.sha256,
        "mime": file.file.mime,
        "original": original,
    }


def _not_kept(folder: Path, why: OSError) -> str:
    return f"This run is not kept from here on: {folder} can't be written ({(why.strerror or str(why)).lower()})."
