"""Questions to one model about files: the files, the interpreter's state and the conversation live on between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from types import TracebackType
from typing import Self

import anyio

from sandloop import codec
from sandloop.drive import Confirm, Drive
from sandloop.errors import SandloopError, UsageError
from sandloop.events import Answered, Event, Failed, StoppedBy
from sandloop.files import FileLike, Inputs
from sandloop.limits import Limits
from sandloop.notebook.live import watched
from sandloop.opening import OpenModel, for_another, open_model
from sandloop.options import SandboxOptions
from sandloop.result import Result
from sandloop.runs.kept import LAST, Run, find_run
from sandloop.runs.past import Past, past
from sandloop.runs.place import runs_folder
from sandloop.runs.recorder import Recorder
from sandloop.settings import Route, Settings, resolve
from sandloop.store import FileStore
from sandloop.workspace import Workspace


class AsyncSession:
    """Several questions in one conversation: `async with AsyncSession(model="claude") as session: await session.ask(...)`.

    Variables, made files, input files and the provider's container live until the session closes; then everything that was
    uploaded, and the sandbox, is deleted.

    Args:
        model: A profile's name, `provider:model`, or a provider for its default model. Default: the settings' model.
        route: `auto`, `native` or `local`; `local` never uploads a file.
        limits: The bounds of each question and of the sandbox.
        packages: Python packages for the local sandbox beside the usual ones, as `name` or `name==version`.
        confirm: Asked before each cell of the local sandbox runs, as an async function of its `CodeWritten`. When it gives
            False the cell does not run, and the model is told that the user did not allow it. With it the route is local, since
            a provider's own interpreter asks nobody.
        settings: Anything else, as this call's layer; the arguments above win over it.

    Every question is kept in a folder of its own, unless the settings say `runs="off"`: see `sandloop.runs`.

    Raises:
        UsageError: A setting is wrong, no provider has that name, or `confirm` is given with the route `native`.
        ProviderError: The model needs a key, and none is set.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        route: Route | None = None,
        limits: Limits | None = None,
        packages: Sequence[str] | None = None,
        confirm: Confirm | None = None,
        settings: Settings | None = None,
    ) -> None:
        call = settings or Settings()
        call = replace(call, model=model or call.model, route=route or call.route, limits=limits or call.limits)
        self.settings = resolve(call, packages=packages)
        self.limits = self.settings.limits or Limits()
        self._asked_route: Route | None = call.route
        self._confirm = confirm
        self._store = FileStore(file_bytes=self.limits.file_bytes)
        self._recorder = Recorder(
            runs_folder(self.settings), kept=self.settings.runs_kept or 1, limits=self.limits, made=self._store.path
        )
        self._model = self._open(self.settings)
        self._inputs = Inputs(input_bytes=self.limits.input_bytes)
        self._workspace = Workspace(options=self.settings.sandbox or SandboxOptions(), limits=self.limits, store=self._store)
        self._past: Past | None = None
        """What this session goes on after, until its first question."""
        self._busy = self._closed = False
        self.history: list[Event] = []
        """All events of all questions."""
        self.result: Result | None = None
        """Of the last question, also when it failed."""

    @classmethod
    def resume(
        cls,
        run: Run | str = LAST,
        *,
        model: str | None = None,
        route: Route | None = None,
        limits: Limits | None = None,
        packages: Sequence[str] | None = None,
        confirm: Confirm | None = None,
        settings: Settings | None = None,
    ) -> Self:
        """A session that goes on after a kept run, with all questions of its conversation up to that one.

        The model gets the conversation, the input files by their content of then, and the files that the code made (in the local
        sandbox, read-only). Variables are gone, and it is told so.

        Args:
            run: A kept run, the folder of one, its id, the beginning of one, or `last`.
            model: Default: the model of that run. A recording (`replay:`) goes on where that run left it, so it has an answer
                only when it holds more questions.
            route: Default: the route that was asked for then.
            limits, packages, confirm, settings: As in `AsyncSession`; the packages default to those of that run.

        Raises:
            UsageError: There is no such run. The first question raises `BadFile` when an input is gone or was changed.
        """
        layer = settings or Settings()
        folder = runs_folder(layer)
        before = past(run if isinstance(run, Run) else find_run(run, folder), folder)
        chosen = model or layer.model or before.model
        if packages is None and not (layer.sandbox or resolve(layer).sandbox or SandboxOptions()).packages:
            packages = before.packages or None
        session = cls(
            chosen,
            route=route or layer.route or (before.route if before.route != "auto" else None),
            limits=limits,
            packages=packages,
            confirm=confirm,
            settings=settings,
        )
        session._goes_on_after(before, other_model=chosen != before.model)
        return session

    def _goes_on_after(self, before: Past, *, other_model: bool) -> None:
        self.history += before.events()
        self._past, self._model.own_from = before, len(self.history) if other_model else 0
        self._store.also += before.content
        self._recorder.last = before.last.summary

    async def change_model(self, model: str) -> None:
        """Ask another model from the next question on; conversation, files and the local sandbox with its variables are kept.

        What the model before uploaded is deleted. Files that a provider's code made go along into the local sandbox. A provider
        that runs the code itself gets the input files; what is lost then is told to the model, and to the user as `Noted`.

        Args:
            model: A profile's name, `provider:model`, or a provider for its default model.

        Raises:
            UsageError: No provider has that name, or a question is still running. The model stays as it was.
            ProviderError: The model needs a key, and none is set. The model stays as it was.
        """
        self.check_open()
        if self._busy:
            raise UsageError("This session is busy with a question. Change the model when it is answered.")
        settings = for_another(self.settings, model, before=self._model)
        opened = self._open(settings)
        opened.own_from = len(self.history)
        before, self._model, self.settings = self._model, opened, settings
        with anyio.CancelScope(shield=True):
            await before.provider.close()

    def _open(self, settings: Settings) -> OpenModel:
        confirmed = self._confirm is not None
        return open_model(settings, route=self._asked_route, confirmed=confirmed, runs=self._recorder.folder)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def close(self) -> None:
        """End the sandbox, delete what was uploaded and what the provider made for us. Idempotent; results stay readable."""
        if self._closed:
            return
        self._closed = True
        with anyio.CancelScope(shield=True):  # a cancelled run must not leave uploads or a container
            await asyncio.gather(self._workspace.close(), self._model.provider.close())

    @property
    def model(self) -> str:
        """The model that the next question goes to, as the caller named it."""
        return self.settings.model or ""

    def check_open(self) -> None:
        """Raises `UsageError` when the session is closed."""
        if self._closed:
            raise UsageError("This session is closed. Open another one.")

    async def ask(self, question: str, files: Sequence[FileLike] = ()) -> Result:
        """The result of one question. Arguments and errors as in `stream`."""
        with watched([self.model], self.settings.notebook) as told:
            async with aclosing(self.stream(question, files)) as events:
                async for event in events:
                    told(self.model, event)
        if self.result is None:
            raise RuntimeError("a run that ended without error has a result")
        return self.result

    async def stream(self, question: str, files: Sequence[FileLike] = ()) -> AsyncGenerator[Event]:
        """The events of one question, as they happen; `.result` has the whole afterwards.

        Args:
            question: What to find out, in words.
            files: More files: paths, globs, `(name, bytes)` or open binary files. Those of earlier questions are still there.

        Raises:
            UsageError: A file can't be taken, or another question is still running.
            ProviderError, SandboxError, LimitReached: `.result` holds what was done; the last event is `Failed`.
        """
        self.check_open()
        if self._busy:
            raise UsageError("This session is busy with a question. Open another one.")
        if not question.strip():
            raise UsageError("The question is empty. Ask something about the files.")
        self._busy, start = True, len(self.history)
        try:
            drive = await self._begin(question, files)
            async with aclosing(drive.run()) as events:
                async for event in events:
                    for told in await self._record(event):
                        yield told
        except (asyncio.CancelledError, GeneratorExit):
            with anyio.CancelScope(shield=True):
                await self._stopped("interrupt")
            raise
        except Exception as error:
            if len(self.history) == start:
                raise
            for told in await self._stopped("time"):
                yield told
            self.result = self._since(start)
            last = await self._record(Failed(error=type(error).__name__, message=str(error)))
            self.result = self._since(start)
            if isinstance(error, SandloopError):
                error.result = self.result
            for told in last:
                yield told
            raise
        finally:
            self._busy = False
            self.result = self._since(start)
            self._recorder.finish()

    async def _begin(self, question: str, files: Sequence[FileLike]) -> Drive:
        """Take in the files. Where one can't be taken, nothing was asked."""
        began = time.monotonic()
        before = self._past
        if before is not None:
            await asyncio.to_thread(lambda: self._inputs.add(before.inputs()))
        taken = await asyncio.to_thread(self._inputs.add, files)
        self._past = None  # not before: after a file that can't be taken, the next question is still the first one
        self._recorder.asked_route = "local" if self._confirm is not None else self._model.route
        return Drive(
            question=question,
            taken=taken,
            after=before,
            began=began,
            settings=self.settings,
            limits=self.limits,
            confirm=self._confirm,
            model=self._model,
            inputs=self._inputs,
            workspace=self._workspace,
            store=self._store,
            history=self.history,
        )

    def _since(self, start: int) -> Result:
        return Result(events=tuple(self.history[start:]), store=self._store)

    async def _stopped(self, by: StoppedBy) -> list[Event]:
        """What became of the cell in whose middle the question ended, so that the model does not think that it never ran."""
        ran, self._workspace.stopped = self._workspace.stopped, None
        return await self._record(replace(ran, stopped_by=by)) if ran is not None else []

    async def _record(self, event: Event) -> list[Event]:
        """Into the history, at once, and onto the disk; with what the user should know of the latter, before a last event."""
        clean = codec.scrub(event)
        self.history.append(clean)
        last = isinstance(clean, Answered | Failed)
        notes = await self._recorder.settled() if last else []
        notes += await self._recorder.take(clean, self._inputs.files)
        if last:
            self.history[-1:-1] = notes
            return [*notes, clean]
        self.history += notes
        return [clean, *notes]
