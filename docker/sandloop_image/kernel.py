"""The process that runs Python cells and keeps their variables between steps.

It belongs to the user's code: what it claims about a cell is passed on as a claim, and time, memory, death and exit status
are judged by the supervisor. Standard output and error are plain pipes, so that C code and child processes are heard too;
cells come and claims go over two other descriptors, out of the way of the user's own.
"""

from __future__ import annotations

import builtins
import contextlib
import faulthandler
import fcntl
import io
import os
import signal
import sys
from types import FrameType

from . import environment, frames, plotly_figures
from .cell import Cells, Claim

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would be a tenth of the start
    from typing import Any, NoReturn

WORK = "/workspace"
OUT, ERR, CELLS, CLAIMS = 10, 11, 12, 13
"""The descriptors it is started with."""
_HIGH = 1000

NO_INPUT = "input() is not possible here, nobody can type: put the value into the code."


class Kernel:
    """Reads cells, runs them, says how they ended."""

    def __init__(self) -> None:
        self._out, self._err, self._cells, self._claims = (
            fcntl.fcntl(number, fcntl.F_DUPFD_CLOEXEC, _HIGH) for number in (OUT, ERR, CELLS, CLAIMS)
        )
        os.closerange(3, 100)
        self._pid = os.getpid()
        self._running = self._configured = False
        self._runner = Cells(WORK)
        self._printed: tuple[io.TextIOWrapper, ...] = ()
        self._environment = _Environment()
        builtins.input = _no_input
        sys.meta_path.insert(0, plotly_figures.Finder())
        builtins.display = _display  # type: ignore[attr-defined]
        sys.path.insert(0, "")
        self._streams()
        faulthandler.enable(self._err, all_threads=False)

    def serve(self) -> NoReturn:
        """Run cells until the supervisor ends this."""
        decoder = frames.Decoder(frames.COMMAND)
        while True:
            data = os.read(self._cells, 1 << 16)
            if not data:
                os._exit(0)
            for _, payload in decoder.feed(data):
                number, news, source = payload.split(b"\0", 2)
                self._environment.learn(news.decode())
                self._answer(int(number), self._step(int(number), source.decode("utf-8", "replace")))

    def _step(self, number: int, source: str) -> Claim:
        if number == 0:
            return _bury()
        self._streams()
        self._configure()
        signal.signal(signal.SIGINT, self._interrupted)
        claim = Claim()
        try:
            try:
                self._running = True
                claim = self._runner.run(number, source)
                self._after(claim)
            finally:
                self._running = False
        except KeyboardInterrupt:
            # It came between the cell's end and ours.
            self._running = False
        if os.getpid() != self._pid:
            # The cell forked, and this is the child that ran to its end.
            self._flush()
            os._exit(claim.exit_code)
        self._flush()
        return claim

    def _answer(self, number: int, claim: Claim) -> None:
        name, value, trace = claim.error or ("", "", "")
        env = self._environment.news() if number else ""
        said = frames.record({"n": number, "exit": claim.exit_code, "name": name, "value": value, "trace": trace, "env": env})
        rest = memoryview(frames.frame(frames.ANSWER, said))
        while rest:
            rest = rest[os.write(self._claims, rest) :]

    def _streams(self) -> None:
        """Standard streams as they were at the start, whatever the last cell did to them."""
        for own, number in ((self._out, 1), (self._err, 2)):
            os.dup2(own, number)
            os.set_blocking(number, True)
        # New ones for each cell: one that was wrapped, as in `TextIOWrapper(sys.stdout.buffer)`, is closed with its wrapper.
        self._printed = _stream(1), _stream(2)
        names: dict[str, io.TextIOWrapper] = {"stdout": self._printed[0], "stderr": self._printed[1]}
        if _is_closed("stdin"):  # by `exit()`
            names["stdin"] = io.TextIOWrapper(io.BufferedReader(io.FileIO(0, closefd=False)), encoding="utf-8")
        for name, stream in names.items():
            setattr(sys, name, stream)
            setattr(sys, f"__{name}__", stream)

    def _flush(self) -> None:
        """Send what the cell printed, also what it printed before it put something else in the place of a stream."""
        for stream in (*self._printed, getattr(sys, "stdout", None), getattr(sys, "stderr", None)):
            # The cell may have closed it, or put anything at all in its place; its text is lost, as in any program.
            with contextlib.suppress(Exception):
                stream.flush()  # type: ignore[union-attr]

    def _configure(self) -> None:
        """Once pandas is there, also in a kernel that had to begin without it."""
        if not self._configured and "pandas" in sys.modules:
            configure_pandas()
            self._configured = True

    def _after(self, claim: Claim) -> None:
        """What a notebook does at the end of a cell: pictures that were drawn are shown, here saved."""
        if os.getpid() != self._pid:
            return
        with contextlib.suppress(OSError, AttributeError):  # they are the libraries' own insides, and may move
            _settle_workers()
        if "matplotlib.pyplot" in sys.modules:
            from . import figures

            for error in figures.end_of_step(save=claim.error is None):
                print(f"An open figure could not be saved: {type(error).__name__}: {error}", file=sys.stderr)

    def _interrupted(self, number: int, at: FrameType | None) -> None:
        if self._running:
            raise KeyboardInterrupt


