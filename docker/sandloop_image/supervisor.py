"""PID 1 of the sandbox: what the host believes.

It can't be signalled from inside (PID 1 without handlers), can't be looked into (not dumpable), and holds the only lines to the
host. It runs one operation at a time, keeps listening to the host while a step runs, and ends the container when the host's
line or the session's time ends. Standard library only, as few imports as it gets by with: it starts in a few milliseconds.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence

from . import frames, landlock, processes
from .environment import Shared
from .facts import Counters, facts
from .folder import INPUT, WORK, Incoming, Listing, Refused, open_regular
from .hostlink import HostLink
from .interpreters import KILLED, OURS, PYTHON, Interpreters, cell_frame
from .shell import STATE, Shell
from .step import Claim, Step

PREVIEW = f"import sys; sys.path.append({OURS!r}); from sandloop.preview import main; main()"
PREVIEW_SECONDS = 10
INTERRUPTED = 128 + signal.SIGINT
PREVIEW_BYTES = 6_000
QUIET_SECONDS = 0.2
"""Without a command, after which the libraries are imported ahead: sessions that start together need the processors for that."""


class Program:
    """A program of the code's, to be started beside the kernel. `descriptors` are those beside its output, its numbers to ours."""

    def __init__(self, argv: Sequence[str], env: Mapping[str, str], folder: str, descriptors: Mapping[int, int]) -> None:
        self.argv, self.env, self.folder, self.descriptors = argv, env, folder, descriptors


class Supervisor:
    """One operation after the other."""

    def __init__(self, host: HostLink, env: Mapping[str, str], rules: int | None) -> None:
        self.host, self.env = host, env
        self.counters = Counters()
        self.interpreters = Interpreters(host, env, rules)
        self.shell, self.shared = Shell(), Shared(env)
        self.operations = {"run": self.run, "put": self.put, "list": self.list, "get": self.get, "preview": self.preview}
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
        source = b"".join(self._data()).decode("utf-8", "replace")
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
        program = Program(argv, self.shared.shell, folder, {STATE: state_w})
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
        pid = inside.start(program.argv, {1: out_w, 2: err_w, **program.descriptors}, program.env, program.folder)
        for theirs in (out_w, err_w, *program.descriptors.values()):
            os.close(theirs)
        step = Step(self.host, command, out_r, err_r, send)

        def over() -> bool:
            look()
            inside.look()
            return pid in inside.exits

        step.follow(pid, over, *readable)
        inside.settle()
        step.hear_out()
        look()
        os.close(out_r)
        os.close(err_r)
        return step, inside.exits.get(pid, 137)

    def put(self, command: Mapping[str, str]) -> None:
        """Take a file in."""
        incoming, refused, data = None, "", self._data()
        try:
            incoming = Incoming(command["name"])
            for piece in data:
                incoming.write(piece)
            incoming.finish(int(command["modified"]))
        except Refused as error:
            refused = str(error)
            if incoming is not None:
                incoming.drop()
        if incoming is not None:
            incoming.close()
        with contextlib.suppress(Refused):
            for _ in data:
                continue  # the rest of what was refused
        self.host.answer(op="put", n=command["n"], refused=refused, size=incoming.size if incoming else 0)

    def list(self, command: Mapping[str, str]) -> None:
        """Say what stands in the working folder."""
        listing = Listing(WORK)
        self.host.send(frames.FILES, "\0".join(listing.files).encode())
        self.host.send(frames.SKIPPED, "\0".join(listing.skipped).encode())
        self.host.answer(op="list", n=command["n"])

    def get(self, command: Mapping[str, str]) -> None:
        """Send a file out, as fast as the host takes it."""
        try:
            file = open_regular(WORK, command["name"], int(command["most"]))
        except Refused as error:
            return self.host.answer(op="get", n=command["n"], refused=str(error), size=0)
        size = left = os.fstat(file).st_size
        try:
            while left:
                self.host.send_file(frames.DATA, file, min(left, frames.MAX_PAYLOAD))
                left -= min(left, frames.MAX_PAYLOAD)
        finally:
            os.close(file)
        return self.host.answer(op="get", n=command["n"], refused="", size=size)

    def preview(self, command: Mapping[str, str]) -> None:
        """Describe an input file, by a program that may fail, hang or be taken over by the file."""
        limits = {"n": command["n"], "kept": PREVIEW_BYTES, "total": 100 * PREVIEW_BYTES, "seconds": PREVIEW_SECONDS}
        said: list[bytes] = []

        def keep(kind: bytes, data: bytes) -> None:
            if kind in frames.STDOUT + frames.STDOUT_TAIL:
                said.append(data)

        argv = [PYTHON, "-I", "-c", PREVIEW, f"{INPUT}/{command['name']}"]
        program, bounds = Program(argv, self.env, WORK, {}), {key: str(value) for key, value in limits.items()}
        step, exit_code = self._run_program(program, bounds, lambda: None, send=keep)
        stopped = step.stopped_by(self.counters, well=not exit_code)
        text = b"".join(said).decode("utf-8", "replace")
        self.host.answer(op="preview", n=command["n"], exit=exit_code, stopped=stopped, text=text)

    def _data(self) -> Iterator[bytes]:
        while True:
            kind, payload = self.host.next_frame()
            if kind == frames.GIVEN_UP:
                raise Refused("was given up")
            if kind == frames.COMMAND and frames.parse_record(payload).get("op") == "interrupt":
                continue  # of a step that has ended meanwhile
            if kind != frames.DATA:
                raise frames.Malformed("a command in the middle of data")
            if not payload:
                return
            yield payload


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
