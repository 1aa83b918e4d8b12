"""The sandbox as a library of its own: no model, no question, no provider. Async once; `Sandbox` is the same through a thread."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import anyio

from sandloop.bridge import Background
from sandloop.errors import BadFile, UsageError
from sandloop.events import CodeRan, SandboxOpened
from sandloop.files import FileLike, Inputs
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.plugins import sandbox_factory
from sandloop.ports import FoundFile, OnOutput, OnProgress, SandboxSession
from sandloop.result import ResultFile
from sandloop.settings import Settings, resolve
from sandloop.store import FileStore

ScriptLanguage = Literal["python", "bash"]


def _no_progress(line: str) -> None:
    pass


def _no_output(stream: Literal["stdout", "stderr"], text: str) -> None:
    pass


class AsyncSandbox:
    """One closed place in which code runs, with its variables and files: `async with AsyncSandbox() as sandbox: ...`.

    It opens at its first use. Whatever is not given comes from the settings (environment, `sandloop.toml`, the user's file).

    Args:
        limits: What the code may use.
        packages: Python packages beside the usual ones, as `name` or `name==version`; the first use builds an image with them.
        options: The engine and how its sandboxes are made.
        on_progress: Told, a line at a time, of long set-up such as the first build of the image.

    Raises:
        BadSetting: A setting is wrong.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        packages: Sequence[str] | None = None,
        options: SandboxOptions | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        settings = resolve(Settings(limits=limits, sandbox=options), packages=packages)
        self.limits, self.options = settings.limits or Limits(), settings.sandbox or SandboxOptions()
        """What is in force."""
        self._factory = sandbox_factory(self.options.engine)
        self._on_progress = on_progress or _no_progress
        self._inputs = Inputs(input_bytes=self.limits.input_bytes)
        self._store = FileStore(file_bytes=self.limits.file_bytes)
        self._opening = anyio.Lock()
        self._session: SandboxSession | None = None
        self._given: dict[str, str] = {}
        """Version of each input file as it was put in, by name."""
        self._closed = False
        self._cells = 0

    async def __aenter__(self) -> Self:
        return await self.open()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.close()

    async def open(self) -> Self:
        """Open it now, unless it is open. Raises a `SandboxError`, or `UsageError` once it was closed."""
        await self._opened()
        return self

    async def _opened(self) -> SandboxSession:
        async with self._opening:
            if self._closed:
                raise UsageError("This sandbox was closed. Make another one.")
            if self._session is None:
                self._session = await self._factory(self.limits, self.options, self._on_progress).open()
            return self._session

    @property
    def opened(self) -> SandboxOpened | None:
        """What it is made of; None before it is open."""
        return self._session.opened if self._session is not None else None

    async def put(self, *files: FileLike) -> tuple[str, ...]:
        """Copy files in, read-only for the code: paths, globs, `(name, bytes)` or open binary files.

        Returns their names in the working folder, cleaned and each only once. Raises `BadFile`.
        """
        session = await self._opened()
        new = self._inputs.add(files).files
        await session.put(new)
        names = tuple(local.file.name for local in new)
        self._given |= {found.name: found.version for found in (await session.files()).files if found.name in names}
        return names

    async def run(self, code: str, language: ScriptLanguage = "python", on_output: OnOutput | None = None) -> CodeRan:
        """Run a cell, which sees the variables and files of those before it. Code that fails, or meets a limit, is a result.

        Args:
            code: As in a notebook: the last expression is shown, `await` works, figures are saved.
            language: `python`, or `bash`.
            on_output: Called with `"stdout"` or `"stderr"` and a piece of text while the code runs, perhaps from another thread.

        Raises:
            SandboxError: The sandbox could not be opened, or was lost.
        """
        session = await self._opened()
        self._cells += 1
        return await session.run(f"cell-{self._cells}", code, language, on_output or _no_output)

    async def files(self) -> tuple[FoundFile, ...]:
        """The files that the code made or changed. Their names are the code's: not to be trusted, `save` cleans them."""
        session = await self._opened()
        return tuple(found for found in (await session.files()).files if self._given.get(found.name) != found.version)

    async def get(self, name: str) -> bytes:
        """The content of one file. Raises `BadFile` when there is none, or it is over `limits.file_bytes`."""
        session = await self._opened()
        return b"".join([piece async for piece in session.get(name)])

    async def save(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Write all that the code made or changed into `folder` (made when missing) under clean names; nothing is overwritten.

        Raises `BadFile` for the first that can't be brought back, when all others are saved.
        """
        session = await self._opened()
        found = await self.files()
        if len(found) > self.limits.files:
            why = f"is one of {len(found)} files, over Limits.files = {self.limits.files}"
            raise BadFile(name=found[-1].name, why=why, do="Raise the limit, or pack them into an archive")
        saved: list[Path] = []
        refused: list[BadFile] = []
        for file in found:
            try:
                made = await self._store.add(file.name, session.get(file.name))
            except BadFile as error:
                refused.append(error)
            else:
                saved.append(ResultFile(made, self._store).save(folder))
        if refused:
            raise refused[0]
        return tuple(saved)

    async def interrupt(self) -> None:
        """Stop the running cell, which then ends as `stopped_by="interrupt"`: its variables stay if it lets itself be stopped."""
        if self._session is not None and not self._closed:
            await self._session.interrupt()

    async def close(self) -> None:
        """End it and leave nothing. Idempotent."""
        self._closed = True
        if self._session is not None:
            await self._session.close()


class Sandbox:
    """`AsyncSandbox` for synchronous code: `with Sandbox() as sandbox: print(sandbox.run("1 + 1").stdout)`.

    It runs in a thread of its own, so it works in a notebook, too. Arguments and errors as in `AsyncSandbox`. Ctrl-C while a cell
    runs interrupts the cell; the sandbox can go on.
    """

    def __init__(
        self,
        *,
        limits: Limits | None = None,
        packages: Sequence[str] | None = None,
        options: SandboxOptions | None = None,
        on_progress: OnProgress | None = None,
    ) -> None:
        self._sandbox = AsyncSandbox(limits=limits, packages=packages, options=options, on_progress=on_progress)
        self._background = Background(self, self._sandbox.close)

    def __enter__(self) -> Self:
        try:
            return self.open()
        except BaseException:
            self.close()
            raise

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def limits(self) -> Limits:
        """What is in force."""
        return self._sandbox.limits

    @property
    def options(self) -> SandboxOptions:
        """What is in force."""
        return self._sandbox.options

    @property
    def opened(self) -> SandboxOpened | None:
        """What it is made of; None before it is open."""
        return self._sandbox.opened

    def open(self) -> Self:
        """Open it now, unless it is open. Raises a `SandboxError`, or `UsageError` once it was closed."""
        self._check()
        self._background.portal.call(self._sandbox.open)
        return self

    def put(self, *files: FileLike) -> tuple[str, ...]:
        """Copy files in, read-only for the code: paths, globs, `(name, bytes)` or open binary files.

        Returns their names in the working folder, cleaned and each only once. Raises `BadFile`.
        """
        self._check()
        return self._background.portal.call(self._sandbox.put, *files)

    def run(self, code: str, language: ScriptLanguage = "python", on_output: OnOutput | None = None) -> CodeRan:
        """Run a cell, which sees the variables and files of those before it. Code that fails, or meets a limit, is a result.

        `on_output` is called with `"stdout"` or `"stderr"` and a piece of text while the code runs, from another thread. Raises a
        `SandboxError`.
        """
        self._check()
        running = self._background.portal.start_task_soon(self._sandbox.run, code, language, on_output)
        try:
            return running.result()
        except KeyboardInterrupt:
            self._background.portal.call(self._sandbox.interrupt)
            running.exception()  # the cell is over before the interrupt goes on
            raise

    def files(self) -> tuple[FoundFile, ...]:
        """The files that the code made or changed. Their names are the code's: not to be trusted, `save` cleans them."""
        self._check()
        return self._background.portal.call(self._sandbox.files)

    def get(self, name: str) -> bytes:
        """The content of one file. Raises `BadFile` when there is none, or it is over `limits.file_bytes`."""
        self._check()
        return self._background.portal.call(self._sandbox.get, name)

    def save(self, folder: str | os.PathLike[str]) -> tuple[Path, ...]:
        """Write all that the code made or changed into `folder` (made when missing) under clean names; nothing is overwritten.

        Raises `BadFile` for the first that can't be brought back, when all others are saved.
        """
        self._check()
        return self._background.portal.call(self._sandbox.save, folder)

    def interrupt(self) -> None:
        """Stop the running cell, from another thread: it then ends as `stopped_by="interrupt"`."""
        self._check()
        self._background.portal.call(self._sandbox.interrupt)

    def close(self) -> None:
        """End it and leave nothing. Idempotent; also when nobody calls it, at the latest when the process ends."""
        self._background.close()

    def _check(self) -> None:
        if not self._background.close.alive:
            raise UsageError("This sandbox was closed. Make another one.")
