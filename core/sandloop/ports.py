"""The two seams: what a model provider and a sandbox owe the loop.

Core finds both by name through entry points (`sandloop.providers`, `sandloop.sandboxes`); ours use the same door as anybody's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from sandloop.events import CodeRan, Event, FileMade, InputFile, Language, SandboxOpened
from sandloop.limits import Limits
from sandloop.options import SandboxOptions


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalFile:
    """An input file and where its bytes are on this machine."""

    file: InputFile
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelChoice:
    """Which model to open and how. `key` never leaves the provider: not in events, errors or logs."""

    provider: str
    model: str | None = None
    """None: the provider's default."""
    base_url: str | None = None
    key: str | None = field(default=None, repr=False)
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    runs: Path | None = None
    """Where runs are kept, for a provider that answers from one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider can do, as data; `choose_route` reads it and nothing else does."""

    runs_code: bool = False
    runs_code_why: str = ""
    """Why it does not, in words for the user, where it is not plain."""
    file_bytes: int | None = None
    """The largest file the native route takes."""
    total_bytes: int | None = None
    auto_bytes: int | None = None
    """All files together, above which `auto` goes local: they would be taken, but not used well."""
    auto_types: tuple[str, ...] | None = None
    """Beginnings of the MIME types with which `auto` goes native; None: any."""
    returns_files: bool = True
    """False: of all that the code makes, only pictures come back."""
    sees_pictures: bool = False


class FileSink(Protocol):
    """Where bytes that came back go; bounded by the run's limits."""

    async def add(
        self, name: str, chunks: AsyncIterator[bytes], *, code_id: str | None = None, change: Literal["new", "changed"] = "new"
    ) -> FileMade:
        """Keep the bytes under a cleaned name. Raises `BadFile` when they are more than `Limits.file_bytes`."""
        ...

    def path(self, sha256: str) -> Path:
        """Where the bytes of a `FileMade` are."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What a provider needs beside the history to make its next reply."""

    native: bool
    files: Sequence[LocalFile]
    """All input files of the session. On the local route only their names matter, and they must not be uploaded."""
    sink: FileSink
    limits: Limits
    show_pictures: bool = True


class Provider(Protocol):
    """A model that replies. Opened by its entry point: a callable `(ModelChoice) -> Provider`."""

    name: str
    model: str

    async def capabilities(self) -> Capabilities:
        """Asked from the server where it can say; never raises for a server that can't."""
        ...

    def reply(self, history: Sequence[Event], turn: Turn) -> AsyncGenerator[Event]:
        """One reply to all that has happened, ending with exactly one `ReplyEnded`.

        On the native route it yields `CodeWritten`, `CodeRan` and `FileMade` itself. On the local route it yields text and tool
        calls, and the loop finds the code. Raises a `ProviderError`; cancelling the iteration closes the request.
        """
        ...

    async def close(self) -> None:
        """Delete what was uploaded and what the provider made for us. Idempotent; never raises."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAbout:
    """What a provider says of itself, for `sandloop models`."""

    title: str
    native: str = ""
    """What runs code at the provider; empty where nothing does."""
    limits: str = ""
    """What is known of the native route's limits, in words."""


class ProviderFactory(Protocol):
    """What an entry point in `sandloop.providers` names.

    It may also have `about: ProviderAbout`, and `async def listed(self, choice: ModelChoice) -> list[str]`, which asks the server
    for its models and raises a `ProviderError`; both are for `sandloop models`. And `computes_here(self, choice: ModelChoice) ->
    bool`, whether the model itself runs on this machine: of those, a comparison asks one at a time.
    """

    key_variables: tuple[str, ...]
    """Environment variables that may hold the key, nearest first; empty when it needs none."""
    default_model: str | None

    def __call__(self, choice: ModelChoice) -> Provider:
        """Raises `MissingKey`, `MissingExtra` or `UsageError`; makes no request."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundFile:
    """A regular file in the working folder. `version` changes when the file does."""

    name: str
    """Relative to the working folder, as the sandbox says it: not trusted."""
    size: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The working folder, and what was left out of the listing with the reason."""

    files: tuple[FoundFile, ...] = ()
    skipped: tuple[tuple[str, str], ...] = ()


