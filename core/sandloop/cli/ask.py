"""A question of `sandloop analyze`, from its session to the last line: what goes to stdout as it happens, and what at the end."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from sandloop import codec
from sandloop.api import Session
from sandloop.cli.confirm import Confirm
from sandloop.cli.ends import Signals, put, put_json, stderr_console, stdout_is_terminal
from sandloop.cli.finish import save_and_show, tell_checks, tell_cost
from sandloop.display import Display
from sandloop.errors import UsageError
from sandloop.events import Event
from sandloop.printable import printable
from sandloop.result import Result
from sandloop.settings import Settings
from sandloop.terminal.blocks import steps_and_answer
from sandloop.terminal.streamed import StreamedAnswer


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the command line asks for, beside the question."""

    show_code: bool = False
    stream: bool = False
    as_json: bool = False
    as_jsonl: bool = False
    confirm: bool = False
    continued: str | None = None
    """The run to go on after."""
    output: Path | None = None
    html: Path | None = None
    pictures: bool = True


def refuse_conflicts(wanted: Wanted, *, both_continue: bool = False, route: str | None = None) -> None:
    """Raises `UsageError` for options that exclude each other, and for places that can't be written."""
    forms = {"--json": wanted.as_json, "--jsonl": wanted.as_jsonl, "--stream": wanted.stream, "--show-code": wanted.show_code}
    asked = [name for name, on in forms.items() if on]
    if len(asked) > 1:
        raise UsageError(f"{' and '.join(asked)} can't be used together: each says what stdout holds. Choose one.")
    if both_continue:
        raise UsageError("--continue goes on after the last run, --continue-from after the one that it names. Choose one.")
    if wanted.confirm and route == "native":
        raise UsageError(
            "--confirm can't be used with --route native: the provider runs the code without asking. Use --route local."
        )
    if wanted.output is not None and wanted.output.exists() and not wanted.output.is_dir():
        raise UsageError(f"{wanted.output} is not a folder, so files can't be saved there. Name a folder with -o.")
    if wanted.html is not None and (wanted.html.is_dir() or not wanted.html.absolute().parent.is_dir()):
        raise UsageError(f"{wanted.html} can't be the report's file: name a file in a folder that is there.")


def ask(question: str, files: list[str], settings: Settings, wanted: Wanted, signals: Signals) -> None:
    """Run it, show it, save it; also what there is of one that failed or was stopped. Raises a `SandloopError`."""
    console = stderr_console()
    twice = wanted.show_code and stdout_is_terminal() and console.is_terminal
    bounded = settings.limits is not None and settings.limits.cost is not None
    with Display(console, code=not twice and not wanted.confirm, output=not twice, cost_limit=bounded) as display:
        shown = Shown(display, wanted)
        session: Session | None = None
        try:
            with signals.held():
                session = _opened(settings, wanted, display)
            began = time.monotonic()
            try:
                display.screen.wait("reading the files" if files else "starting")
                for event in session.stream(question, files):
                    shown.show(event)
            finally:
                display.give_up()
                if session.result is not None and session.result.events:
                    with display.screen.aside():
                        _finish(session.result, wanted, time.monotonic() - began)
        finally:
            if session is not None:
                session.close()  # a signal may have come between its making and its use


def _opened(settings: Settings, wanted: Wanted, display: Display) -> Session:
    confirm = Confirm(display) if wanted.confirm else None
    if wanted.continued is not None:
        return Session.resume(wanted.continued, confirm=confirm, settings=settings)
    return Session(confirm=confirm, settings=settings)


class Shown:
    """Each event, where the command line wants it: on stderr for a person, on stdout as text or as JSON."""

    def __init__(self, display: Display, wanted: Wanted) -> None:
        self._display, self._wanted = display, wanted
        self._streamed = StreamedAnswer(self._out) if wanted.stream else None

    def show(self, event: Event) -> None:
        """Take one event."""
        if self._wanted.as_jsonl:
            self._out(codec.to_json(event) + "\n", as_json=True)
        self._display.show(self._streamed.take(event) if self._streamed is not None else event)

    def _out(self, text: str, *, as_json: bool = False) -> None:
        def write(piece: str) -> None:
            put_json(piece, end="") if as_json else put(piece, end="")

        if stdout_is_terminal() and self._display.screen.console.is_terminal:
            self._display.screen.through(write, text)
        else:
            write(text)


def _finish(result: Result, wanted: Wanted, seconds: float) -> None:
    """Save what was made and print what there is, also after a failure: nothing a run has paid for is lost."""
    console = stderr_console()
    pictures = wanted.pictures and not wanted.as_json and not wanted.as_jsonl
    save_and_show(result, wanted.output or Path("sandloop-output") / result.id, console, pictures=pictures)
    if wanted.as_json:
        put_json(result.to_json())
    elif wanted.show_code:
        put(printable(steps_and_answer(result)))
    elif result.answered and not wanted.as_jsonl and not wanted.stream:
        if console.is_terminal:
            console.print()
        put(printable(result.text))
    tell_checks(result, console)
    tell_cost(result, console)
    if wanted.html is not None:
        from sandloop.report import run_report, write_report

        write_report(wanted.html, run_report(result, seconds=seconds))
