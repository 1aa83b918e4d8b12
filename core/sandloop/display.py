"""A run as it happens, for a person at a terminal. Everything goes to stderr; the answer alone goes to stdout, by the caller.

Text of the model is held back line by line until it is known to be no answer, so that the answer is not shown twice; code
inside fences is shown as it is written.
"""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console

from sandloop.events import (
    Answered,
    CodeDelta,
    CodeRan,
    CodeWritten,
    Event,
    Failed,
    FellBack,
    FileMade,
    FilesPreviewed,
    Noted,
    Output,
    Reminded,
    ReplyEnded,
    Retried,
    RouteChosen,
    RunStarted,
    SandboxOpened,
    Text,
    Usage,
)
from sandloop.printable import printable
from sandloop.sizes import human_size
from sandloop.terminal.outcome import outcome
from sandloop.terminal.screen import Screen
from sandloop.terminal.stages import Stage, after

_SHOWN_LINES = 40
"""Lines of output shown of one cell; the result has all that was kept."""


class Display:
    """Draws events on a console. `console` writes to stderr; colours follow the terminal and `NO_COLOR`.

    On a terminal, a line at the bottom says what is waited for; leave the context, or call `end`, before writing elsewhere.

    Args:
        code: Show the code.
        output: Show what it prints.
        question: Show the question and its files.
        cost_limit: There is a limit of cost, so say when it can't hold.
        told: A route that was shown before, which needs no word again.
    """

    def __init__(
        self,
        console: Console,
        *,
        code: bool = True,
        output: bool = True,
        question: bool = True,
        cost_limit: bool = False,
        told: RouteChosen | None = None,
    ) -> None:
        self.screen = Screen(console)
        self.code, self.output, self.cost_limit = code, output, cost_limit
        self.told = told
        self._question = question
        self._stage = Stage()
        self._prose: list[str] = []
        self._line = ""
        self._fenced = False
        self._streamed = ""
        """Code shown as it was written, since the last reply began."""
        self._lines_shown = 0
        self._progress_told = 0

    def __enter__(self) -> Self:
        self.screen.wait(self._stage.label)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.end()

    def show(self, event: Event) -> None:
        """Draw one event."""
        self._stage = after(self._stage, event)
        self._draw(event)
        self.screen.wait(self._stage.label)

    def _draw(self, event: Event) -> None:
        match event:
            case RunStarted() if self._question:
                names = ", ".join(f"{f.name} ({human_size(f.size)})" for f in event.files)
                self._say("?", f"{event.question}" + (f"  [{names}]" if names else ""), "bold")
            case RouteChosen() if event != self.told:
                self.told = event
                where = f"{event.route} · {event.provider}" + (f" · {event.model}" if event.model else "")
                self._say("→", f"{where}: {event.reason}", "cyan")
            case SandboxOpened():
                self._sandbox(event)
            case FilesPreviewed():
                self._say("→", f"looked into {', '.join(p.name for p in event.previews)} inside the sandbox", "cyan")
            case Text(text=text):
                self._text(text)
            case CodeDelta(text=text):
                self._end_line()
                self._write_code(text)
            case ReplyEnded():
                self._end_line()
            case CodeWritten():
                self._code(event)
            case Output(text=text):
                self._output(text)
            case CodeRan():
                self._ran(event)
            case Answered():
                self._prose = []
            case Failed():
                self.give_up()
            case FileMade():
                self._say("+", f"{event.name} ({human_size(event.size)}, {event.mime})", "green")
            case Usage(cost=None) if self.cost_limit:
                self.cost_limit = False
                self._say("!", f"the price of {event.model} is not known, so the limit of cost does not hold", "yellow")
            case Noted(about="progress", text=text):
                self._progress(text)
            case Noted() | Retried() | FellBack() | Reminded():
                self._note(event)
            case _:
                pass

    def _sandbox(self, event: SandboxOpened) -> None:
        """A word only where something does not hold that usually does."""
        if event.weakened:
            self._say("!", f"the sandbox is weakened by {', '.join(event.weakened)}", "bold yellow")
        for what in event.not_limited:
            self._say("!", f"{event.sandbox}: {what}", "yellow")

    def end(self) -> None:
        """Show what was held back, and take the waiting line away: the run is over."""
        self.give_up()
        self.screen.close()

    def give_up(self) -> None:
        """Show what was held back: it is no answer."""
        self._end_line()
        self._flush_prose()
        self.screen.end_line()

    def _progress(self, text: str) -> None:
        """What is waited for, where a terminal shows that; elsewhere every tenth has a line."""
        if not self.screen.waits and self._progress_told % 10 == 0:
            self._say(" ", text, "dim")
        self._progress_told += 1

    def _note(self, event: Noted | Retried | FellBack | Reminded) -> None:
        self._flush_prose()
        match event:
            case Noted(text=text):
                self._say("!", text, "yellow")
            case Retried(reason=reason):
                self._say("↻", f"asking again: {reason}", "yellow")
            case FellBack(reason=reason):
                self._say("↪", f"going on in the local sandbox: {reason}", "yellow")
            case Reminded(text=text):
                self._say("↻", f"told the model: {text}", "yellow")

    def _say(self, sign: str, text: str, style: str) -> None:
        self.screen.line(sign, text, style)

    def _text(self, text: str) -> None:
        """Complete lines only: a fence is known by its line."""
        *complete, self._line = (self._line + printable(text)).split("\n")
        for line in complete:
            if line.lstrip().startswith(("```", "~~~")):
                self._fenced = not self._fenced
                self._flush_prose()
            elif self._fenced:
                self._write_code(line + "\n")
            else:
                self._prose.append(line)

    def _write_code(self, text: str) -> None:
        """Behind a rule, as it comes, so that it can be told from what it prints."""
        self._flush_prose()
        self._streamed += text
        if not self.code:
            return
        for line in printable(text).splitlines(keepends=True):
            if not self.screen.in_line:
                self.screen.write("│ ", "dim")
            self.screen.write(line.rstrip("\n"), "cyan")
            if line.endswith("\n"):
                self.screen.end_line()

    def _end_line(self) -> None:
        if self._line:
            self._text("\n")
        self._fenced = False

    def _flush_prose(self) -> None:
        """Prose that turned out to be followed by something is no answer: show it."""
        prose, self._prose = "\n".join(self._prose).strip(), []
        if prose:
            self.screen.prose(prose, "dim")

    def _code(self, event: CodeWritten) -> None:
        """The whole cell, unless it was shown while it was written."""
        self._end_line()
        self._flush_prose()
        self.screen.end_line()
        if event.source.strip() not in self._streamed:
            self._write_code(event.source.rstrip() + "\n")
        self._streamed = ""
        self._lines_shown = 0

    def _output(self, text: str) -> None:
        if not self.output:
            return
        lines = printable(text).splitlines(keepends=True)
        room = _SHOWN_LINES - self._lines_shown
        shown = "".join(lines[: max(0, room)])
        self._lines_shown += len(lines)
        if shown:
            self.screen.write(shown)
        if len(lines) > room >= 0:
            self.screen.end_line()
            self.screen.prose("… more output, not shown here", "dim")
            self._lines_shown = _SHOWN_LINES + 1

    def _ran(self, event: CodeRan) -> None:
        """A provider that runs the code itself may tell its output only now."""
        if not self._lines_shown:
            self._output(event.stdout + event.stderr)
        self.screen.end_line()
        for sign, text, style in outcome(event):
            self._say(sign, text, style)
