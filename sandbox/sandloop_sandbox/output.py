"""What a step printed, as text: put together from live pieces and the tail, bounded, the cut marked. Pure."""

from __future__ import annotations

import codecs
from collections.abc import Callable

from sandloop_image import frames


class Heard:
    """One stream of one step."""

    def __init__(self, kept: int, tell: Callable[[str], None]) -> None:
        self._left = kept
        self._tell = tell
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._texts: list[str] = []
        self._bytes = 0
        self._tail = b""

    def live(self, data: bytes) -> None:
        """A piece as it was printed. Raises `Malformed` when there is more than was asked for."""
        self._count(data)
        self._add(self._decoder.decode(data))

    def tail(self, data: bytes) -> None:
        """A piece of the end, after the step."""
        self._count(data)
        self._tail += data

    def finish(self, total: int) -> tuple[str, int]:
        """The text, and how many bytes of its middle were left out."""
        cut = total - self._bytes
        if cut < 0:
            raise frames.Malformed("more output than it counted")
        if self._tail and not cut:
            self._add(self._decoder.decode(self._tail))
            self._tail = b""
        self._add(self._decoder.decode(b"", final=True))
        if cut:
            self._add(f"\n[{cut} bytes left out]\n")
            # The tail may begin in the middle of a character.
            self._add(self._tail.lstrip(bytes(range(0x80, 0xC0))).decode("utf-8", "replace"))
        return "".join(self._texts), cut

    def _count(self, data: bytes) -> None:
        self._left -= len(data)
        self._bytes += len(data)
        if self._left < 0:
            raise frames.Malformed("more output than was asked for")

    def _add(self, text: str) -> None:
        if text:
            self._texts.append(text)
            self._tell(text)
