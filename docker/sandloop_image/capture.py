"""What is kept of an endless output: the first three quarters live, the last quarter at the end, the rest counted. Pure."""

from __future__ import annotations


class Capture:
    """The bounded memory of one stream of one step."""

    def __init__(self, kept: int) -> None:
        self.total = 0
        self._head_left = kept * 3 // 4
        self._tail_size = kept - self._head_left
        self._tail = bytearray()

    def take(self, data: bytes) -> bytes:
        """Count the data; returns the part that belongs to the head, to be passed on live."""
        self.total += len(data)
        head = data[: self._head_left]
        self._head_left -= len(head)
        if len(head) < len(data):
            self._tail += data[len(head) :]
            # Trimmed at twice the size, so that a flood of tiny writes doesn't move the whole tail each time.
            if len(self._tail) > 2 * self._tail_size:
                del self._tail[: len(self._tail) - self._tail_size]
        return head

    def tail(self) -> bytes:
        """The end of what did not fit the head."""
        return bytes(self._tail[max(0, len(self._tail) - self._tail_size) :])
