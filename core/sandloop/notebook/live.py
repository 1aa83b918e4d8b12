"""What happens, as it happens, below the cell that asked: drawn in place, and one line a run once it is over."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from types import TracebackType
from typing import Self, TypeAlias

from sandloop.events import Event
from sandloop.notebook.kernel import place

Tell: TypeAlias = Callable[[str, Event], None]
"""Told each event with the label of its run."""
Draw: TypeAlias = Callable[[Mapping[str, str]], None]
_PACE, _TICK = 0.1, 1.0
"""Seconds between two drawings: at least, and at most, so that clocks go on while nothing happens."""


@contextlib.contextmanager
def watched(labels: Sequence[str], wanted: bool | None = True) -> Generator[Tell]:
    """Draws what it is told below the cell that runs, while in this block. Nothing unless `wanted`, and where no kernel runs."""
    draw = place() if wanted else None
    if draw is None:
        yield lambda label, event: None
        return
    with Drawing(labels, draw) as drawing:
        yield drawing.told


class Drawing:
    """All runs as they are now, drawn by a thread of its own; it may be told from any."""

    def __init__(self, labels: Sequence[str], draw: Draw) -> None:
        from sandloop.notebook.progress import Seen  # only where a kernel runs

        self._seen = {label: Seen.of(label) for label in labels}
        self._draw_there = draw
        self._news, self._over, self._lock = False, threading.Event(), threading.Lock()
        self._thread = threading.Thread(target=self._keep_drawing, name="sandloop-notebook", daemon=True)

    def __enter__(self) -> Self:
        self._draw()
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._over.set()
        self._thread.join()
        self._draw()

    def told(self, label: str, event: Event) -> None:
        """An event of a run."""
        with self._lock:
            self._seen[label] = self._seen[label].after(event, time.monotonic())
            self._news = True

    def _keep_drawing(self) -> None:
        drawn = time.monotonic()
        while not self._over.wait(_PACE):
            if self._news or time.monotonic() - drawn >= _TICK:
                self._draw()
                drawn = time.monotonic()

    def _draw(self) -> None:
        """A drawing that goes wrong must not cost a run."""
        from sandloop.notebook.progress import bundle

        with self._lock:
            seen, self._news = tuple(self._seen.values()), False
        with contextlib.suppress(Exception):
            self._draw_there(bundle(seen, time.monotonic(), over=self._over.is_set()))
