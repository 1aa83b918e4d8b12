"""What a proof is made of: lines that attack, what both sides saw of it, and a verdict on that.

The lines run as a cell of a real session. They say as JSON which attempts they made and what each got, so that silence or a
crash never counts as held; what the host saw itself (visits, canaries, clocks, the engine's own record) comes first.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from sandloop.events import CodeRan
from sandloop.limits import Limits
from sandloop.ports import Proof, SandboxSession

PRELUDE = """
import ctypes, json, os, socket, subprocess, sys, time
tried = []
def attempt(what, call, *arguments):
    # Notes that it was made, and the error number: 0 when it came through.
    try: got = call(*arguments)
    except OSError as error: tried.append([what, error.errno or -1, '']); return None
    except ValueError: tried.append([what, 1, '']); return None   # resource.setrlimit says it so
    tried.append([what, 0, repr(got)[:100]])
    return got
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    got = libc.syscall(ctypes.c_long(number), *[a if isinstance(a, (bytes, ctypes.Array)) else ctypes.c_long(a) for a in arguments])
    if got == -1: raise OSError(ctypes.get_errno(), 'refused')
    return got
def tell(**more):
    print('\\nTOLD ' + json.dumps({'tried': tried, **more}), flush=True)
"""
PROOF_LIMITS = Limits(
    step_seconds=20,
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


_numbers = itertools.count(1)


async def tell(session: SandboxSession, given: Given, lines: str, language: Literal["python", "bash"] = "python") -> Seen:
    """Run lines in a session, and hear what they tell."""
    head = f"{PRELUDE}given = json.loads({json.dumps(dict(given))!r})\n" if language == "python" else ""
    began = time.monotonic()
    ran = await session.run(f"probe-{next(_numbers)}", head + lines, language, lambda stream, text: None)
    return Seen(given=given, ran=ran, told=told(ran.stdout), seconds=time.monotonic() - began)


def told(stdout: str) -> dict[str, Any]:
    """The last thing that lines told; empty when they told nothing that can be read."""
    for line in reversed(stdout.splitlines()):
        if line.startswith("TOLD "):
            try:
                found = json.loads(line.removeprefix("TOLD "))
            except ValueError:
                return {}
            return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]
    return {}


def lines(source: str) -> Act:
    """An attack of one cell in the shared session."""

    async def act(stage: Stage) -> Seen:
        session = await stage.session()
        seen = await tell(session, stage.given, source)
        return with_host(seen, stage, session)

    return act


def with_host(seen: Seen, stage: Stage, session: SandboxSession, **more: Any) -> Seen:
    """The same, with what this machine and its engine say."""
    about = stage.ground.about(session.opened.id)
    host = {**stage.host.seen(), "process": stage.host.process(about), **more}
    return replace(seen, host=host, about=about)


def attempts(seen: Seen, about: str = "") -> list[tuple[str, int, str]]:
    """The attempts whose name begins so: name, error number (0: it came through), and what it got."""
    rows: list[Any] = seen.told.get("tried", [])
    return [(str(what), int(number), str(got)) for what, number, got in rows if str(what).startswith(about)]


def refused(about: str = "", *, least: int = 1, by: frozenset[int] | None = None) -> Judge:
    """Held when at least so many attempts were made and each was refused; with `by`, with one of these error numbers.

    On another kernel than this machine's, any refusal will do.
    """

    def judge(seen: Seen) -> Verdict:
        made = attempts(seen, about)
        if len(made) < least:
            return not_made(seen, f"{len(made)} of {least} attempts were made")
        fine = None if seen.given.get("own_kernel") else by
        through = [(what, number) for what, number, _ in made if not number or (fine is not None and number not in fine)]
        if through:
            return Verdict(held=False, happened="; ".join(f"{what}: {_answer(number)}" for what, number in through[:4]))
        names = sorted({os.strerror(number) for _, number, _ in made if number > 0})
        return Verdict(held=True, happened=f"{len(made)} attempt{'s' if len(made) > 1 else ''} refused: {', '.join(names).lower()}")

    return judge


def not_made(seen: Seen, why: str) -> Verdict:
    """An attack that did not take place proves nothing."""
    ran = seen.ran
    end = ran.error.value if ran.error else ran.stderr.strip().rpartition("\n")[2]
    how = f"exit {ran.exit_code}, stopped by {ran.stopped_by}" + (f": {end[:200]}" if end else "")
    return Verdict(held=False, happened=f"not shown: {why} ({how})")


def both(first: Judge, second: Judge) -> Judge:
    """Held when both say so; what is said is the first that does not hold, or both."""

    def judge(seen: Seen) -> Verdict:
        one, other = first(seen), second(seen)
        if one.held and other.held:
            return Verdict(held=True, happened=f"{one.happened}; {other.happened}")
        return other if one.held else one

    return judge


def needs(key: str, check: Callable[[Seen, Any], Verdict]) -> Judge:
    """A judge of one thing that the lines told; when they did not tell it, nothing was shown."""

    def judge(seen: Seen) -> Verdict:
        if key not in seen.told:
            return not_made(seen, "the lines did not come to their end")
        return check(seen, seen.told[key])

    return judge


def _answer(number: int) -> str:
    return "came through" if not number else f"the kernel answered {errno.errorcode.get(number, number)}"
