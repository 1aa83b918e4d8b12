"""A conversation with the Anthropic provider driven by hand, as the loop would: history, files on disk, a store."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import aclosing
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sandloop.events import Event, InputFile, RunStarted
from sandloop.limits import Limits
from sandloop.ports import LocalFile, ModelChoice, Turn
from sandloop.store import FileStore
from sandloop_providers.anthropic import Claude, anthropic
from wire.anthropic_server import AnthropicServer
from wire.anthropic_state import KEY

E = TypeVar("E")


class Talk:
    """`async with Talk(server, tmp_path) as talk`: closes the provider at the end."""

    def __init__(
        self,
        server: AnthropicServer | str,
        folder: Path,
        *,
        native: bool = True,
        limits: Limits | None = None,
        show_pictures: bool = True,
        choice: ModelChoice | None = None,
    ) -> None:
        url = server if isinstance(server, str) else server.url
        self.provider: Claude = anthropic(choice or ModelChoice(provider="anthropic", base_url=url, key=KEY))
        self.folder, self.native, self.limits, self.show_pictures = folder, native, limits or Limits(), show_pictures
        self.store = FileStore(file_bytes=self.limits.file_bytes)
        self.files: list[LocalFile] = []
        self.history: list[Event] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.provider.close()

    def ask(self, question: str, **files: bytes) -> None:
        """A question; a keyword `a_csv` is a file `a.csv`."""
        new: list[LocalFile] = []
        for name, content in files.items():
            path = self.folder / name.replace("_", ".")
            path.write_bytes(content)
            sha256 = hashlib.sha256(content).hexdigest()
            file = InputFile(name=path.name, size=len(content), mime="text/csv", sha256=sha256)
            new.append(LocalFile(file=file, path=path))
        self.files += new
        self.history.append(
            RunStarted(
                id="r",
                question=question,
                model="claude",
                files=tuple(f.file for f in self.files),
                new_files=tuple(f.file.name for f in new),
            )
        )

    async def reply(self) -> list[Event]:
        """One reply; its events are in the history too, also those before an error."""
        start = len(self.history)
        turn = Turn(native=self.native, files=self.files, sink=self.store, limits=self.limits, show_pictures=self.show_pictures)
        async with aclosing(self.provider.reply(tuple(self.history), turn)) as events:
            async for event in events:
                self.history.append(event)
        return self.history[start:]


def only(events: Sequence[Event], kind: type[E]) -> list[E]:
    """The events of one kind."""
    return [e for e in events if isinstance(e, kind)]
