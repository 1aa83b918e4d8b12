"""PID 1 of the sandbox: what the host believes.

It can't be signalled from inside (PID 1 without handlers), can't be looked into (not dumpable), and holds the only lines to the
host. It runs one operation at a time, keeps listening to the host while a step runs, and ends the container when the host's
line or the session's time ends. Standard library only, as few imports as it gets by with: it starts in a few milliseconds.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping

from . import frames, landlock, previews, processes
from .environment import Shared
from .facts import Counters, facts
from .folder import INPUT, WORK
from .hostlink import HostLink
from .interpreters import KILLED, OURS, Interpreters, cell_frame
from .shell import STATE, Shell
from .step import Claim, Step
from .transfers import Transfers, sent_along

INTERRUPTED = 128 + signal.SIGINT
QUIET_SECONDS = 0.2
"""Without a command, after which the libraries are imported ahead: sessions that start together need the processors for that."""


class Program:
    """A process of the code's beside the kernel: what it becomes, where, and its descriptors beside its output as ours."""

    def __init__(self, become: Callable[[], object], folder: str, descriptors: Mapping[int, int]) -> None:
        self.become, self.folder, self.descriptors = become, folder, descriptors


class Supervisor:
    """One operation after the other."""

    def __init__(self, host: HostLink, env: Mapping[str, str], rules: int | None) -> None:
        self.host, self.env = host, env
        self.counters = Counters()
        self.interpreters = Interpreters(host, env, rules)
        self.shell, self.shared = Shell(), Shared(env)
        files = Transfers(host)
        self.operations = {"run": self.run, "put": files.put, "list": files.list, "get": files.get, "preview": self.preview}
        self._steps = 0
        self._holder: int | None = None
        """The kernel that holds the variables of the steps so far."""

    def serve(self) -> None:
        """Serve the host until it goes."""
        while True:
            while not self.host.inbox:
                self.host.wait(None if self.interpreters.prepared else QUIET_SECONDS, *self.interpreters.watched())
                if not self.host.inbox:
                    self.interpreters.prepare()
                self.interpreters.look()
            kind, payload = self.host.next_frame()
            if kind != frames.COMMAND:
                raise frames.Malformed("data without a command")
            command = frames.parse_record(payload)
            if command["op"] != "interrupt":  # one that came too late
                self.operations[command["op"]](command)

    def run(self, command: Mapping[str, str]) -> None:
        """Run a cell of Python or a script of bash."""
        source = b"".join(sent_along(self.host)).decode("utf-8", "replace")
        if command["language"] == "bash":
            self._run_bash(command, source)
        else:
            self._run_python(command, source)

    def _run_python(self, command: Mapping[str, str], source: str) -> None:
        inside, pipes = self.interpreters, self.interpreters.pipes
        self._steps += 1
        kernel = inside.ensure_kernel(source)
        lost_before, zygotes = self._holder not in (None, kernel), inside.zygotes_killed
        step, claim = Step(self.host, command, pipes.out_r, pipes.err_r), Claim(self._steps)
        inside.in_step = True
        processes.tell(kernel, signal.SIGCONT)

        def over() -> bool:
            claim.read(pipes.claims_r)
            inside.look()
            return claim.said is not None or claim.broken or inside.kernel is None

        cell = memoryview(cell_frame(self._steps, source, self.shared.for_kernel(kernel)))
        in_time = step.follow(kernel, over, pipes.claims_r, pending=cell, to=pipes.cells_w)
        died = in_time and inside.exits.get(kernel) == KILLED
        if not in_time or claim.broken:
            inside.kernel = None  # so that it is killed with the rest
        if well := claim.said is not None and not claim.exit_code and not step.cause and inside.kernel is not None:
            # Nothing more to find out: the host need not wait until all stand still. Its next command does.
            step.hear_out()
            stopped = step.stopped_by(self.counters, well=True, others=inside.zygotes_killed - zygotes)
            self._holder = kernel
            step.answer(stopped, 0, lost=lost_before, error={})
        self.shared.from_kernel(claim.environment)
        inside.settle(well=well)
        step.stands_still()
        if well:
            inside.in_step = False
            inside.pipes.drop_output()
            return
        step.hear_out()
        inside.in_step = False
        lost = inside.kernel is None
        self._holder = inside.kernel
        if lost:
            inside.order_kernel()
        error = claim.said if claim.said and not lost else {}
        # A cell that was made to end did not end well, whatever it says.
        exit_code = inside.exits.get(kernel, KILLED) if lost else claim.exit_code or (INTERRUPTED if step.cause else 0)
        others = inside.zygotes_killed - zygotes
        stopped = step.stopped_by(
            self.counters, well=not lost and not exit_code, kernel_died=died, others=others, error=error.get("value", "")
        )
        step.answer(stopped, exit_code, lost=lost or lost_before, error=error)

    def _run_bash(self, command: Mapping[str, str], source: str) -> None:
        state_r, state_w = os.pipe()
        os.set_blocking(state_r, False)
        inside = self.interpreters
        zygotes, kernel = inside.zygotes_killed, inside.kernel
        argv, folder = self.shell.command(source)
        program = Program(processes.executing(argv, self.shared.shell), folder, {STATE: state_w})
        step, exit_code = self._run_program(program, command, lambda: self.shell.read_state(state_r), state_r)
        os.close(state_r)
        left = self.shell.finish()
        if left is not None:
            self.shared.from_shell(left)
        lost = self._holder not in (None, inside.kernel)
        died = lost and kernel is not None and inside.exits.get(kernel) == KILLED
        self._holder = None if lost else self._holder
        others = inside.zygotes_killed - zygotes
        stopped = step.stopped_by(self.counters, well=not exit_code, kernel_died=died, others=others)
        step.answer(stopped, exit_code, lost=lost, error={})

    def _run_program(
        self,
        program: Program,
        command: Mapping[str, str],
        look: Callable[[], None],
        *readable: int,
        send: Callable[[bytes, bytes], None] | None = None,
    ) -> tuple[Step, int]:
        """Run a program of the code's to its end, with pipes of its own."""
        inside = self.interpreters
        (out_r, out_w), (err_r, err_w) = os.pipe(), os.pipe()
        for reader in (out_r, err_r):
            os.set_blocking(reader, False)
        pid = inside.start(program.become, program.folder, {1: out_w, 2: err_w, **program.descriptors})
        for theirs in (out_w, err_w, *program.descriptors.values()):
            os.close(theirs)
        ends = processes.watch(pid)
        step = Step(self.host, command, out_r, err_r, send)

        def over() -> bool:
            look()
            inside.look()
            return pid in inside.exits

        step.follow(pid, over, *(ends or readable))
        inside.settle()
        step.stands_still()
        step.hear_out()
        look()
        for ours in (out_r, err_r, *ends):
            os.close(ours)
        return step, inside.exits.get(pid, 137)

    def preview(self, command: Mapping[str, str]) -> None:
        """Describe an input file, by a process that may fail, hang or be taken over by the file."""
        limits = {"n": command["n"], **previews.LIMITS}
        said: list[bytes] = []

        def keep(kind: bytes, data: bytes) -> None:
            if kind in frames.STDOUT + frames.STDOUT_TAIL:
                said.append(data)

        program = Program(previews.of(f"{INPUT}/{command['name']}", self.env), "/", {})
        step, exit_code = self._run_program(program, limits, lambda: None, send=keep)
        stopped = step.stopped_by(self.counters, well=not exit_code)
        text = b"".join(said).decode("utf-8", "replace")
        self.host.answer(op="preview", n=command["n"], exit=exit_code, stopped=stopped, text=text)