OnOutput = Callable[[Literal["stdout", "stderr"], str], None]


class SandboxSession(Protocol):
    """One closed place with state. Three outcomes never mix: the code ran, a limit stopped it (both `CodeRan`), or the
    sandbox failed (`SandboxError`)."""

    opened: SandboxOpened
    """What it is made of."""

    async def put(self, files: Iterable[LocalFile]) -> None:
        """Copy files in, under their names, read-only for the code."""
        ...

    async def preview(self, name: str) -> str:
        """A short description of an input file, made inside."""
        ...

    async def run(self, code_id: str, source: str, language: Language, on_output: OnOutput) -> CodeRan:
        """Run one cell within the limits. `on_output` is called with bounded pieces, perhaps from another thread."""
        ...

    async def files(self) -> Listing:
        """What stands in the working folder now."""
        ...

    def get(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of one listed file, in pieces."""
        ...

    async def interrupt(self) -> None:
        """Stop the running cell: interrupted first, killed when that does not help."""
        ...

    async def close(self) -> None:
        """End it and leave nothing. Idempotent; returns before the engine has finished."""
        ...


class Sandbox(Protocol):
    """Opens sessions. Named by an entry point in `sandloop.sandboxes`: a `SandboxFactory`."""

    async def open(self) -> SandboxSession:
        """A fresh session that nobody used before. Raises `SandboxError`."""
        ...


OnProgress = Callable[[str], None]
"""Told, a line at a time, of long set-up such as the first build of the image."""


class SandboxFactory(Protocol):
    """What an entry point in `sandloop.sandboxes` names."""

    def __call__(self, limits: Limits, options: SandboxOptions, on_progress: OnProgress) -> Sandbox:
        """Raises `BadSetting` for an option that this engine can't honour; starts nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A sandbox that the engine has now, made by us."""

    id: str
    state: Literal["in use", "ready", "left over"]
    """`ready` waits in a pool; `left over` has no owner any more, and is what `prune` removes."""
    owner: str
    """The process that made it, in words."""
    created: str
    """UTC, ISO 8601."""
    memory: int | None
    """Bytes it holds now, what it shares with others counted in part; None when the engine can't say."""
    deadline: str = ""
    """UTC, ISO 8601: when it may be removed whoever owns it; empty when there is no such time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One control of the sandbox, put to the test."""

    control: str
    tried: str
    happened: str
    held: bool | None
    """None: this engine has no such control, which `happened` says."""


class SandboxTools(Protocol):
    """What can be done with an engine beside opening sandboxes. Named by an entry point in `sandloop.sandbox_tools`: a callable
    `(SandboxOptions) -> SandboxTools`. Every call may raise `SandboxError`."""

    def ps(self) -> list[Held]:
        """The sandboxes there are, the oldest first."""
        ...

    def prune(self, on_progress: OnProgress) -> int:
        """Remove sandboxes without an owner, and images of ours that are out of date; returns how many. Nobody else's."""
        ...

    def build(self, on_progress: OnProgress) -> str:
        """Build the image for the options' packages, unless it is there; returns its name."""
        ...

    def prove(self, on_progress: OnProgress) -> list[Proof]:
        """Open sandboxes and attack them from inside."""
        ...


class SandboxToolsFactory(Protocol):
    """What an entry point in `sandloop.sandbox_tools` names."""

    def __call__(self, options: SandboxOptions) -> SandboxTools: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the doctor: what was looked at, how it stands, and the exact next command where there is one."""

    what: str
    state: Literal["ready", "missing", "optional", "warning"]
    """`optional` is missing but not needed; `warning` is there and to be known."""
    says: str
    do: str = ""
