"""The zygote and the kernel: started, replaced, and never believed about their own life or death."""

# pathlib is half of the supervisor's start.
# ruff: noqa: PTH101

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping

from . import environment, frames, processes
from .folder import INPUT, WORK
from .hostlink import HostLink
from .pipes import Pipes, read_all, read_some

OURS = "/opt"
"""Where our package lies, under the name `sandloop`: it imports its own modules relatively, here and in the checkout."""
PYTHON = "/usr/local/bin/python3"
LOADING_SECONDS = 60.0
"""How long the zygote may take to import its libraries on a slow, busy machine."""
FORK_SECONDS = 10.0
MOST_FAILURES = 3
"""Zygotes that ended before they were ready, one after the other: then every kernel starts plain."""
MAX_DEAD, BURY_SECONDS = 8, 1.0
BURY = 0
"""Number of the cell that asks the kernel to take note of its dead children."""
KILLED = 128 + signal.SIGKILL
MAX_CELL = frames.MAX_PAYLOAD - 100
_MAX_EXITS = 4096
"""Exit codes kept, orphans' included."""
HEAVY = ("pandas", "numpy", "matplotlib", "seaborn", "sklearn", "scipy", "statsmodels", "pyarrow", "duckdb", "pd.", "np.", "plt.")
"""A first cell that has none of these words need not wait until the zygote has imported them."""


def program(module: str) -> list[str]:
    """The command line of one of our programs: isolated, by absolute path, from its compiled form."""
    start = f"import sys; sys.path.append({OURS!r}); from sandloop.{module} import main; main()"
    return [PYTHON, "-I", "-c", start]


