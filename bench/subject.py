"""What is measured: something that opens sessions, each with files and a way to run code."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

FILE = "data.csv"
"""The name under which every input file stands in the folder where code runs."""


class Opened(Protocol):
    """One open session."""

    warm: bool
    """It comes from a pool."""

    @property
    def container(self) -> str:
        """The container's name."""
        ...

    async def run(self, code: str) -> str:
        """What the code prints."""
        ...

    async def put(self, path: Path) -> None:
        """Copy a file in, as `data.csv`."""
        ...

    async def get(self, name: str) -> int:
        """Fetch a file and drop it; how many bytes came."""
        ...

    async def close(self) -> None: ...


class Subject(Protocol):
    """One way to run code in containers."""

    name: str
    blocking: bool
    """Its calls block the thread, so that several at once need threads; otherwise one event loop does."""

    async def ready(self) -> None:
        """Make ready what a user would have ready. Not measured."""
        ...

    async def open(self) -> Opened:
        """A session that nobody used before."""
        ...

    async def close(self) -> None:
        """End what is kept."""
        ...
