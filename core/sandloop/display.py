"""A run as it happens, for a person at a terminal. Everything goes to stderr; the answer alone goes to stdout, by the caller.

Text of the model is held back line by line until it is known to be no answer, so that the answer is not shown twice; code
inside fences is shown as it is written.
"""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape

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
)
from sandloop.printable import printable
from sandloop.sizes import human_size

_SHOWN_LINES = 40
"""Lines of output shown of one cell; the result has all that was kept."""


class Display:
    """Draws events on a console. `console` writes to stderr; colours follow the terminal and `NO_COLOR`."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._prose: list[str] = []
        self._line = ""
        self._fenced = False
        self._streamed = ""
        """Code shown as it was written, since the last reply began."""
        self._lines_shown = 0
        self._partial_output = False
        self._progress_told = 0

    def show(self, event: Event) -> None:
        """Draw one event."""
        match event:
            case RunStarted():
                names = ", ".join(f"{f.name} ({human_size(f.size)})" for f in event.files)
                self._say("?", f"{event.question}" + (f"  [{names}]" if names else ""), "bold")
            case RouteChosen():
                where = f"{event.route} · {event.provider}" + (f" · {event.model}" if event.model else "")
                self._say("→", f"{where}: {event.reason}", "cyan")
            case SandboxOpened():
                self._sandbox(event)
            case FilesPreviewed():
                self._say("→", f"looked into {', '.join(p.name for p in event.previews)} inside the sandbox", "cyan")
            case Text(text=text):
                self._text(text)
            case CodeDelta(text=text):
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
                self.end()
            case FileMade():
                self._say("+", f"{event.name} ({human_size(event.size)}, {event.mime})", "green")
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
        """Show what was held back: the run is over, and it is no answer."""
        self._end_line()
        self._flush_prose()
        self._break()

    def _progress(self, text: str) -> None:
        """On one line that is written again and again; where there is no terminal, every tenth."""
        if self._console.is_terminal:
            self._partial_output = True
            self._console.print(f"  {escape(printable(text))}", end="\r", highlight=False, soft_wrap=True)
        elif self._progress_told % 10 == 0:
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
        self._break()
        self._console.print(f"[{style}]{sign}[/] {escape(printable(text))}", highlight=False, soft_wrap=True)

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
        for line in printable(text).splitlines(keepends=True):
            if not self._partial_output:
                self._console.print("[dim]│[/] ", end="", highlight=False)
            self._console.print(escape(line.rstrip("\n")), end="", style="cyan", highlight=False, soft_wrap=True)
            self._partial_output = True
            if line.endswith("\n"):
                self._break()

    def _end_line(self) -> None:
        if self._line:
            self._text("\n")
        self._fenced = False

    def _flush_prose(self) -> None:
        """Prose that turned out to be followed by something is no answer: show it."""
        prose, self._prose = "\n".join(self._prose).strip(), []
        if prose:
            self._break()
            self._console.print(escape(prose), style="dim", highlight=False, soft_wrap=not self._console.is_terminal)

    def _code(self, event: CodeWritten) -> None:
        """The whole cell, unless it was shown while it was written."""
        self._flush_prose()
        self._break()
        if event.source.strip() not in self._streamed:
            self._write_code(event.source.rstrip() + "\n")
        self._streamed = ""
        self._lines_shown = 0

    def _output(self, text: str) -> None:
        lines = printable(text).splitlines(keepends=True)
        room = _SHOWN_LINES - self._lines_shown
        shown = "".join(lines[: max(0, room)])
        self._lines_shown += len(lines)
        if shown:
            self._console.print(escape(shown), end="", highlight=False, soft_wrap=True)
            self._partial_output = not shown.endswith("\n")
        if len(lines) > room >= 0:
            self._break()
            self._console.print("[dim]… more output, not shown here[/]", highlight=False)
            self._lines_shown = _SHOWN_LINES + 1

    def _ran(self, event: CodeRan) -> None:
        self._break()
        if event.stopped_by in ("interrupt", "provider"):
            self._say("✗", "interrupted" if event.stopped_by == "interrupt" else "stopped by the provider", "red")
        elif event.stopped_by != "itself":
            self._say("✗", f"stopped by its limit of {event.stopped_by}", "red")
        elif event.error is not None:
            self._say("✗", f"{event.error.name}: {event.error.value}", "red")
        elif event.outcome == "unknown":
            self._say("?", "ran; the provider does not say whether it went well", "yellow")
        elif event.exit_code:
            self._say("✗", f"exit code {event.exit_code}", "red")
        else:
            self._say("✓", f"ran in {event.seconds:.2f} s" if event.seconds is not None else "ran", "green")
        if event.out_of_memory == "child":
            self._say("!", "a process that the code started was killed for memory", "yellow")
        if event.state == "lost":
            self._say("!", "variables were lost; files are still there", "yellow")

    def _break(self) -> None:
        if self._partial_output:
            self._console.print()
            self._partial_output = False