class Interpreters:
    """Holds at most one zygote and one kernel."""

    def __init__(self, host: HostLink, env: Mapping[str, str], rules: int | None) -> None:
        self._host, self._env, self._rules = host, env, rules
        self.pipes = Pipes()
        self.kernel: int | None = None
        self.zygote: int | None = None
        self.exits: dict[int, int] = {}
        self._ready = self._ordered = False
        self._text = b""
        self.zygotes_killed = self._failures = 0
        self.in_step = False
        """A kernel that dies in its step is replaced when its output has been heard."""
        self._stale: frozenset[int] = frozenset()
        """Numbers of processes that had ended when the kernel was ordered: it may get one of them."""
        self._orders, self._replies = -1, -1

    def keep(self) -> set[int]:
        """The processes that live on between steps."""
        return {pid for pid in (self.kernel, self.zygote) if pid is not None}

    def watched(self) -> tuple[int, ...]:
        """Descriptors that wake the idle supervisor."""
        return (self._replies,) if self.zygote is not None else ()

    @property
    def prepared(self) -> bool:
        """Whether there was a zygote already."""
        return self._replies >= 0

    def prepare(self) -> None:
        """Start the zygote, unless there was one already."""
        if not self.prepared:
            self._start_zygote()

    def look(self) -> None:
        """Take note of deaths and of what the zygote said. Never waits."""
        self.exits.update(processes.reap())
        if self.kernel in self.exits:
            self.kernel = None
        if self.zygote is not None and self.zygote in self.exits:
            self.zygotes_killed += self.exits[self.zygote] == KILLED
            self._failures = 0 if self._ready else self._failures + 1
            self._start_zygote()
        while len(self.exits) > _MAX_EXITS:
            del self.exits[next(iter(self.exits))]
        if self.prepared:
            self._text += read_some(self._replies) or b""
        while b"\n" in self._text:
            line, _, self._text = self._text.partition(b"\n")
            self._heard(line[:20])

    def order_kernel(self) -> None:
        """Have the zygote fork a kernel as soon as it can, if there is none."""
        if self._ready and self.kernel is None and not self._ordered and not self.in_step:
            self.pipes.empty()
            with contextlib.suppress(BrokenPipeError):  # it was killed just now: the next look starts another
                os.write(self._orders, b"k")
                self._ordered, self._stale = True, frozenset(self.exits)

    def await_kernel(self) -> None:
        """Wait until a kernel with the libraries is there; while nobody's code runs, only the host's patience bounds it."""
        self.prepare()
        while self.kernel is None and self._failures < MOST_FAILURES:
            self._host.wait(None if self.zygote is not None else 0.05, *self.watched())
            self.look()
        if self.kernel is None:
            self._start_plain()

    def ensure_kernel(self, source: str) -> int:
        """The pid of the kernel: the one there is, or the quickest to have that will do for this source."""
        self.look()
        read_all(self.pipes.claims_r)
        end = time.monotonic() + LOADING_SECONDS
        heavy = any(word in source for word in HEAVY)
        if heavy and self.kernel is None:
            self.prepare()
        while self.kernel is None and time.monotonic() < end:
            if self.zygote is None or not (self._ready or heavy):
                break
            self.order_kernel()
            if self._ordered:
                end = min(end, time.monotonic() + FORK_SECONDS)
            self._host.wait(0.05, *self.watched())
            self.look()
        return self.kernel if self.kernel is not None else self._start_plain()

    def _start_plain(self) -> int:
        self.pipes.empty()
        self.kernel = self._spawn(self._program("kernel"), "/", self.pipes.kernels())
        return self.kernel

    def start(self, become: Callable[[], object], folder: str, descriptors: Mapping[int, int]) -> int:
        """Start a process of the code's. If the kernel's threads and dead children leave no room, the kernel goes."""
        try:
            return self._spawn(become, folder, descriptors)
        except OSError:  # no process, or no memory for one
            self.kernel = None
            self.settle()
            return self._spawn(become, folder, descriptors)

    def _program(self, module: str) -> Callable[[], object]:
        return processes.executing(program(module), self._env)

    def _spawn(self, become: Callable[[], object], folder: str, descriptors: Mapping[int, int], score: int = 1000) -> int:
        pid = processes.spawn(become, folder, descriptors, score, self._rules)
        self.exits.pop(pid, None)  # of one that had this number before
        return pid

    def settle(self, *, well: bool = True) -> None:
        """After a step: freeze everybody, kill who does not belong to the next step, let the zygote go on.

        A few dead children of the kernel may wait for its own code. Those of a step that did not end well have nobody to wait for.
        """
        killed = self._freeze_and_kill()
        bearable = MAX_DEAD if well else 0
        if self.kernel is not None and (killed or not well) and processes.dead_children(self.kernel) > bearable:
            self._have_dead_buried(self.kernel)
            self._freeze_and_kill()
        os.chmod(WORK, 0o700)  # the code may have closed it, to us and to the next kernel
        os.chmod(INPUT, 0o500)
        if self.zygote is not None:
            processes.tell(self.zygote, signal.SIGCONT)
        elif self.prepared:
            self._start_zygote()
        self.look()

    def _freeze_and_kill(self) -> int:
        killed, still = processes.kill_all_but(self.keep(), processes.freeze(), self.kernel or 0)
        if not still:
            self.kernel = None  # such a one would write while files are fetched
            killed += processes.kill_all_but(self.keep(), processes.freeze(), 0)[0]
        self.look()
        return killed

    def _have_dead_buried(self, kernel: int) -> None:
        """The dead children of the kernel count as processes until it takes note of them; nobody else can."""
        processes.tell(kernel, signal.SIGCONT)
        end = time.monotonic() + BURY_SECONDS
        try:
            os.write(self.pipes.cells_w, cell_frame(BURY, ""))
        except BlockingIOError:
            end = 0.0  # it filled the pipe itself
        while not read_some(self.pipes.claims_r):
            self._host.wait(0.02, self.pipes.claims_r)
            if time.monotonic() > end:
                self.kernel = None  # it is somebody else's by now: killed with the rest
                break

    def _heard(self, line: bytes) -> None:
        if line == b"ready":
            self._ready = True
            self.order_kernel()
        elif line.isdigit() and self._ordered:
            self._ordered = False
            pid = int(line)
            if pid in self._stale:
                self.exits.pop(pid, None)
            if pid not in self.exits and self.kernel is None:
                self.kernel = pid

    def _start_zygote(self) -> None:
        for old in (self._orders, self._replies):
            if old >= 0:
                os.close(old)
        orders_r, self._orders = os.pipe()
        self._replies, replies_w = os.pipe()
        os.set_blocking(self._replies, False)
        self._ready, self._ordered, self._text = False, False, b""
        self.zygote = None
        if self._failures >= MOST_FAILURES:
            os.close(orders_r)
            os.close(replies_w)
            return
        null = os.open("/dev/null", os.O_WRONLY | os.O_CLOEXEC)
        mine = {1: null, 2: null, **self.pipes.kernels(), 14: orders_r, 15: replies_w}
        try:
            self.zygote = self._spawn(self._program("zygote"), "/", mine, score=500)
        except OSError:
            self.zygote = None  # the step has taken every process there may be, or all memory: tried again at its end
        for theirs in (null, orders_r, replies_w):
            os.close(theirs)


def cell_frame(number: int, source: str, news: Mapping[str, str | None] | None = None) -> bytes:
    """A cell on its way to the kernel, with what is new in the environment, if there is room for it beside a giant cell."""
    cell, env = source.encode(), environment.packed(news or {})
    return frames.frame(frames.COMMAND, f"{number}\0{env if len(cell) + len(env) < MAX_CELL else ''}\0".encode() + cell)
