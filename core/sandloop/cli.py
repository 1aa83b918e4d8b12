"""The command line: the answer on stdout, everything else on stderr, and an exit code that says what happened.

Exit codes: 0 answered, 1 the analysis failed, 2 usage, 3 provider or key, 4 sandbox unavailable, 5 limit reached, 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Generator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from sandloop.result import Result

app = typer.Typer(
    name="sandloop",
    help="Ask any model about your files: it writes code, a sealed sandbox runs it, the answer and the files come back.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 answered, 1 failed, 2 usage, 3 provider or key, 4 sandbox unavailable, 5 limit reached, 130 interrupted.",
)
INTERRUPTED = 130


class RouteOption(StrEnum):
    """The values of `--route`."""

    auto = "auto"
    native = "native"
    local = "local"


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"sandloop {version('sandloop')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Ask any model about your files."""


@app.command()
def analyze(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to find out, in words.")],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help="Files to look at; never changed.")] = None,
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="A profile, 'provider:model', a provider, 'local', or 'replay:PATH'.")
    ] = None,
    route: Annotated[
        RouteOption | None, typer.Option("--route", help="Where the code runs: the provider's servers, or here in Docker.")
    ] = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="The server's address, for 'compatible' and others.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Where made files are saved; without it, in sandloop-output/ID."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON instead of the answer.")] = False,
) -> None:
    """Ask a question about files. The answer goes to stdout, progress to stderr, made files to a folder."""
    from sandloop.errors import UsageError
    from sandloop.settings import Settings

    if output is not None and output.exists() and not output.is_dir():
        _fail(UsageError(f"{output} is not a folder, so files can't be saved there. Name a folder with -o."))
    settings = Settings(model=model, route=route.value if route else None, base_url=base_url)
    with _ending_well() as signals:
        _analyze(question, files or [], settings, output, as_json, signals)


def _analyze(question: str, files: list[str], settings: object, output: Path | None, as_json: bool, signals: _Signals) -> None:
    from sandloop.api import Session
    from sandloop.display import Display
    from sandloop.errors import SandloopError
    from sandloop.settings import Settings

    assert isinstance(settings, Settings)  # noqa: S101 - the type is imported here, since it is slow to import
    console = _stderr()
    display = Display(console)
    session: Session | None = None
    result: Result | None = None
    try:
        with signals.held():
            session = Session(settings=settings)
        with session:
            for event in session.stream(question, files):
                display.show(event)
        result = session.result
    except SandloopError as error:
        _finish(error.result, output, as_json, console)
        raise
    except (KeyboardInterrupt, SystemExit):
        display.end()
        if session is not None:
            _finish(session.result, output, as_json, console)
        raise
    finally:
        if session is not None:
            session.close()  # a signal may have come between its making and its use
    _finish(result, output, as_json, console)


def _finish(result: Result | None, output: Path | None, as_json: bool, console: Console) -> None:
    """Save what was made and print what there is, also after a failure: nothing a run has paid for is lost."""
    from sandloop.printable import printable

    if result is None:
        return
    _save(result, output or Path("sandloop-output") / result.id, console)
    if as_json:
        _print(result.to_json())
    elif result.answered:
        if console.is_terminal:
            console.print()
        _print(printable(result.text))
    usage = result.usage
    if usage.input_tokens or usage.output_tokens:
        cost = f", about ${result.cost:.4f}" if result.cost is not None else ""
        console.print(f"[dim]{usage.input_tokens} tokens in, {usage.output_tokens} out{cost}[/]", highlight=False)


def _save(result: Result, folder: Path, console: Console) -> None:
    """Into `folder`; where that can't be written, into a new one among the temporary files, and it says so."""
    import tempfile

    from rich.markup import escape

    from sandloop.errors import UsageError
    from sandloop.printable import printable

    def say(sign: str, text: str) -> None:
        console.print(f"{sign} {escape(printable(text))}", highlight=False, soft_wrap=True)

    for made in result.files:
        try:
            try:
                path = made.save(folder)
            except UsageError as error:
                say("[yellow]![/]", str(error))
                folder = Path(tempfile.mkdtemp(prefix=f"sandloop-output-{result.id}-"))
                path = made.save(folder)
            say("[green]saved[/]", str(path))
        except (UsageError, OSError) as error:
            say("[yellow]![/]", str(error))


def _print(text: str) -> None:
    """To stdout, all of it now. Raises `UsageError` when it can't be written."""
    from sandloop.errors import UsageError

    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise
    except OSError as error:
        _discard_stdout()
        raise UsageError(
            f"The output can't be written: {error.strerror}. Made files are saved; send the output elsewhere."
        ) from error


def _discard_stdout() -> None:
    """What is left in its buffer, so that the interpreter does not fail on it at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False) -> None:
    """What is there, what is missing, and the exact next command. Keys are shown as present or not, never their value."""
    from sandloop.doctor import diagnose, report

    with _ending_well():
        findings = diagnose()
        _print(report(findings, as_json=as_json).rstrip("\n"))
        raise typer.Exit(next((code for code, finding in findings if finding.state == "missing"), 0))


def _stderr() -> Console:
    from rich.console import Console

    return Console(stderr=True)


def _fail(error: Exception) -> NoReturn:
    """One or two sentences, no traceback, the right exit code."""
    from sandloop.printable import printable

    print(f"sandloop: {printable(str(error))}", file=sys.stderr)
    raise typer.Exit(getattr(error, "exit_code", 1))


class _Signals:
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
def _ending_well() -> Generator[_Signals]:
    """Ends with the right code on Ctrl-C, SIGTERM, a closed pipe and errors, after everything was cleaned up."""
    from sandloop.errors import SandloopError

    signals = _Signals()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signals.came)
    try:
        yield signals
    except typer.Exit:
        raise
    except SandloopError as error:
        _fail(error)
    except KeyboardInterrupt:
        print("sandloop: interrupted; what the run had so far is above.", file=sys.stderr)
        raise typer.Exit(INTERRUPTED) from None
    except BrokenPipeError:
        _discard_stdout()
        raise typer.Exit(1) from None
    except Exception as error:
        if os.environ.get("SANDLOOP_DEBUG"):
            raise
        _fail(RuntimeError(f"internal error: {type(error).__name__}: {error}. Set SANDLOOP_DEBUG=1 to see where, and report it."))


def main() -> None:
    """The `sandloop` command."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    app()
