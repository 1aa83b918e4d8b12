"""The language between the host and the supervisor, and between the supervisor and the kernel. One file for both sides.

A frame is one byte of kind, four bytes of length (big-endian) and at most 1 MiB of payload. Control frames hold a *record*:
keys and values as UTF-8 text, separated by NUL. A record is flat, so there is no depth to bound, and it needs no `json`,
whose import is a tenth of the supervisor's start.

    host to supervisor            C command    D data of the command (an empty one ends it)
    supervisor to host            A answer     O E live output   o e its tail   D data   F S names of a listing
    supervisor to kernel          C cell
    kernel to supervisor          A claim
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

MAX_PAYLOAD = 1 << 20
MAX_FIELDS = 64

COMMAND, DATA, ANSWER = b"C", b"D", b"A"
STDOUT, STDERR, STDOUT_TAIL, STDERR_TAIL = b"O", b"E", b"o", b"e"
FILES, SKIPPED = b"F", b"S"

FROM_HOST = COMMAND + DATA
FROM_SUPERVISOR = ANSWER + STDOUT + STDERR + STDOUT_TAIL + STDERR_TAIL + DATA + FILES + SKIPPED
FROM_KERNEL = ANSWER

Frame = tuple[bytes, bytes]


class Malformed(Exception):
    """Bytes that no honest other side sends."""


def frame(kind: bytes, payload: bytes = b"") -> bytes:
    """One frame as it goes over the wire."""
    if len(kind) != 1 or len(payload) > MAX_PAYLOAD:
        raise Malformed(f"a frame of {len(payload)} bytes")
    return kind + len(payload).to_bytes(4, "big") + payload


class Decoder:
    """Finds the frames in a stream of bytes, whatever pieces it comes in. Holds at most one frame."""

    def __init__(self, kinds: bytes) -> None:
        self._kinds, self._buffer = kinds, bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yields every frame that is complete. Raises `Malformed` at the first bytes that can't be a frame."""
        self._buffer += data
        while len(self._buffer) >= 5:
            kind, size = bytes(self._buffer[:1]), int.from_bytes(self._buffer[1:5], "big")
            if kind not in self._kinds:
                raise Malformed(f"a frame of kind {kind!r}")
            if size > MAX_PAYLOAD:
                raise Malformed(f"a frame of {size} bytes")
            if len(self._buffer) < 5 + size:
                return
            with memoryview(self._buffer) as view:
                payload = bytes(view[5 : 5 + size])
            del self._buffer[: 5 + size]
            yield kind, payload

    @property
    def empty(self) -> bool:
        """Whether the stream stands between two frames."""
        return not self._buffer


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
