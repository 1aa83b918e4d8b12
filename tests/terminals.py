"""A terminal that a test looks at and types into: a real pseudo-terminal with the command on it, and a screen that draws it.

with Terminal(["sandloop", "chat"], cwd=folder, env=environ) as terminal:
    terminal.until("> ")
    terminal.type("How many?\\r")
    terminal.until("It is 3.")
    assert terminal.end() == 0
"""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

CTRL_C, CTRL_D, TAB = "\x03", "\x04", "\t"
PATIENCE = 30.0
"""Seconds until a test gives up; what is waited for comes in milliseconds."""


class _Screen(pyte.HistoryScreen):
    """One that answers to who asks where its cursor is."""

    answer: Callable[[str], None]

    def write_process_input(self, data: str) -> None:
        self.answer(data)


class Terminal:
    """The command, its terminal, and what a person would see. stdout may go elsewhere: `stdout` is then its file."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        columns: int = 80,
        lines: int = 40,
        pixels: int = 0,
        stdout: int | None = None,
    ) -> None:
        self.screen = _Screen(columns, lines, history=5000)
        self.screen.answer = self.type
        self._stream = pyte.ByteStream(self.screen)
        self.raw = b""
        """All that was written to the terminal."""
        self._end, inside = pty.openpty()
        fcntl.ioctl(self._end, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, pixels and 1000, pixels))
        self.process = subprocess.Popen(
            command,
            cwd=cwd,
            env={"TERM": "xterm", **env},
            stdin=inside,
            stdout=inside if stdout is None else stdout,
            stderr=inside,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(inside)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._end)

    def type(self, text: str) -> None:
        """Press keys; Enter is `\\r`."""
        os.write(self._end, text.encode())

    def until(self, *texts: str, last: str = "") -> str:
        """What the screen shows as soon as it shows all of these, and `last` at its end."""
        end = time.monotonic() + PATIENCE
        while not ((shown := self.shown()).endswith(last) and all(text in shown for text in texts)):
            assert time.monotonic() < end, f"{texts} did not come; there was:\n{shown}"
            assert self._read(0.2) or self.shown() != shown, f"it ended without {texts}; there was:\n{shown}"
        return shown

    def end(self) -> int:
        """Its exit code, once all it had to say was read."""
        end = time.monotonic() + PATIENCE
        while self._read(0.2):
            assert time.monotonic() < end, f"it does not end; there was:\n{self.shown()}"
        return self.process.wait(PATIENCE)

    def shown(self) -> str:
        """The lines of the screen and those that left it at the top."""
        above = ["".join(line[column].data for column in range(self.screen.columns)) for line in self.screen.history.top]
        return "\n".join(line.rstrip() for line in [*above, *self.screen.display]).rstrip()

    def _read(self, seconds: float) -> bool:
        """Take what there is; False when nothing will come any more."""
        if not select.select([self._end], [], [], seconds)[0]:
            return True
        try:
            piece = os.read(self._end, 65536)
        except OSError:  # how Linux says that nobody has the other end open
            return False
        self.raw += piece
        self._stream.feed(piece)
        return bool(piece)
