"""`sandloop sandbox run`: what the script prints goes where the command's own output goes, what it makes into a folder."""

from __future__ import annotations

import json
import sys
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any, TextIO

from anyio.from_thread import start_blocking_portal
from rich.console import Console
from rich.markup import escape

from sandloop.bridge import iterate
from sandloop.cli.ends import INTERRUPTED, Signals, put, stderr_console
from sandloop.cli.files import save
from sandloop.codec import scrub, to_plain
from sandloop.errors import BadFile, UsageError
from sandloop.events import CodeRan, Event, FileMade, Language, Noted, Output, SandboxOpened
from sandloop.files import Inputs
from sandloop.limits import Limits
from sandloop.printable import printable
from sandloop.result import ResultFile
from sandloop.script import language_of, script_events
from sandloop.settings import Settings
from sandloop.store import FileStore

LIMIT_REACHED = 5


class Shown:
    """A script's events, shown as they come; with `quiet`, only what a person must know."""

    def __init__(self, console: Console, *, quiet: bool) -> None:
        self._console, self._quiet = console, quiet
        self.opened: SandboxOpened | None = None
        self.ran: CodeRan | None = None
        self.made: list[FileMade] = []
        self.notes: list[str] = []

    def show(self, event: Event) -> None:
        """Take one event."""
        match event:
            case SandboxOpened():
                self.opened = event
                for what in (*event.weakened, *event.not_limited):
                    self._note(f"the sandbox is weaker than usual: {what}")
            case Output(stream="stdout", text=text) if not self._quiet:
                _write(sys.stdout, text)
            case Output(text=text) if not self._quiet:
                _write(sys.stderr, text)
            case Noted(text=text):
                self._note(text)
            case CodeRan():
                self.ran = event
                self._end(event)
            case FileMade():
                self.made.append(event)
            case _:
                pass

    def _end(self, ran: CodeRan) -> None:
        if ran.error is not None and not self._quiet:
            _write(sys.stderr, ran.error.traceback.rstrip() + "\n")
        if ran.stdout_cut or ran.stderr_cut:
            self._note(f"{ran.stdout_cut + ran.stderr_cut} bytes of its output were left out")
        if ran.stopped_by != "itself":
            self._note(
                f"the script was stopped by its limit of {ran.stopped_by}" if is_limit(ran) else "the script was interrupted"
            )

    def _note(self, text: str) -> None:
        self.notes.append(text)
        self._console.print(f"[yellow]![/] {escape(printable(text))}", highlight=False, soft_wrap=True)


def run_script(
    script: str,
    files: list[str],
    language: Language | None,
    output: Path | None,
    settings: Settings,
    as_json: bool,
    signals: Signals,
) -> int:
    """Run it to its end; returns the exit code of the command. Raises a `SandloopError`."""
    options, limits = settings.sandbox, settings.limits or Limits()
    assert options is not None  # noqa: S101 - resolved settings have it
    source, language = read_script(script, language)
    inputs, store = Inputs(input_bytes=limits.input_bytes), FileStore(file_bytes=limits.file_bytes)
    shown = Shown(stderr_console(), quiet=as_json)
    resolved = inputs.add(files)
    for note in resolved.notes:
        shown.show(Noted(about="file", text=note))
    with ExitStack() as stack:
        with signals.held():
            portal = stack.enter_context(start_blocking_portal())
        events = iterate(
            lambda: script_events(source, language, resolved.files, options=options, limits=limits, store=store), portal
        )
        with closing(events):
            for event in events:
                shown.show(event)
    name = shown.opened.id if shown.opened is not None else "script"
    made = [ResultFile(made, store) for made in shown.made]
    paths = save(made, output or Path("sandloop-output") / name, name, stderr_console())
    if as_json:
        put(json.dumps(_as_table(shown, paths), indent=2))
    return exit_code(shown.ran)


def read_script(script: str, language: Language | None) -> tuple[str, Language]:
    """The source, and its language where nobody named it. Raises `UsageError`."""
    if script == "-":
        content = sys.stdin.buffer.read()
    else:
        try:
            content = Path(script).read_bytes()
        except OSError as error:
            raise BadFile(name=script, why=f"can't be read: {error.strerror}", do="Name a script") from error
    try:
        source = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadFile(name=script, why="is not text in UTF-8", do="Name a script") from None
    known = language or ("python" if script == "-" else language_of(script))
    if known is None:
        raise UsageError(f"What language {script!r} is in can't be told from its name. Say it with --language python or bash.")
    return source, known


def is_limit(ran: CodeRan) -> bool:
    """Whether a limit stopped it."""
    return ran.stopped_by not in ("itself", "interrupt", "provider", "declined")


def exit_code(ran: CodeRan | None) -> int:
    """The script's own, but for what stopped it from outside."""
    if ran is None or ran.exit_code is None:
        return 1
    if ran.stopped_by == "interrupt":
        return INTERRUPTED
    return LIMIT_REACHED if is_limit(ran) else ran.exit_code


def _as_table(shown: Shown, paths: list[Path]) -> dict[str, Any]:
    return {
        "sandbox": to_plain(scrub(shown.opened)) if shown.opened is not None else None,
        "ran": to_plain(scrub(shown.ran)) if shown.ran is not None else None,
        "files": [to_plain(scrub(made)) for made in shown.made],
        "saved": [str(path) for path in paths],
        "notes": shown.notes,
    }


def _write(stream: TextIO, text: str) -> None:
    """As it is into a file or a pipe; on a terminal nothing of it can move the cursor."""
    stream.write(printable(text) if stream.isatty() else text)
    stream.flush()
