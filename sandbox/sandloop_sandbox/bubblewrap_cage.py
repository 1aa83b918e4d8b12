"""A bubblewrap sandbox's life: started closed, checked from inside; ended by hanging up. Blocking; used from threads."""

from __future__ import annotations

import contextlib
import fcntl
import os
import platform
import re
import secrets
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sandloop.errors import SandboxError, SandboxLost
from sandloop.events import SandboxOpened
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop_sandbox.bubblewrap_packages import Prepared
from sandloop_sandbox.bubblewrap_policy import COUNTS_PER_SANDBOX, Who, check_facts, not_limited, supervisor_arguments
from sandloop_sandbox.bubblewrap_process import Link, start
from sandloop_sandbox.bubblewrap_program import Program, why_it_ended
from sandloop_sandbox.container import START_SECONDS, answer
from sandloop_sandbox.line import Line
from sandloop_sandbox.policy import FIRST_UID, LAST_UID

SETTLE_SECONDS = 3.0
GONE_SECONDS = 5.0
"""From hanging up to the end of all its processes; some hundredths of a second."""


def new_who() -> Who:
    """Who the code of a session is: for root somebody that the machine does not know, fresh for each session."""
    root = os.geteuid() == 0
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    kernel: tuple[int, ...] = tuple(map(int, found.groups())) if found else ()
    return Who(
        session=secrets.token_hex(8),
        uid=FIRST_UID + secrets.randbelow(LAST_UID - FIRST_UID),
        own_uid=root,
        counted=root or kernel >= COUNTS_PER_SANDBOX,
    )


class BubblewrapCage:
    """One sandbox, for one session."""

    def __init__(self, limits: Limits, options: SandboxOptions) -> None:
        self.limits, self.options = limits, options
        self.who = new_who()
        self._lock = threading.Lock()
        self._ended, self._starting = False, True
        self._creating, self._settled = False, threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._line: Line | None = None
        self._link: Link | None = None
        self._in_use = -1
        self._engine = self._image = ""

    @property
    def line(self) -> Line:
        if self._line is None or self._ended:
            raise SandboxLost(said="it was closed")
        return self._line

    def opened(self, *, seconds: float) -> SandboxOpened:
        """What it is made of."""
        return SandboxOpened(
            sandbox=self.options.engine,
            id=self.who.session,
            engine=self._engine,
            image=self._image,
            packages=self.options.packages,
            seconds=round(seconds, 4),
            not_limited=not_limited(self.who),
        )

    def start(self, program: Program, prepared: Prepared) -> None:
        """Start and check it. Raises a `SandboxError`, and then leaves nothing."""
        with self._lock:
            if self._ended:
                raise SandboxLost(said="it was closed before it started")
            self._creating = True
        self._engine, self._image = f"bubblewrap {program.version}", prepared.folder.name
        well = False
        try:
            self._begin(program, prepared)
            self._check()
            well = True
        finally:
            with self._lock:
                self._starting = False
                well = well and not self._ended
                self._ended = not well
            if not well:
                self._see_it_gone()
            self._settled.set()
        if not well:
            raise SandboxLost(said="it was closed while it started")

    def _begin(self, program: Program, prepared: Prepared) -> None:
        self._in_use = os.open(prepared.folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
        fcntl.flock(self._in_use, fcntl.LOCK_SH)  # what is in use is not pruned
        link = self._link = Link()
        cores = len(os.sched_getaffinity(0))
        inside = supervisor_arguments(self.limits, self.who, cores)
        try:
            self._process = self._started(program, prepared, inside, link.streams())
        finally:
            link.given()
        self._line = Line(link, multiplexed=False, complaint=link.complaint)

    def _started(
        self, program: Program, prepared: Prepared, inside: Sequence[str], streams: Mapping[str, Any]
    ) -> subprocess.Popen[bytes]:
        return start(program, prepared, self.limits, self.who, inside, streams)

    def _check(self) -> None:
        line = self.line
        try:
            facts = answer(line, *line.read(time.monotonic() + START_SECONDS))
        except SandboxLost as error:
            raise self._why_it_never_spoke(error) from error
        if facts is None or facts.get("op") != "ready":
            raise line.lost("it began with another word than 'ready'")
        check_facts(facts, self.limits, self.who)

    def _why_it_never_spoke(self, error: SandboxLost) -> SandboxError:
        assert self._process is not None  # noqa: S101 - there is a line
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        if self._ended or self._line is None or self._process.returncode in (None, 0):
            return error
        return why_it_ended(self._line.complaints())

    def end(self) -> None:
        """Hang up: the supervisor sees its line end and ends the sandbox. Idempotent, quick."""
        with self._lock:
            ended, self._ended = self._ended, True
            if ended or self._starting:  # the thread that starts it sees that it has to end
                return
        self._hang_up()
        with contextlib.suppress(RuntimeError):  # the interpreter is ending; the sandbox ends by itself
            threading.Thread(target=self._see_it_gone, name="sandloop-close", daemon=True).start()

    def see_it_settled(self) -> None:
        """Wait until a start that was given up has ended what it began: our process may be about to end, with its threads."""
        if self._creating:
            self._settled.wait(SETTLE_SECONDS)

    def see_it_gone(self, seconds: float) -> bool:
        """Whether every process of it goes within that time."""
        try:
            if self._process is not None:
                self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.hang_up()

    def _see_it_gone(self) -> None:
        self._hang_up()
        if self._process is not None and not self.see_it_gone(GONE_SECONDS):
            self._process.kill()  # and its first process with it
            self._process.wait()
        if self._link is not None and self._line is None:
            self._link.close()
        in_use, self._in_use = self._in_use, -1
        with contextlib.suppress(OSError):
            os.close(in_use)
