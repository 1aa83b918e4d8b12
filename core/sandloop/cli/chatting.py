"""The conversation of `sandloop chat`: questions to one session, and the commands between them."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from sandloop.api import Session
from sandloop.cli.chat_commands import COMMANDS, Command, Mistake, read
from sandloop.cli.ends import Signals, put, stderr_console, stdout_is_terminal
from sandloop.cli.files import save
from sandloop.cli.finish import show_pictures, tell_checks, tell_cost
from sandloop.display import Display
from sandloop.errors import SandloopError
from sandloop.events import CodeRan, InputFile, RouteChosen, RunStarted
from sandloop.files import FileLike, Inputs, expanded
from sandloop.limits import Limits
from sandloop.printable import printable
from sandloop.result import Result, ResultFile
from sandloop.settings import Settings, resolve
from sandloop.sizes import human_size
from sandloop.terminal.pictures import way_of
from sandloop.terminal.screen import Screen


def chatting(files: list[str], settings: Settings, *, pictures: bool, signals: Signals) -> int:
    """Talk until there are no more lines. Returns the exit code; raises a `SandloopError` when it can't begin."""
    console = stderr_console()
    at_terminal = sys.stdin is not None and sys.stdin.isatty() and console.is_terminal  # pyright: ignore[reportUnnecessaryComparison]
    session: Session | None = None
    try:
        with signals.held(), Screen(console) as screen:
            screen.wait("starting")
            session = Session(settings=settings)
            chat = Chat(session, settings, screen, pictures=pictures)
            screen.wait("reading the files")
            chat.add(files)
        try:
            if at_terminal:
                _at_terminal(chat, settings, signals)
            else:
                _piped(chat)
        finally:
            chat.save_rest()
    finally:
        if session is not None:
            session.close()
    return 0 if at_terminal else chat.failed


def _at_terminal(chat: Chat, settings: Settings, signals: Signals) -> None:
    """Ctrl-C stops what goes on, and the chat does not end by it."""
    from platformdirs import user_state_path

    from sandloop.cli.chat_lines import Prompt, history_file
    from sandloop.cli.complete import models

    kept = resolve(settings).runs != "off"
    prompt = Prompt(history_file(user_state_path("sandloop")) if kept else None, models(""), chat.names)
    chat.greet()
    while True:
        try:
            line = prompt.line()
        except KeyboardInterrupt:
            chat.say("Ctrl-D ends the chat")
            continue
        except EOFError:
            return
        try:
            if not chat.take(line):
                return
        except KeyboardInterrupt:
            signals.forget()
            chat.stopped()


def _piped(chat: Chat) -> None:
    from sandloop.cli.chat_lines import piped_lines

    for line in piped_lines():
        if not chat.take(line):
            return


