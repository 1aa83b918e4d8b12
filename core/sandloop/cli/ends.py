"""How every command ends: the right exit code after a signal, a closed pipe or an error, with one line and no traceback."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Generator
from typing import IO, TYPE_CHECKING, Any, NoReturn, TextIO, cast

import typer

if TYPE_CHECKING:
    from rich.console import Console

INTERRUPTED = 130


def put(text: str, *, end: str = "\n") -> None:
    """To stdout, all of it now. Raises `UsageError` when it can't be written."""
    from sandloop.errors import UsageError

    try:
        print(text, end=end, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_broken()
        raise UsageError(
            f"The output can't be written: {error.strerror}. Made files are saved; send the output elsewhere."
        ) from error


def put_json(text: str, *, end: str = "\n") -> None:
    """JSON to stdout, in escapes where the stream can't hold all of Unicode. Raises `UsageError` when it can't be written."""
    from sandloop.terminal.plain import is_utf8, json_in_ascii

    put(text if is_utf8(sys.stdout) else json_in_ascii(text), end=end)


def stdout_is_terminal() -> bool:
    """Also when there is no stdout at all, which is no terminal."""
    return sys.stdout is not None and sys.stdout.isatty()  # pyright: ignore[reportUnnecessaryComparison]


def discard_broken() -> None:
    """What is left for a stream that nobody reads any more, so that the interpreter does not fail on it at its end."""
    for stream in (sys.stdout, sys.stderr):
        if stream is None:  # pyright: ignore[reportUnnecessaryComparison]
            continue
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def stderr_console() -> Console:
    """For all but the answer. A full disk behind it ends nothing: a run that costs money is worth more than its progress."""
    from rich.console import Console

    return Console(file=cast("IO[str]", _Told(sys.stderr))) if sys.stderr is not None else Console(stderr=True)  # pyright: ignore[reportUnnecessaryComparison]


class _Told:
    """A stream that takes what it can. A closed pipe behind it is told all the same: nobody is there any more."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """As a stream's."""
        with _taking():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """As a stream's."""
        with _taking():
            self._stream.flush()


@contextlib.contextmanager
def _taking() -> Generator[None]:
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError:
        discard_broken()


def fail(error: Exception) -> NoReturn:
    """One or two sentences, no traceback, the right exit code."""
    from sandloop.printable import printable

    _say(f"sandloop: {printable(str(error))}")
    raise typer.Exit(getattr(error, "exit_code", 1))


def _say(line: str) -> None:
    """To stderr, where there is one and somebody still reads it."""
    if sys.stderr is None:  # pyright: ignore[reportUnnecessaryComparison]
        return  # print() would take stdout
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        discard_broken()


class Signals:
    """The first signal stops the run, which then cleans up; the second says so; a third ends the process where it stands."""

    def __init__(self) -> None:
        self._came = 0
        self._first: int | None = None
        self._held = False

    def came(self, number: int, _: object) -> None:
        """The handler."""
        self._came += 1
        if self._came > 2:
            os._exit(self._code(number))
        if self._came == 2:
            os.write(2, b"sandloop: deleting what was made elsewhere; once more to leave at once.\n")
            return
        self._first = number
        if not self._held:
            self._stop(number)

    def forget(self) -> None:
        """The interrupt was dealt with, and the program goes on: the next one is a first one again."""
        self._came, self._first = 0, None

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """A signal waits for the end of this block: in the middle of it a thread would be left that nobody ends."""
        self._held = True
        try:
            yield
        finally:
            self._held = False
        if self._first is not None:
            self._stop(self._first)

    def _stop(self, number: int) -> NoReturn:
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(self._code(number))

    @staticmethod
    def _code(number: int) -> int:
        return 128 + number


@contextlib.contextmanager
def ending_well() -> Generator[Signals]:
    """Ends with the right code on Ctrl-C, SIGTERM, a closed pipe and errors, after everything was cleaned up."""
    from sandloop.errors import SandloopError

    signals = Signals()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signals.came)
    try:
        yield signals
    except typer.Exit:
        raise
    except SandloopError as error:
        fail(error)
    except KeyboardInterrupt:
        _say("sandloop: interrupted; what the run had so far is above.")
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        discard_broken()
        raise typer.Exit(1) from None
    except Exception as error:
        if os.environ.get("SANDLOOP_DEBUG"):
            raise
        fail(RuntimeError(f"internal error: {type(error).__name__}: {error}. Set SANDLOOP_DEBUG=1 to see where, and report it."))
