"""A suite as it runs, on stderr: a table that changes in place, or a line for each verdict where there is no terminal."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from sandloop.cli.in_place import InPlace
from sandloop.cli.suite_text import SIGNS, STYLES, why
from sandloop.comparing.progress import Progress, advanced
from sandloop.events import Event
from sandloop.printable import printable
from sandloop.suite.outcome import Status, Verdict

KEPT = "kept"


class WatchingSuite:
    """Draws how far each model is. `told` and `judged` may be called from any one thread."""

    def __init__(self, models: Sequence[str], runs: int, console: Console) -> None:
        self._of_each = runs // max(1, len(models))
        self._verdicts: dict[str, list[Verdict]] = {model: [] for model in models}
        self._running: dict[tuple[str, str], Progress] = {}
        self._console, self._runs = console, runs
        self._began = time.monotonic()
        self._lock = threading.Lock()
        self._in_place = InPlace(self.drawn, console)

    def __enter__(self) -> Self:
        self._in_place.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._in_place.stop()

    def told(self, question: str, label: str, event: Event) -> None:
        """An event of a run."""
        with self._lock:
            before = self._running.get((question, label)) or Progress(label=label)
            self._running[question, label] = advanced(before, event, time.monotonic())

    def judged(self, verdict: Verdict) -> None:
        """A run that is over."""
        with self._lock:
            self._running.pop((verdict.question, verdict.label), None)
            self._verdicts[verdict.model].append(verdict)
            done = sum(len(verdicts) for verdicts in self._verdicts.values())
        for line in () if self._in_place.shows else lines(verdict, done, self._runs):
            self._console.print(line, soft_wrap=True, highlight=False)

    def drawn(self) -> RenderableType:
        """How far each model is now."""
        with self._lock:
            verdicts = {model: list(of) for model, of in self._verdicts.items()}
            running = list(self._running.items())
        table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim", expand=True)
        table.add_column("model", no_wrap=True, overflow="ellipsis", ratio=1)
        table.add_column("done", no_wrap=True, justify="right")
        for name in ("✓", "✗", "!"):
            table.add_column(name, no_wrap=True, justify="right")
        table.add_column("now", no_wrap=True, overflow="ellipsis", ratio=2)
        for model, of in verdicts.items():
            counts = [_count(of, status) for status in ("passed", "failed", "error")]
            # A repeat's label is the model and its number.
            now = [f"{q}: {p.doing}" for (q, label), p in running if label == model or label.startswith(f"{model} #")]
            doing = Text(" ".join(printable("; ".join(now)).split()), "cyan")
            table.add_row(Text(printable(model), "bold"), f"{len(of)} of {self._of_each}", *counts, doing)
        done = sum(len(of) for of in verdicts.values())
        return Group(table, Text(f"{done} of {self._runs} runs, {time.monotonic() - self._began:.0f} s", "dim"))


def _count(verdicts: Sequence[Verdict], status: Status) -> Text:
    number = sum(verdict.status == status for verdict in verdicts)
    return Text(str(number) if number else "", STYLES[status])


def lines(verdict: Verdict, done: int, runs: int) -> list[Text]:
    """A verdict where nothing can be drawn in place."""
    how = f"{verdict.seconds:.1f} s" if verdict.asked else KEPT
    first = Text.assemble(
        (f"[{done} of {runs}] ", "dim"),
        (f"{SIGNS[verdict.status]} ", STYLES[verdict.status]),
        printable(f"{verdict.question}, "),
        (printable(verdict.label), "bold"),
        (f" ({how})", "dim"),
    )
    return [first, *(Text(f"    {line}") for line in why(verdict))]
