"""Reasoning that a server leaves inside the text, parted from it while it streams.

A reply may begin with `<think>…</think>`, never close it, or hold only the closing tag because the model's template wrote the
opening one. The last case shows only when the tag comes: what was streamed until then is taken out of the reply's text, and the
next replies of the session are read as beginning inside a thought.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sandloop.events import Text, Thinking

OPEN, CLOSE = "<think>", "</think>"


class ThoughtSplitter:
    """Reads one reply's content piece by piece. `text` is all that is not thought.

    Args:
        begins_inside: An earlier reply closed a thought it never opened.
    """

    def __init__(self, *, begins_inside: bool = False) -> None:
        self._where: Literal["start", "thought", "text"] = "start"
        self._begins_inside = begins_inside
        self._opened = self._closed = False
        self._held = ""
        """What may be the beginning of a tag."""
        self._thought: list[str] = []
        self._text: list[str] = []
        self.closed_unopened = False

    @property
    def text(self) -> str:
        return "".join(self._text)

    def feed(self, piece: str) -> Iterator[Text | Thinking]:
        """The events of one more piece."""
        self._held += piece
        if self._where == "start":
            yield from self._start()
        if self._where == "thought":
            yield from self._inside()
        elif self._where == "text":
            yield from self._outside()

    def no_tags(self) -> None:
        """The server parts the reasoning itself, so a tag in the text is text."""
        if self._where != "thought":
            self._closed = True

    def end(self, *, cut_off: bool = False) -> Iterator[Text | Thinking]:
        """What was held back, when the reply is over."""
        held, self._held = self._held, ""
        if self._where == "thought" and not self._opened and not self._closed and not cut_off:
            # It was taken to begin inside a thought and never closed one: all of it is the answer.
            self._thought.append(held)
            yield self._say("".join(self._thought))
        elif held and self._where == "thought":
            self._thought.append(held)
            yield Thinking(text=held)
        elif held:
            yield self._say(held)

    def _start(self) -> Iterator[Text | Thinking]:
        seen = self._held.lstrip()
        if not self._closed and len(seen) < len(OPEN) and OPEN.startswith(seen):
            return
        if not self._closed and seen.startswith(OPEN):
            self._where, self._opened, self._held = "thought", True, seen[len(OPEN) :]
        else:
            self._where = "thought" if self._begins_inside and not self._closed else "text"
        yield from ()

    def _inside(self) -> Iterator[Text | Thinking]:
        before, tag, after = self._held.partition(CLOSE)
        self._held = ""
        if not tag:
            keep = _begun(before)
            before, self._held = before[: len(before) - keep], before[len(before) - keep :]
        if before:
            self._thought.append(before)
            yield Thinking(text=before)
        if tag:
            self._where, self._closed = "text", True
            self.closed_unopened = not self._opened
            if after := after.lstrip():
                yield self._say(after)

    def _outside(self) -> Iterator[Text | Thinking]:
        before, tag, after = ("", "", "")
        if not self._closed:
            before, tag, after = self._held.partition(CLOSE)
        if tag:
            self._closed = self.closed_unopened = True
            self._text.clear()
            self._held = after.lstrip()
            if before:
                yield Thinking(text=before)
        keep = 0 if self._closed else _begun(self._held)
        said, self._held = self._held[: len(self._held) - keep], self._held[len(self._held) - keep :]
        if said:
            yield self._say(said)

    def _say(self, text: str) -> Text:
        self._text.append(text)
        return Text(text=text)


def _begun(text: str) -> int:
    """How many characters at the end of `text` may be the beginning of the closing tag."""
    return next((n for n in range(min(len(text), len(CLOSE) - 1), 0, -1) if CLOSE.startswith(text[-n:])), 0)
