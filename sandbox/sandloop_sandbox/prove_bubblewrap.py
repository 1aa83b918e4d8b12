"""Bubblewrap under proof: sessions as everybody gets them, what this machine's kernel says of them, and a weakened command line.

What it can't bound is not put to the test: `lacks`, with the reasons that every session gives.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from anyio import to_thread

from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.ports import OnProgress, Proof
from sandloop_sandbox.bubblewrap import packages
from sandloop_sandbox.bubblewrap_cage import BubblewrapCage, new_who
from sandloop_sandbox.bubblewrap_held import found
from sandloop_sandbox.bubblewrap_packages import Prepared
from sandloop_sandbox.bubblewrap_policy import NOT_LIMITED, PROCESSES_NOT_LIMITED, Who
from sandloop_sandbox.bubblewrap_process import start
from sandloop_sandbox.bubblewrap_program import Program, find_program
from sandloop_sandbox.bubblewrap_root import shown
from sandloop_sandbox.container import START_SECONDS, answer
from sandloop_sandbox.policy import Host
from sandloop_sandbox.probe import PROOF_LIMITS
from sandloop_sandbox.prove import prove_on
from sandloop_sandbox.prove_docker import hashable
from sandloop_sandbox.session import LineSession

Change = Mapping[str, Any]
"""What is changed in the command: `without` are names of arguments with the number of values that go with them, `more` is put
at the end of its arguments."""
Weakening = Callable[[], Change]
"""Asked anew for each sandbox."""


def lacks(who: Who) -> dict[str, str]:
    """Controls that it can't have, for want of control groups, of root or of a newer kernel, each with the reason."""
    memory, processors, files = (f"not bounded: {what}" for what in NOT_LIMITED)
    found = {
        "memory: many processes": memory,
        "memory: no swap": "not bounded: swap; that takes a control group",
        "processors": processors,
        "scratch: number of files": files,
    }
    if not who.counted:
        found["processes"] = f"not bounded: {PROCESSES_NOT_LIMITED}"
    if not who.own_uid:
        found["sessions: a user of its own"] = (
            "on the machine each is the user who started it, which root alone can arrange otherwise"
        )
    return found


class BubblewrapGround:
    """A `Ground` on bubblewrap."""

    own_kernel = False

    def __init__(self, program: Program, prepared: Prepared, options: SandboxOptions, weaken: Weakening | None) -> None:
        self.lacks: Mapping[str, str] = lacks(new_who())
        self.shown = frozenset(shown(prepared).folders)
        self._program, self._prepared, self._options, self._weaken = program, prepared, options, weaken
        self._made: set[str] = set()

    async def open(self, limits: Limits) -> LineSession:
        return await to_thread.run_sync(lambda: self._open(limits))

    def _open(self, limits: Limits) -> LineSession:
        change = self._weaken() if self._weaken else None
        session = open_weakened(self._program, self._prepared, limits, self._options, change)
        self._made.add(session.opened.id)
        return session

    def about(self, session: str) -> Mapping[str, Any]:
        for one in found():
            if one.held.id == session:
                return {"Id": session, "Here": True, "State": {"Pid": _supervisor(one.pid)}}
        return {}

    def log(self, session: str) -> bytes:
        return b""  # nothing stands between the sandbox and us

    def client(self) -> tuple[list[str], bytes]:
        asked = {"options": asdict(self._options), "change": self._weaken() if self._weaken else None, "path": sys.path}
        lines = "import json, sys; asked = json.load(sys.stdin); sys.path[:] = asked['path']; "
        lines += "from sandloop_sandbox.prove_bubblewrap import hold; hold(asked)"
        return [sys.executable, "-c", lines], json.dumps(asked).encode()

    def made(self, session: str) -> None:
        self._made.add(session)

    def clean(self) -> None:
        for one in found():
            if one.held.id in self._made:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)


def prove(
    options: SandboxOptions, on_progress: OnProgress, weaken: Weakening | None = None, only: Collection[str] | None = None
) -> list[Proof]:
    """Put the controls to the test on this machine's bubblewrap. Raises a `SandboxError` when no sandbox can be opened."""
    program = find_program()
    ground = BubblewrapGround(program, packages(program, options, on_progress), options, weaken)
    machine = Host(cpus=os.cpu_count() or 1, memory=os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return prove_on(ground, machine, on_progress, only)


def open_weakened(
    program: Program, prepared: Prepared, limits: Limits, options: SandboxOptions, change: Change | None = None
) -> LineSession:
    """A session as everybody gets it; with a change, one whose start-up self-test is switched off too."""
    began = time.monotonic()
    cage = BubblewrapCage(limits, options) if change is None else _Weakened(limits, options, change)
    cage.start(program, prepared)
    return LineSession(cage, cage.opened(seconds=time.monotonic() - began))


class _Weakened(BubblewrapCage):
    """A sandbox that is started otherwise and not checked."""

    def __init__(self, limits: Limits, options: SandboxOptions, change: Change) -> None:
        super().__init__(limits, options)
        self._change = change

    def _started(
        self, program: Program, prepared: Prepared, inside: Sequence[str], streams: Mapping[str, Any]
    ) -> subprocess.Popen[bytes]:
        return start(program, prepared, self.limits, self.who, inside, streams, lambda command: changed(command, self._change))

    def _check(self) -> None:
        line = self.line
        facts = answer(line, *line.read(time.monotonic() + START_SECONDS))
        if facts is None or facts.get("op") != "ready":
            raise line.lost("it began with another word than 'ready'")


def changed(command: Sequence[str], change: Change) -> list[str]:
    """The command with the change in it."""
    end = list(command).index("--")
    arguments, inside = list(command[:end]), list(command[end:])
    for name, values in change.get("without", {}).items():
        while name in arguments:
            at = arguments.index(name)
            del arguments[at : at + 1 + int(values)]
    return [*arguments, *change.get("more", ()), *inside]


def hold(asked: Mapping[str, Any]) -> None:
    """The client that is going to be killed: opens a session, says its id, and waits."""
    given: dict[str, Any] = {name: hashable(value) for name, value in asked["options"].items()}
    options, program = SandboxOptions(**given), find_program()
    prepared = packages(program, options, lambda line: None)
    session = open_weakened(program, prepared, PROOF_LIMITS, options, asked["change"])
    print("open", session.opened.id, flush=True)
    while True:
        time.sleep(60)


def _supervisor(pid: int) -> int:
    """The number, on this machine, of the first process inside: the only child of bubblewrap's own."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    return int(children[0]) if children else 0