class Chat:
    """One session, and what was given to it and not yet sent. What it says goes to stderr, answers alone to stdout."""

    def __init__(self, session: Session, settings: Settings, screen: Screen, *, pictures: bool) -> None:
        self._session, self._screen, self._pictures = session, screen, pictures
        self._limits = settings.limits or Limits()
        self._cost_limit = self._limits.cost is not None
        """To be spoken of, where it can't hold."""
        self._code = True
        self._route: RouteChosen | None = None
        self._waiting: list[FileLike] = []
        """Files that go with the next question."""
        self._waiting_inputs: list[InputFile] = []
        self._saved: set[tuple[str, str]] = set()
        self.failed = 0
        """The exit code that the last question that failed would have; 0 when none did."""

    def greet(self) -> None:
        """Which model, and how to get help."""
        self.say(f"{self._session.model}; /help lists the commands, Ctrl-D ends")

    def say(self, text: str, sign: str = "·") -> None:
        """A line for the person."""
        self._screen.line(sign, text, "dim" if sign == "·" else "yellow")

    def stopped(self) -> None:
        """The question that was asked ended before its time."""
        last = self._session.history[-1] if self._session.history else None
        lost = isinstance(last, CodeRan) and last.state == "lost"
        self.say("stopped; the chat goes on" + (", and the variables were lost" if lost else ""))

    def take(self, line: str) -> bool:
        """Do what a line means; False to end. An error of one question leaves the chat open."""
        try:
            match read(line):
                case None:
                    return True
                case Mistake(text=text):
                    self.say(text, "!")
                case Command(name="/quit"):
                    return False
                case Command() as command:
                    self._command(command)
                case question:
                    self._ask(question)
        except SandloopError as error:
            self.failed = error.exit_code
            self.say(str(error), "✗")
        return True

    def add(self, files: list[str]) -> None:
        """Take files for the next question. Raises `BadFile` for one that can't be taken; then none of them is."""
        found = Inputs(input_bytes=self._limits.input_bytes).add(files).files
        self._waiting += files
        self._waiting_inputs += [f.file for f in found]

    def names(self) -> list[str]:
        """Of all files there are."""
        return [*(f.name for f in (*self._inputs(), *self._waiting_inputs)), *(f.name for f in self._made())]

    def save_rest(self) -> None:
        """At the end: what was made and not saved."""
        if rest := [f for f in self._made() if (f.name, f.sha256) not in self._saved]:
            self._save(rest, self._folder())

    def _command(self, command: Command) -> None:
        match command.name:
            case "/help":
                for name, (takes, what) in COMMANDS.items():
                    self.say(f"{f'{name} {takes}'.strip():14} {what}")
                self.say("anything else is a question")
            case "/files":
                self._list_files()
            case "/add":
                before = len(self._waiting_inputs)
                self._working(f"reading {command.argument}", lambda: self.add([command.argument]))
                for file in self._waiting_inputs[before:]:
                    self.say(f"{file.name} ({human_size(file.size)}, {file.mime}) goes with the next question")
            case "/save":
                self._save(self._made(), expanded(command.argument) if command.argument else self._folder())
            case "/model":
                if command.argument:
                    self._working(f"opening {command.argument}", lambda: self._session.change_model(command.argument))
                self.say(f"questions go to {self._session.model}")
            case "/code":
                self._code = command.argument == "on"
                self.say(f"code is {'shown' if self._code else 'not shown'}")
            case _:
                raise AssertionError(command.name)

    def _ask(self, question: str) -> None:
        files, self._waiting, self._waiting_inputs = self._waiting, [], []
        display = Display(
            self._screen.console,
            code=self._code,
            output=self._code,
            question=False,
            cost_limit=self._cost_limit,
            told=self._route,
        )
        before = len(self._session.history)
        try:
            with display:
                display.screen.wait("reading the files" if files else "starting")
                for event in self._session.stream(question, files):
                    display.show(event)
        except SandloopError:
            if files and len(self._session.history) == before:
                self.say("no new file was taken; /add them again", "!")
            raise
        finally:
            self._cost_limit, self._route = display.cost_limit, display.told
            result = self._session.result
            if result is not None and result.events:
                self._finish(result)

    def _finish(self, result: Result) -> None:
        console = self._screen.console
        way = way_of(os.environ) if self._pictures and stdout_is_terminal() else None
        if way is not None:
            show_pictures(result.files, way)
        if result.answered:
            if console.is_terminal:
                console.print()
            put(printable(result.text))
        tell_checks(result, console)
        tell_cost(result, console)
        if console.is_terminal:
            console.print()

    def _working(self, label: str, work: Callable[[], None]) -> None:
        """Do what may take a moment."""
        with self._screen as screen:
            screen.wait(label)
            work()

    def _list_files(self) -> None:
        rows = [(f, "") for f in self._inputs()] + [(f, ", goes with the next question") for f in self._waiting_inputs]
        for file, note in rows:
            self.say(f"{file.name} ({human_size(file.size)}, {file.mime}{note})")
        for made in self._made():
            saved = ", saved" if (made.name, made.sha256) in self._saved else ""
            self.say(f"{made.name} ({human_size(made.size)}, {made.mime}{saved})", "+")
        if not rows and not self._made():
            self.say("no files yet; /add FILE gives one")

    def _save(self, files: Sequence[ResultFile], folder: Path) -> None:
        if not files:
            self.say("no files were made yet")
        save(files, folder, self._run_id(), self._screen.console)
        self._saved |= {(f.name, f.sha256) for f in files}

    def _folder(self) -> Path:
        return Path("sandloop-output") / self._run_id()

    def _run_id(self) -> str:
        return next((e.id for e in self._session.history if isinstance(e, RunStarted)), "chat")

    def _inputs(self) -> Sequence[InputFile]:
        """Those the model knows of."""
        return next((e.files for e in reversed(self._session.history) if isinstance(e, RunStarted)), ())

    def _made(self) -> Sequence[ResultFile]:
        """By all questions, each file in its last version."""
        last = self._session.result
        return Result(events=self._session.history, store=last.store).files if last is not None else ()