def main() -> None:
    """`supervisor SECONDS THREADS [IDLE] [/FOLDER...]`: the session's whole time, and how many threads a library should start.

    With the third it is made ahead: it says `ready` once a kernel with the libraries is there, and waits so long for a session.
    The folders are those of the host that the user let the code write to.
    """
    processes.set_dumpable(False)
    processes.default_signals()
    seconds, threads, *more = sys.argv[1:]
    idle = [word for word in more if not word.startswith("/")]
    host = HostLink(float(seconds), float(idle[0]) if idle else 0.0)
    rules = landlock.rules([word for word in more if word.startswith("/")])
    seen = {"inputs_read_only": int(rules is not None), **facts()}
    if not idle:
        host.answer(op="ready", **seen)
    supervisor = Supervisor(host, environment(threads), rules)
    if idle:
        supervisor.interpreters.await_kernel()
        previews.prepare()
        host.answer(op="ready", **seen)
    supervisor.serve()


def environment(threads: str) -> dict[str, str]:
    """All that the code's processes find in their environment."""
    return {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108 - the container's own, bounded
        "USER": "sandbox",
        "LOGNAME": "sandbox",
        "LANG": "C.UTF-8",
        "INPUT_DIR": INPUT,
        "OUTPUT_DIR": WORK,
        "PYTHONPATH": OURS,  # where scripts started from bash find the matplotlib backend
        "PYTHONDONTWRITEBYTECODE": "1",
        "MPLBACKEND": "module://sandloop.figures",
        "MPLCONFIGDIR": "/opt/mplconfig",
        **dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), threads),
    }
