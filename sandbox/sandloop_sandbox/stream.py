"""The engine's attached stream taken apart: eight bytes of header before each piece of stdout or stderr. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from sandloop_image.frames import Malformed

MAX_PIECE = 1 << 24
"""Engines send pieces of at most 32 KiB; a larger header is no header."""

Piece = tuple[Literal["stdout", "stderr"], bytes]


class Demultiplexer:
    """Finds the pieces, and passes them on as they come: it holds at most a header."""

    def __init__(self) -> None:
        self._header = bytearray()
        self._left = 0
        self._name: Literal["stdout", "stderr"] = "stdout"

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yields what the data has of each stream. Raises `Malformed` when it is no such stream."""
        position = 0
        while position < len(data):
            if self._left:
                piece = data[position : position + self._left]
                position += len(piece)
                self._left -= len(piece)
                yield self._name, piece
                continue
            needed = 8 - len(self._header)
            self._header += data[position : position + needed]
            position += needed
            if len(self._header) == 8:
                self._take_header()

    def _take_header(self) -> None:
        kind, size = self._header[0], int.from_bytes(self._header[4:], "big")
        if kind not in (1, 2) or any(self._header[1:4]) or size > MAX_PIECE:
            raise Malformed(f"a stream header {bytes(self._header)!r}")
        self._name, self._left = "stdout" if kind == 1 else "stderr", size
        self._header.clear()
