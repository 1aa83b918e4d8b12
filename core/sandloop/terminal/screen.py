"""Lines on a terminal, with one at the bottom that says what is waited for, and gone before anything else is written.

Where stderr is no terminal there is no such line, and nothing is written but what is said.
"""

from __future__ import annotations

import contextlib
import textwrap
import threading
import time
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Self

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

from sandloop.printable import printable
from sandloop.terminal.plain import in_ascii

QUIET_SECONDS = 0.3
"""Silence after which the line shows: nobody looks at a still terminal for longer than half a second."""
TICK_SECONDS = 0.1
_FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
_ASCII_FRAMES = "-\\|/"


class Screen:
    """Writes to a console's stream. Use it as a context, or call `close`, before anybody else writes there."""

    def __init__(self, console: Console, *, quiet: float = QUIET_SECONDS, tick: float = TICK_SECONDS) -> None:
        self.console = console
        self._quiet, self._tick_seconds = quiet, tick
        self.waits = console.is_terminal and not console.is_dumb_terminal and not console.legacy_windows
        """Whether there is a line that says what is waited for."""
        self._lock = threading.RLock()
        self._column = 0
        """Cells of a line that was begun and not ended."""
        self._drawn = False
        self._label = ""
        self._since = self._quiet_since = time.monotonic()
        self._ticker: threading.Thread | None = None
        self._over = threading.Event()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def line(self, sign: str, text: str, style: str) -> None:
        """A line of its own: a sign in a style, and plain text; broken between words where there is a terminal."""
        self.end_line()
        with self._writing():
            self._lines(Text.assemble((sign, style), " ", self._wrapped(printable(text), indent=cell_len(sign) + 1)))

    def prose(self, text: str, style: str) -> None:
        """Lines, broken between words where there is a terminal."""
        self.end_line()
        with self._writing():
            self._lines(Text(self._wrapped(printable(text)), style))

    def _wrapped(self, text: str, indent: int = 0) -> str:
        return wrapped(text, self.console.width, indent) if self.console.is_terminal else text

    def _lines(self, text: Text) -> None:
        self.console.print(text, highlight=False, soft_wrap=True)

    def write(self, text: str, style: str = "") -> None:
        """Text that may end within a line."""
        with self._writing():
            shown = printable(text).expandtabs()
            self.console.print(Text(shown, style), highlight=False, soft_wrap=True, end="")
            self._column = column_after(self._column, shown, self.console.width)

    def through(self, write: Callable[[str], None], text: str) -> None:
        """Let somebody else write to the same terminal, and know where the cursor is then."""
        with self._writing():
            write(text)
            self._column = column_after(self._column, text.expandtabs(), self.console.width)

    @property
    def in_line(self) -> bool:
        """Whether a line was begun and not ended."""
        return self._column > 0

    def end_line(self) -> None:
        """End a line that was begun."""
        if self._column:
            with self._writing():
                self.console.print()
                self._column = 0

    def wait(self, label: str) -> None:
        """Say from now on that this is waited for; its seconds count from here, unless it was waited for before."""
        if label != self._label:
            self._label, self._since = label, time.monotonic()
        if self.waits and self._ticker is None:
            self._over.clear()
            self._ticker = threading.Thread(target=self._tick, daemon=True)
            self._ticker.start()

    def close(self) -> None:
        """Take the line away, until something is waited for again. Idempotent."""
        self._over.set()
        if self._ticker is not None:
            self._ticker.join()
            self._ticker = None
        with self._writing():
            self._label = ""

    @contextlib.contextmanager
    def aside(self) -> Generator[None]:
        """For a block in which somebody else writes or asks: no line, and time does not count."""
        label = self._label
        self.end_line()
        self.close()
        try:
            yield
        finally:
            if label:
                self.wait(label)

    @contextlib.contextmanager
    def _writing(self) -> Generator[None]:
        with self._lock:
            self._erase()
            yield
            self._quiet_since = time.monotonic()

    def _tick(self) -> None:
        frame = 0
        while not self._over.wait(self._tick_seconds):
            now = time.monotonic()
            with self._lock:
                if self._label and now - self._quiet_since >= self._quiet:
                    self._draw(waiting_line(self._label, now - self._since, frame, self.console.width, self._utf8))
                    frame += 1

    @property
    def _utf8(self) -> bool:
        return self.console.encoding.startswith("utf")

    def _draw(self, text: str) -> None:
        """Below a line that was begun, which goes on later where it is."""
        start = "\r\x1b[K" if self._drawn or not self._column else "\n"
        self._raw(f"{start}{text}")
        self._drawn = True

    def _erase(self) -> None:
        if not self._drawn:
            return
        self._drawn = False
        up = f"\x1b[A\x1b[{self._column + 1}G" if 0 < self._column < self.console.width else ""
        self._raw(f"\r\x1b[K{up}")

    def _raw(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError):  # a closed stream is for those to notice who have something to say
            self.console.file.write(text)
            self.console.file.flush()


def wrapped(text: str, width: int, indent: int = 0) -> str:
    """Lines no wider than the terminal, all behind `indent` blanks but the first, which stands behind as many cells already.

    A word that is wider, such as a path, is left for the terminal to break, so that it can be copied whole.
    """
    wrapper = textwrap.TextWrapper(
        max(10, width - indent), break_long_words=False, break_on_hyphens=False, expand_tabs=True, replace_whitespace=False
    )
    lines = [part for line in text.split("\n") for part in (wrapper.wrap(line) or [""])]
    return f"\n{' ' * indent}".join(lines)


def waiting_line(label: str, seconds: float, frame: int, width: int, utf8: bool = True) -> str:
    """`⠋ waiting for claude … 3 s`, never wider than the terminal, in signs that it has."""
    frames = _FRAMES if utf8 else _ASCII_FRAMES
    clock = f" … {int(seconds)} s" if seconds >= 1 else " …"
    said = " ".join(printable(label).split())
    if not utf8:
        clock, said = in_ascii(clock), in_ascii(said)
    room = max(0, width - 1 - 2 - cell_len(clock))
    fitted = set_cell_size(said, room) if cell_len(said) > room else said
    return f"{frames[frame % len(frames)]} {fitted}{clock}"


def column_after(column: int, text: str, width: int) -> int:
    """Where the cursor stands after `text`, with lines broken by the terminal; `width` itself: at the very end of a line."""
    _, found, last = text.rpartition("\n")
    cells = cell_len(last) + (0 if found else column)
    return cells if cells <= width else (cells - 1) % width + 1
