"""What a proof is made of: lines that attack, what both sides saw of it, and a verdict on that.

The lines run as a cell of a real session. They say as JSON which attempts they made and what each got, so that silence or a
crash never counts as held; what the host saw itself (visits, canaries, clocks, the engine's own record) comes first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from sandloop.events import CodeRan
from sandloop.limits import Limits
from sandloop.ports import Proof, SandboxSession

PROOF_LIMITS = Limits(
    step_seconds=60,
    memory=100_000_000,
    cpus=2,
    processes=64,
    input_bytes=20_000_000,
    disk=20_000_000,
    file_bytes=10_000_000,
    output_kept=20_000,
    output_total=50_000_000,
    session_seconds=240,
)
"""Small, so that each is met soon. How a limit is applied does not depend on its size."""

Given = Mapping[str, Any]
"""What the attacker is told, and the judge knows: addresses, canaries, numbers of system calls."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the control held, and what happened, in words."""

    held: bool | None
    happened: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What came of an attack, from both sides."""

    given: Given
    ran: CodeRan
    told: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the lines said of their attempts; empty when they said nothing."""
    seconds: float = 0.0
    """By our own clock."""
    host: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What we saw ourselves."""
    about: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The engine's record of the container; empty when it keeps none."""


class Ground(Protocol):
    """An engine under proof, as far as the proof has to know it."""

    own_kernel: bool
    """Whether the code runs on another kernel than this machine's, which answers in its own way."""
    lacks: Mapping[str, str]
    """Controls that this engine can't have, each with the reason."""
    shown: frozenset[str]
    """Folders and files of this machine that the sandbox is shown on purpose, by their place inside; read-only."""

    async def open(self, limits: Limits) -> SandboxSession:
        """A fresh session. Raises a `SandboxError`."""
        ...

    def about(self, session: str) -> Mapping[str, Any]:
        """The engine's record of that session's container; empty when there is none (any more)."""
        ...

    def log(self, session: str) -> bytes:
        """What the engine keeps of a session's output."""
        ...

    def client(self) -> tuple[list[str], bytes]:
        """A program that opens a session, prints its id and waits, and what it reads from its standard input."""
        ...

    def made(self, session: str) -> None:
        """Take note of a session that somebody else made for the proof."""
        ...

    def clean(self) -> None:
        """Remove whatever the proof has made and is still there."""
        ...


class Stage(Protocol):
    """Where a probe plays: one session that several probes share, and more for those that need them."""

    ground: Ground
    given: Given
    host: Any
    """The witness of this machine: see `witness.Witness`."""

    async def session(self) -> SandboxSession:
        """The shared session, opened anew when it was lost."""
        ...

    async def open(self, limits: Limits = PROOF_LIMITS) -> SandboxSession:
        """A session of its own, closed at the end of the proof."""
        ...


Act = Callable[[Stage], Awaitable[Seen]]
Judge = Callable[[Seen], Verdict]
Room = Literal["plain", "rough", "clock", "slow", "life"]
"""Probes of one room share a session, one after the other; the rooms play at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One control, and how it is put to the test."""

    control: str
    tried: str
    act: Act
    judge: Judge
    room: Room = "plain"

    def proof(self, verdict: Verdict) -> Proof:
        return Proof(control=self.control, tried=self.tried, happened=verdict.happened, held=verdict.held)
