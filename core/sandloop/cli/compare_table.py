"""A comparison as it is made, on stderr: a table that changes in place, or lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sandloop.cli.in_place import InPlace
from sandloop.comparing.comparison import short_label
from sandloop.comparing.progress import Progress, State, advanced
from sandloop.events import Answered, CodeRan, Event, Failed, FellBack, Retried, RouteChosen
from sandloop.printable import printable

WIDE = 100
"""From here on, what a run does has a column of its own."""
SLIM = 56
"""Below it, only the step and the time stand beside the model."""
LABEL_CHARS = 24
_STYLES: dict[State, str] = {"waiting": "dim", "running": "cyan", "answered": "green", "failed": "red"}


class Watching:
    """Draws all entries while they run. `told` may be called from any one thread.

    Args:
        ends_told: Whether how each ended is left in lines when the table goes; not needed where the answers follow.
    """

    def __init__(
        self, labels: Sequence[str], console: Console, *, ends_told: bool = True, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.now: dict[str, Progress] = {label: Progress(label=label) for label in labels}
        self._console, self._clock, self._ends_told = console, clock, ends_told
        self._in_place = InPlace(self._drawn, console)

    def __enter__(self) -> Self:
        self._in_place.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._in_place.stop()
        if self._in_place.shows and self._ends_told:
            for progress in self.now.values():
                self._say(progress.label, _end(progress, self._clock()) or "stopped")

    def told(self, label: str, event: Event) -> None:
        """An event of an entry."""
        before = self.now[label]
        self.now[label] = after = advanced(before, event, self._clock())
        if not self._in_place.shows and (line := _line(event, after, self._clock())):
            self._say(label, line)

    def _say(self, label: str, line: str) -> None:
        text = Text.assemble((printable(label), "bold"), ": ", printable(line))
        self._console.print(text, soft_wrap=True)

    def _drawn(self) -> RenderableType:
        rows = list(self.now.values())
        return table(rows, self._clock(), width=self._console.width, height=self._console.height)


def table(rows: Sequence[Progress], now: float, *, width: int, height: int) -> RenderableType:
    """All entries now. Where the terminal is too low for all, those that run are shown first."""
    wide, slim = width >= WIDE, width < SLIM
    room = max(1, (height - 4) // (1 if wide else 2))
    drawn = Table(box=None, padding=(0, 2 if wide else 1, 0, 0), header_style="dim", expand=True)
    drawn.add_column("model", ratio=1, no_wrap=True, overflow="ellipsis")
    if not slim:
        drawn.add_column("route", no_wrap=True)
    drawn.add_column("step", no_wrap=True)
    if wide:
        drawn.add_column("now", ratio=2, no_wrap=True, overflow="ellipsis")
    for name in ("time",) if slim else ("tokens", "cost", "time"):
        drawn.add_column(name, justify="right", no_wrap=True)
    shown = _first(rows, room)
    for row in shown:
        doing = Text(_one_line(row.doing or row.state), _STYLES[row.state])
        label = Text(short_label(row.label, LABEL_CHARS), "bold")
        first = [label] if wide else [Text.assemble(label, "\n  ", doing)]
        route = [] if slim else [Text(row.route or "", "dim")]
        figures = [_time(row, now)] if slim else [_tokens(row), _cost(row), _time(row, now)]
        drawn.add_row(*first, *route, Text(str(row.steps or "")), *([doing] if wide else []), *figures)
    caption = Text(_caption(rows, len(rows) - len(shown)), "dim", no_wrap=True, overflow="ellipsis")
    return Group(drawn, caption)  # not the table's own, which is as wide as the terminal: the `^C` behind it would begin a line


def _first(rows: Sequence[Progress], room: int) -> list[Progress]:
    """As many as there is room for, in their order: those that run before those that wait, before those that are over."""
    if len(rows) <= room:
        return list(rows)
    order: dict[State, int] = {"running": 0, "failed": 1, "waiting": 2, "answered": 3}
    kept = sorted(range(len(rows)), key=lambda i: (order[rows[i].state], i))[:room]
    return [rows[i] for i in sorted(kept)]


def _caption(rows: Sequence[Progress], hidden: int) -> str:
    states = [row.state for row in rows]
    if all(row.over for row in rows):
        return "holding the answers against each other" if states.count("answered") > 1 else ""
    counts = ", ".join(
        f"{states.count(state)} {state}" for state in ("running", "waiting", "answered", "failed") if state in states
    )
    return counts + (f" ({hidden} not shown)" if hidden else "")


def _one_line(text: str) -> str:
    return " ".join(printable(text[:500]).split())


def _tokens(row: Progress) -> str:
    return f"{row.tokens:,}" if row.usages else ""


def _cost(row: Progress) -> str:
    return "" if not row.usages else "unknown" if row.cost is None else f"${row.cost:.4f}"


def _time(row: Progress, now: float) -> str:
    seconds = row.seconds(now)
    return "" if seconds is None else f"{seconds:.1f} s"


def _line(event: Event, after: Progress, now: float) -> str | None:
    """What is worth a line where nothing can be drawn in place."""
    match event:
        case RouteChosen():
            return f"{event.route} · {event.provider}" + (f" · {event.model}" if event.model else "") + f": {event.reason}"
        case CodeRan():
            return after.doing
        case Retried() | FellBack():
            return after.doing
        case Answered() | Failed():
            return _end(after, now)
        case _:
            return None


def _end(progress: Progress, now: float) -> str | None:
    if progress.state == "failed":
        return progress.doing
    if progress.state != "answered":
        return None
    figures = [f"{progress.seconds(now) or 0:.1f} s", f"{progress.steps} step{'' if progress.steps == 1 else 's'}"]
    return f"answered in {', '.join(figures)}"
