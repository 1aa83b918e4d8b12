"""The pipes between the supervisor and the interpreters, and reading from one without ever waiting."""

from __future__ import annotations

import os
import select

MOST_READS = 20
"""As many take all that a pipe can hold, 64 KiB and 1 MiB at most; whoever goes on writing meanwhile must not keep us."""


class Pipes:
    """The pipes that every kernel of the session uses, one after the other. We hold both ends of each."""

    def __init__(self) -> None:
        self.out_r, self.out_w = os.pipe()
        self.err_r, self.err_w = os.pipe()
        self.cells_r, self.cells_w = os.pipe()
        self.claims_r, self.claims_w = os.pipe()
        for ours in (self.out_r, self.err_r, self.cells_w, self.claims_r):
            os.set_blocking(ours, False)
        # The end that the kernels read from blocks, and they share its flags with us: for ourselves we open it once more.
        self._cells_left = os.open(f"/proc/self/fd/{self.cells_r}", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)

    def kernels(self) -> dict[int, int]:
        """What a kernel is started with: see `kernel.py`."""
        return {10: self.out_w, 11: self.err_w, 12: self.cells_r, 13: self.claims_w}

    def empty(self) -> None:
        """Throw away what a dead kernel left unread."""
        for theirs in self.kernels().values():
            os.set_blocking(theirs, True)  # the dead one may have changed it for all after it
        self.drop_output()
        read_all(self.claims_r)
        read_all(self._cells_left)

    def drop_output(self) -> None:
        """Throw away what was printed after the step's end, so that it is not taken for the next step's."""
        read_all(self.out_r)
        read_all(self.err_r)


def read_some(descriptor: int) -> bytes | None:
    """What stands in a non-blocking pipe, at most 64 KiB; None when there is nothing, empty at its end."""
    poll = select.poll()  # asked first: mostly there is nothing, and to be told so by an error takes three times as long
    poll.register(descriptor, select.POLLIN)
    try:
        return os.read(descriptor, 1 << 16) if poll.poll(0) else None
    except BlockingIOError:
        return None


def read_all(descriptor: int) -> bytes:
    """What stands in a non-blocking pipe."""
    data = b""
    for _ in range(MOST_READS):
        if not (piece := read_some(descriptor)):
            break
        data += piece
    return data
