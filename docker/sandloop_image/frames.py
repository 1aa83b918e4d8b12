"""The language between the host and the supervisor, and between the supervisor and the kernel. One file for both sides.

A frame is one byte of kind, four bytes of length (big-endian) and at most 1 MiB of payload. Control frames hold a *record*:
keys and values as UTF-8 text, separated by NUL. A record is flat, so there is no depth to bound, and it needs no `json`,
whose import is a tenth of the supervisor's start.

    host to supervisor            C command    D data of the command (an empty one ends it)    X the data is given up
    supervisor to host            A answer     O E live output   o e its tail   D data   F S names of a listing
    supervisor to kernel          C cell
    kernel to supervisor          A claim
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

HEADER = 5
MAX_PAYLOAD = 1 << 20
MAX_FIELDS = 64

COMMAND, DATA, ANSWER = b"C", b"D", b"A"
STDOUT, STDERR, STDOUT_TAIL, STDERR_TAIL = b"O", b"E", b"o", b"e"
FILES, SKIPPED, GIVEN_UP = b"F", b"S", b"X"

FROM_HOST = COMMAND + DATA + GIVEN_UP
FROM_SUPERVISOR = ANSWER + STDOUT + STDERR + STDOUT_TAIL + STDERR_TAIL + DATA + FILES + SKIPPED
FROM_KERNEL = ANSWER

Frame = tuple[bytes, bytes]


class Malformed(Exception):
    """Bytes that no honest other side sends."""


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame as it goes over the wire."""
    return header(kind, len(payload)) + payload


def header(kind: bytes, size: int) -> bytes:
    """What stands before a payload of that size."""
    if len(kind) != 1 or size > MAX_PAYLOAD:
        raise Malformed(f"a frame of {size} bytes")
    return kind + size.to_bytes(4, "big")


class Decoder:
    """Finds the frames in a stream of bytes, whatever pieces it comes in. Holds at most one frame.

    Frames of the kinds `passed` are not put together but passed on in pieces, as they come: only an empty frame is an empty piece.
    """

    def __init__(self, kinds: bytes, passed: bytes = b"") -> None:
        self._kinds, self._passed = kinds, passed
        self._buffer = bytearray()
        """Header and payload, as far as they came, of a frame that is put together."""
        self._kind, self._left = b"", 0
        """Of a frame that is passed on."""

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yields every frame that is complete. Raises `Malformed` at the first bytes that can't be a frame."""
        at = 0
        while at < len(data):
            if self._left:
                piece = data[at : at + self._left]
                at += len(piece)
                self._left -= len(piece)
                yield self._kind, piece
                continue
            part = data[at : at + self._missing()]
            at += len(part)
            self._buffer += part
            if len(self._buffer) == HEADER and self._passes_on():
                continue
            if not self._missing():
                kind, payload = bytes(self._buffer[:1]), bytes(self._buffer[HEADER:])
                self._buffer.clear()
                yield kind, payload

    def _missing(self) -> int:
        held = len(self._buffer)
        return HEADER - held if held < HEADER else HEADER + int.from_bytes(self._buffer[1:HEADER], "big") - held

    def _passes_on(self) -> bool:
        kind, size = bytes(self._buffer[:1]), self._missing()
        if kind not in self._kinds:
            raise Malformed(f"a frame of kind {kind!r}")
        if size > MAX_PAYLOAD:
            raise Malformed(f"a frame of {size} bytes")
        if kind not in self._passed or not size:
            return False
        self._kind, self._left = kind, size
        self._buffer.clear()
        return True

    @property
    def empty(self) -> bool:
        """Whether the stream stands between two frames."""
        return not self._buffer and not self._left


def record(fields: Mapping[str, str | int | float]) -> bytes:
    """A record as bytes. A NUL or a lone surrogate inside a value becomes the replacement character."""
    texts = [text for pair in fields.items() for text in pair]
    return b"\0".join(str(text).replace("\0", "\ufffd").encode("utf-8", "replace") for text in texts)


def parse_record(payload: bytes) -> dict[str, str]:
    """A record from bytes. Raises `Malformed` when it is not text, has an odd or a repeated field, or too many."""
    texts = parse_texts(payload)
    if len(texts) % 2 or len(texts) > 2 * MAX_FIELDS:
        raise Malformed(f"a record of {len(texts)} fields")
    fields = dict(zip(texts[::2], texts[1::2], strict=True))
    if 2 * len(fields) != len(texts):
        raise Malformed("a record with a repeated field")
    return fields


def parse_texts(payload: bytes) -> list[str]:
    """NUL-separated text. Raises `Malformed` when it is not UTF-8."""
    try:
        return payload.decode("utf-8").split("\0") if payload else []
    except UnicodeDecodeError as error:
        raise Malformed("a record that is not text") from error
