"""Kept runs made without a model, for tests about what is kept of them."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from sandloop.events import Answered, CodeRan, CodeWritten, Event, FileMade, InputFile, Noted, ReplyEnded, RouteChosen, RunStarted
from sandloop.limits import Limits
from sandloop.ports import LocalFile
from sandloop.runs.place import new_id
from sandloop.runs.recorder import Recorder
from sandloop.store import FileStore


def input_file(path: Path, content: bytes = b"a\n1\n") -> LocalFile:
    """A file of the user's, measured."""
    path.write_bytes(content)
    file = InputFile(name=path.name, size=len(content), mime="text/csv", sha256=hashlib.sha256(content).hexdigest())
    return LocalFile(file=file, path=path)


def happened(question: str = "How many?", code: str = "print(1)", answer: str = "One.") -> list[Event]:
    """What happens after a question was asked."""
    return [
        RouteChosen(route="local", provider="p", model="m-1", reason="r"),
        ReplyEnded(stop="end", text=f"I look.\n\n```python\n{code}\n```"),
        CodeWritten(code_id="c1", language="python", source=code, origin="fenced"),
        CodeRan(code_id="c1", exit_code=0, stdout="1\n"),
        ReplyEnded(stop="end", text=answer),
        Answered(text=answer),
    ]


class Keeper:
    """A session's recorder and store, fed by hand."""

    def __init__(self, folder: Path, *, kept: int = 100) -> None:
        self.store = FileStore(file_bytes=10_000_000)
        self.recorder = Recorder(folder, kept=kept, limits=Limits(), made=self.store.path)
        self.notes: list[Noted] = []

    async def begin(
        self, question: str = "How many?", inputs: Sequence[LocalFile] = (), *, run: str | None = None, at: datetime | None = None
    ) -> str:
        """The run's id; it began `at`, or now."""
        began = (at or datetime.now(UTC)).isoformat(timespec="seconds")
        started = RunStarted(id=run or new_id(), question=question, model="m", files=tuple(f.file for f in inputs), at=began)
        self.notes += await self.recorder.take(started, inputs)
        return started.id

    async def take(self, *events: Event) -> None:
        for event in events:
            self.notes += await self.recorder.take(event)

    async def end(self) -> None:
        self.notes += await self.recorder.settled()
        self.recorder.finish()

    async def keep(
        self, question: str = "How many?", inputs: Sequence[LocalFile] = (), *, run: str | None = None, at: datetime | None = None
    ) -> str:
        """A whole run that is answered."""
        made = await self.begin(question, inputs, run=run, at=at)
        await self.take(*happened(question))
        await self.end()
        return made

    async def made(self, name: str, content: bytes, code_id: str = "c1") -> FileMade:
        """A file that the code made, in the store."""

        async def pieces() -> AsyncIterator[bytes]:
            yield content

        return await self.store.add(name, pieces(), code_id=code_id)