class _Environment:
    """`os.environ`, kept in step with that of the scripts."""

    def __init__(self) -> None:
        self._known = _held()

    def learn(self, text: str) -> None:
        """What scripts exported since the last cell."""
        for name, value in environment.unpacked(text).items() if text else ():
            if value is None:
                os.environ.pop(name, None)
                self._known.pop(os.fsencode(name), None)
            else:
                os.environ[name] = value
                self._known[os.fsencode(name)] = os.fsencode(value)

    def news(self) -> str:
        """What the cell changed."""
        try:
            before, self._known = self._known, _held()
            if before == self._known:
                return ""
            return environment.packed(environment.changes(_texts(before), _texts(self._known)))
        except Exception:  # the cell put something else in its place
            return ""


def _held() -> dict[bytes, bytes]:
    """The bytes behind `os.environ`, which compare ten times as fast as their texts; texts, where a cell replaced it."""
    data: Any = getattr(os.environ, "_data", os.environ)
    return dict(data)


def _texts(held: dict[bytes, bytes]) -> dict[str, str]:
    return {os.fsdecode(name): os.fsdecode(value) for name, value in held.items()}


def _stream(number: int) -> io.TextIOWrapper:
    raw = io.FileIO(number, "w", closefd=False)
    return io.TextIOWrapper(io.BufferedWriter(raw, 1 << 16), encoding="utf-8", errors="backslashreplace", line_buffering=True)


def _is_closed(name: str) -> bool:
    try:
        return bool(getattr(sys, name).closed)
    except Exception:  # it is no stream any more
        return True


def _no_input(prompt: object = "", /) -> str:
    raise EOFError(NO_INPUT)


def _display(*shown: object, **_options: object) -> None:
    """What a notebook has under this name."""
    for value in shown:
        print(value if isinstance(value, str) else repr(value))


def _bury() -> Claim:
    """Take note of the children that the supervisor killed after the last step."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    return Claim()


def _settle_workers() -> None:
    """Pools of joblib and trackers of multiprocessing end with the step; told so now, they start anew in the next."""
    reusable: Any = sys.modules.get("joblib.externals.loky.reusable_executor")
    if reusable is not None and reusable._executor is not None:
        reusable._executor.shutdown(wait=True)
        reusable._executor = None
    for name in ("multiprocessing.resource_tracker", "joblib.externals.loky.backend.resource_tracker"):
        tracker: Any = getattr(sys.modules.get(name), "_resource_tracker", None)
        if tracker is not None and getattr(tracker, "_fd", None) is not None and tracker._pid is not None:
            # Killed, not stopped: told to stop it would remove what the next step may still use, and complain.
            os.kill(tracker._pid, signal.SIGKILL)
            os.waitpid(tracker._pid, 0)
            os.close(tracker._fd)
            tracker._fd = tracker._pid = None
            _forget_names(tracker)


def _forget_names(tracker: Any) -> None:
    """The next tracker has not heard of what was registered so far, and would complain when told that it is gone."""
    known = set[tuple[str, str]]()
    send = tracker.__class__._send

    def send_known(command: str, name: str, kind: str) -> None:
        if command == "REGISTER":
            known.add((name, kind))
        if command in ("REGISTER", "PROBE") or (name, kind) in known:
            send(tracker, command, name, kind)

    tracker._send = send_known


def configure_pandas() -> None:
    """Short tables, all columns: what a model reads, and a person too."""
    pandas: Any = sys.modules.get("pandas")
    if pandas is not None:
        for option, value in (("max_rows", 20), ("max_columns", 30), ("width", 200), ("max_colwidth", 60)):
            pandas.set_option(f"display.{option}", value)


def main() -> NoReturn:
    """Serve in this process."""
    os.chdir(WORK)
    Kernel().serve()
