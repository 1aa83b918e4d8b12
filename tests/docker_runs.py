"""What the tests on a real engine share: small limits, a run that collects its live output, a file to put in."""

from __future__ import annotations

import ast
import hashlib
import itertools
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Literal

from sandloop.events import CodeRan, InputFile, Language
from sandloop.limits import MB, Limits
from sandloop.ports import LocalFile, SandboxSession

SMALL = Limits(
    step_seconds=20,
    memory=300 * MB,
    cpus=2,
    processes=64,
    input_bytes=50 * MB,
    disk=20 * MB,
    file_bytes=10 * MB,
    output_kept=20_000,
    output_total=50 * MB,
    session_seconds=300,
)
Open = Callable[[Limits], Awaitable[SandboxSession]]
_ids = itertools.count(1)


class Live:
    """What came while a cell ran."""

    def __init__(self) -> None:
        self.pieces: list[tuple[str, str]] = []

    def __call__(self, stream: Literal["stdout", "stderr"], text: str) -> None:
        self.pieces.append((stream, text))

    def text(self, stream: str) -> str:
        return "".join(text for name, text in self.pieces if name == stream)


async def run(session: SandboxSession, source: str, language: Language = "python", live: Live | None = None) -> CodeRan:
    """Run a cell."""
    return await session.run(f"code-{next(_ids)}", source, language, live or Live())


async def says(session: SandboxSession, source: str, language: Language = "python") -> str:
    """What a cell prints, when it ends well."""
    ran = await run(session, source, language)
    assert ran.ok, ran
    return ran.stdout.strip()


async def value(session: SandboxSession, source: str) -> object:
    """The last expression of a cell, as a Python value."""
    return ast.literal_eval(await says(session, source))


def local_file(path: Path) -> LocalFile:
    """A file of this machine as core hands it over."""
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return LocalFile(file=InputFile(name=path.name, size=len(data), mime="application/octet-stream", sha256=digest), path=path)


async def fetched(session: SandboxSession, name: str) -> bytes:
    """The bytes of a file of the working folder."""
    return b"".join([piece async for piece in session.get(name)])
