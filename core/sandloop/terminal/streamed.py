"""The answer on stdout as it streams: what may be the answer goes out at once, what may be code or a call waits until it is known.

A reply is known to be the answer only when it is over. So its text goes out once code has run (or there are no files to run
code over), up to the first line that looks like the beginning of code; when the answer is known, what is missing of it follows.
Words of a reply that went on with code after all stand above the answer: nothing can call them back.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from sandloop.events import Answered, CodeDelta, CodeRan, CodeWritten, Event, ReplyEnded, RunStarted, Text
from sandloop.printable import printable

_SPACE = re.compile(r"\s*")
_BEGINS_CODE = re.compile(r"```|~~~|[<{\[]")
_MAY_BEGIN_CODE = re.compile(r"`{1,2}$|~{1,2}$")


class StreamedAnswer:
    """Give it every event with `take`; `write` gets the text, piece by piece, and a newline after the answer."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write
        self._may = False
        """Whether a reply may be the answer."""
        self._held = False
        self._fresh = True
        self._out = self._pending = ""
        """Of this reply: what went out, and what waits for its next characters."""

    def take(self, event: Event) -> Event:
        """The event as it is left for others to show: of text, what did not go out."""
        match event:
            case RunStarted(files=files):
                self._may, self._fresh = not files, True
            case CodeRan():
                self._may, self._fresh = True, True
            case ReplyEnded():
                self._fresh = True
            case CodeDelta() | CodeWritten():
                self._held = True
            case Text(text=text):
                return replace(event, text=self._text(text))
            case Answered(text=text):
                self._end(printable(text))
            case _:
                pass
        return event

    def _text(self, text: str) -> str:
        if self._fresh:
            if self._out:
                self._write("\n\n")
            self._out, self._pending, self._held, self._fresh = "", "", False, False
        if self._held or not self._may:
            return text
        self._pending += text
        while self._step():
            pass
        if not self._held:
            return ""
        left, self._pending = self._pending, ""
        return left

    def _step(self) -> bool:
        """Write the next line, or what is there of it. False: more has to come first."""
        found = _SPACE.match(self._pending)
        space = found.group() if found is not None else ""
        body = self._pending[len(space) :]
        if not body:
            return False
        if not self._out or "\n" in space:
            if _MAY_BEGIN_CODE.match(body):
                return False
            if _BEGINS_CODE.match(body):
                self._held = True
                return False
        line, newline, rest = body.partition("\n")
        shown = printable((space if self._out else "") + line.rstrip())
        self._write(shown)
        self._out += shown
        self._pending = line[len(line.rstrip()) :] + newline + rest
        return True

    def _end(self, answer: str) -> None:
        if self._out and answer.startswith(self._out):
            self._write(answer[len(self._out) :] + "\n")
        else:
            self._write(("\n\n" if self._out else "") + answer + "\n")
        self._out, self._fresh = "", True
