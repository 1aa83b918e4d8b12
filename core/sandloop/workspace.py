"""The local side of a session: one sandbox, the input files in it, the cells run in it, the files that came out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Literal

import anyio

from sandloop.errors import BadFile, SandboxError
from sandloop.events import CodeRan, CodeWritten, Event, FileMade, FilesPreviewed, Noted, Output, Preview
from sandloop.limits import Limits
from sandloop.live import Live
from sandloop.names import clean_path, without_collision
from sandloop.options import SandboxOptions
from sandloop.plugins import sandbox_factory
from sandloop.ports import FoundFile, Listing, LocalFile, SandboxSession
from sandloop.sizes import human_size
from sandloop.store import FileStore


class Workspace:
    """Opened at the first use, and again after it was lost."""

    def __init__(self, *, options: SandboxOptions, limits: Limits, store: FileStore) -> None:
        self._options, self._limits, self._store = options, limits, store
        self._session: SandboxSession | None = None
        self._inside: set[str] = set()
        self._seen: dict[str, str] = {}
        """Version of each file of the working folder, by name."""
        self.stopped: CodeRan | None = None
        """What became of a cell that nobody waited for to its end."""
        self._names: dict[str, str] = {}
        """What each is called outside: two that differ in a character that no disk takes must not become one."""

    async def prepare(self, files: Sequence[LocalFile], *, preview: bool) -> AsyncGenerator[Event]:
        """Open the sandbox, put in the files that aren't in it, and preview those."""
        async for event in self._open():
            yield event
        session = self._live()
        new = [f for f in files if f.file.name not in self._inside]
        if not new:
            return
        await session.put(new)
        self._inside |= {f.file.name for f in new}
        self._seen = _versions((await session.files()).files)
        if preview:
            yield FilesPreviewed(previews=tuple([Preview(name=f.file.name, text=await session.preview(f.file.name)) for f in new]))

    async def _open(self) -> AsyncGenerator[Event]:
        if self._session is not None:
            return

        async def open_(emit: Callable[[Event], None]) -> SandboxSession:
            factory = sandbox_factory(self._options.engine)
            return await factory(self._limits, self._options, lambda line: emit(Noted(about="sandbox", text=line))).open()

        opening: Live[Event, SandboxSession] = Live(open_)
        async for event in opening.items():
            yield event
        self._session, self._inside, self._seen = opening.result, set(), {}
        yield opening.result.opened

    def _live(self) -> SandboxSession:
        if self._session is None:
            raise RuntimeError("the sandbox is not open: call prepare() first")
        return self._session

    async def run(self, cell: CodeWritten) -> AsyncGenerator[Event]:
        """Run one cell: its output live, what came of it, the files it made. Raises `SandboxError` when the sandbox is lost."""
        session = self._live()

        async def run_(emit: Callable[[Event], None]) -> CodeRan:
            def on_output(stream: Literal["stdout", "stderr"], text: str) -> None:
                emit(Output(code_id=cell.code_id, stream=stream, text=text))

            return await session.run(cell.code_id, cell.source, cell.language, on_output)

        running: Live[Event, CodeRan] = Live(run_, stop=session.interrupt)
        over = False
        try:
            async with aclosing(running.items()) as events:
                async for event in events:
                    yield event
            over = True
            yield running.result
            async for event in self._made(session, cell.code_id):
                yield event
        except (asyncio.CancelledError, GeneratorExit):
            ended: CodeRan | None = getattr(running, "result", None)
            if over or ended is None:
                await self.close()
            if not over:
                lost = CodeRan(code_id=cell.code_id, exit_code=None, stopped_by="interrupt", state="lost")
                self.stopped = ended or lost
            raise
        except SandboxError:
            await self.close()
            raise

    async def _made(self, session: SandboxSession, code_id: str) -> AsyncGenerator[Event]:
        """Fetch what is new or changed since the last look; one bad file never loses the good ones."""
        listing = await session.files()
        before, self._seen = self._seen, _versions(listing.files)
        changed = [f for f in listing.files if before.get(f.name) != f.version]
        for name, why in _skipped(listing, before):
            yield Noted(about="file", text=f"{name} was not brought back: {why}.")
        for position, found in enumerate(changed):
            if position >= self._limits.files:
                left = len(changed) - position
                yield Noted(
                    about="file", text=f"{left} more files were not brought back: over Limits.files = {self._limits.files}."
                )
                return
            yield await self._fetch(session, found, code_id, "changed" if found.name in before else "new")

    async def _fetch(
        self, session: SandboxSession, found: FoundFile, code_id: str, change: Literal["new", "changed"]
    ) -> FileMade | Noted:
        if found.size > self._limits.file_bytes:
            why = f"it is {human_size(found.size)}, over Limits.file_bytes = {human_size(self._limits.file_bytes)}"
            return Noted(about="file", text=f"{found.name} was not brought back: {why}.")
        try:
            return await self._store.add(self._name(found.name), session.get(found.name), code_id=code_id, change=change)
        except BadFile as error:
            return Noted(about="file", text=str(error))

    def _name(self, inside: str) -> str:
        if inside not in self._names:
            clean, taken = clean_path(inside), self._names.values()
            self._names[inside] = without_collision(clean, {name.lower() for name in taken}) if clean in taken else clean
        return self._names[inside]

    async def close(self) -> None:
        """End the sandbox and leave nothing; a later `prepare` opens another."""
        session, self._session = self._session, None
        if session is not None:
            with anyio.CancelScope(shield=True):
                await session.close()


def _versions(files: Sequence[FoundFile]) -> dict[str, str]:
    return {f.name: f.version for f in files}


def _skipped(listing: Listing, before: dict[str, str]) -> list[tuple[str, str]]:
    """Told once a step, the first ten: a folder of a thousand links is one story, not a thousand."""
    return [(name, why) for name, why in listing.skipped if name not in before][:10]
