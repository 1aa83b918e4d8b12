"""The zygote and the kernel: started, replaced, and never believed about their own life or death."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping

from . import frames, processes
from .hostlink import HostLink

OURS = "/opt"
"""Where our package lies, under the name `sandloop`: it imports its own modules relatively, here and in the checkout."""
PYTHON = "/usr/local/bin/python3"
LOADING_SECONDS = 60.0
"""How long the zygote may take to import its libraries on a slow, busy machine."""
FORK_SECONDS = 10.0
MAX_DEAD, BURY_SECONDS = 8, 1.0
BURY = 0
"""Number of the cell that asks the kernel to take note of its dead children."""
HEAVY = ("pandas", "numpy", "matplotlib", "seaborn", "sklearn", "scipy", "statsmodels", "pyarrow", "duckdb", "pd.", "np.", "plt.")
"""A first cell that has none of these words need not wait until the zygote has imported them."""


def program(module: str) -> list[str]:
    """The command line of one of our programs: isolated, by absolute path, from its compiled form."""
    start = f"import sys; sys.path.append({OURS!r}); from sandloop.{module} import main; main()"
    return [PYTHON, "-I", "-c", start]


class Pipes:
    """The pipes that every kernel of the session uses, one after the other. We hold both ends of each."""

    def __init__(self) -> None:
        self.out_r, self.out_w = os.pipe()
        self.err_r, self.err_w = os.pipe()
        self.cells_r, self.cells_w = os.pipe()
        self.claims_r, self.claims_w = os.pipe()
        for ours in (self.out_r, self.err_r, self.cells_w, self.claims_r):
            os.set_blocking(ours, False)

    def kernels(self) -> dict[int, int]:
        """What a kernel is started with: see `kernel.py`."""
        return {10: self.out_w, 11: self.err_w, 12: self.cells_r, 13: self.claims_w}

    def empty(self) -> None:
        """Throw away what a dead kernel left unread."""
        for reader in (self.out_r, self.err_r, self.claims_r):
            while read_some(reader):
                pass
        # The end the kernels read from blocks.
        poll = select.poll()
        poll.register(self.cells_r, select.POLLIN)
        while poll.poll(0):
            os.read(self.cells_r, 1 << 16)


class Interpreters:
    """Holds at most one zygote and one kernel."""

    def __init__(self, host: HostLink, env: Mapping[str, str]) -> None:
        self._host, self._env = host, env
        self.pipes = Pipes()
        self.kernel: int | None = None
        self.zygote: int | None = None
        self.exits: dict[int, int] = {}
        self._ready = self._ordered = False
        self._text = b""
        self._killed = 0
        self._orders, self._replies = -1, -1
        self._start_zygote()

    def keep(self) -> set[int]:
        """The processes that live on between steps."""
        return {pid for pid in (self.kernel, self.zygote) if pid is not None}

    def watched(self) -> tuple[int, ...]:
        """Descriptors that wake the idle supervisor."""
        return (self._replies,) if self.zygote is not None else ()

    def look(self) -> None:
        """Take note of deaths and of what the zygote said. Never waits."""
        self.exits.update(processes.reap())
        if self.kernel in self.exits:
            self.kernel = None
        if self.zygote in self.exits:
            self._start_zygote()
        self._text += read_some(self._replies)
        while b"\n" in self._text:
            line, _, self._text = self._text.partition(b"\n")
            self._heard(line[:20])

    def order_kernel(self) -> None:
        """Have the zygote fork a kernel as soon as it can, if there is none."""
        if self._ready and self.kernel is None and not self._ordered:
            self.pipes.empty()
            os.write(self._orders, b"k")
            self._ordered = True

    def ensure_kernel(self, source: str) -> int:
        """The pid of the kernel: the one there is, or the quickest to have that will do for this source."""
        self.look()
        while read_some(self.pipes.claims_r):
            pass
        end = time.monotonic() + LOADING_SECONDS
        while self.kernel is None and time.monotonic() < end:
            if not self._ready and not any(word in source for word in HEAVY):
                break
            self.order_kernel()
            if self._ordered:
                end = min(end, time.monotonic() + FORK_SECONDS)
            self._host.wait(0.05, *self.watched())
            self.look()
        if self.kernel is None:
            self.pipes.empty()
            self.kernel = processes.spawn(program("kernel"), self._env, "/", self.pipes.kernels())
        return self.kernel

    def settle(self) -> None:
        """After a step: freeze everybody, kill who does not belong to the next step, let the zygote go on."""
        self._freeze_and_kill()
        if self._killed > MAX_DEAD and self.kernel is not None:
            self._have_dead_buried(self.kernel)
            self._freeze_and_kill()
        if self.zygote is not None:
            processes.tell(self.zygote, signal.SIGCONT)
        self.look()

    def _freeze_and_kill(self) -> None:
        self._killed += processes.kill_all_but(self.keep(), processes.freeze())
        self.look()

    def _have_dead_buried(self, kernel: int) -> None:
        """The dead children of the kernel count as processes until it takes note of them; nobody else can."""
        processes.tell(kernel, signal.SIGCONT)
        os.write(self.pipes.cells_w, cell_frame(BURY, ""))
        end = time.monotonic() + BURY_SECONDS
        while not read_some(self.pipes.claims_r):
            self._host.wait(0.02, self.pipes.claims_r)
            if time.monotonic() > end:
                self.kernel = None  # it is somebody else's by now: killed with the rest
                break
        self._killed = 0

    def _heard(self, line: bytes) -> None:
        if line == b"ready":
            self._ready = True
            self.order_kernel()
        elif line.isdigit() and self._ordered:
            self._ordered = False
            if int(line) not in self.exits:
                self.kernel = int(line)

    def _start_zygote(self) -> None:
        for old in (self._orders, self._replies):
            if old >= 0:
                os.close(old)
        orders_r, self._orders = os.pipe()
        self._replies, replies_w = os.pipe()
        os.set_blocking(self._replies, False)
        self._ready, self._ordered, self._text = False, False, b""
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        mine = {1: null, 2: null, **self.pipes.kernels(), 14: orders_r, 15: replies_w}
        self.zygote = processes.spawn(program("zygote"), self._env, "/", mine, score=500)
        for theirs in (null, orders_r, replies_w):
            os.close(theirs)


def read_some(descriptor: int) -> bytes:
    """What stands in a non-blocking pipe, at most 64 KiB; empty when there is nothing."""
    try:
        return os.read(descriptor, 1 << 16)
    except BlockingIOError:
        return b""


def cell_frame(number: int, source: str) -> bytes:
    """A cell on its way to the kernel."""
    return frames.frame(frames.COMMAND, f"{number}\0{source}".encode())
