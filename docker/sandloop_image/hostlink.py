"""The supervisor's two lines to the host: commands on descriptor 0, answers on 1.

Waiting for anything goes through `wait`, which never loses sight of the host: when its line ends, or the session's time is
over, PID 1 ends at once and the kernel takes every process of the container with it. A session's time begins with the host's
first word: a container may have been made ready long before.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import time
from collections import deque

from . import frames, processes

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing would be a quarter of the supervisor's start
    from typing import NoReturn

_IN = select.POLLIN | select.POLLHUP | select.POLLERR
_PIECE = 1 << 18
_PIPE = 1 << 20
"""The engine moves 32 KiB at a time: with the usual 64 KiB between us, each side waits for the other all the time."""


class HostLink:
    """Frames from and to the host, without ever blocking on it."""

    def __init__(self, seconds: float, idle: float) -> None:
        """`seconds` is the session's whole time; `idle` how long its first command may take to come, 0 when it runs already."""
        self.inbox: deque[frames.Frame] = deque()
        self._seconds, self._begun = seconds, not idle
        if idle:
            processes.call_me(processes.WAITING)
        self._ends_at = time.monotonic() + (idle or seconds)
        self._decoder = frames.Decoder(frames.FROM_HOST, passed=frames.DATA)
        self._outgoing: deque[memoryview] = deque()
        os.set_blocking(1, False)
        for pipe in (0, 1):
            with contextlib.suppress(OSError):  # no pipe, or a kernel that gives none so large
                fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, _PIPE)

    def queue(self, kind: bytes, payload: bytes) -> None:
        """Send a frame together with the next one: each write costs the engine a piece of its own."""
        self.queue_wire(frames.frame(kind, payload))

    def queue_wire(self, wire: bytes) -> None:
        """The same for bytes that are on their way to be a frame."""
        self._outgoing.append(memoryview(wire))

    def send(self, kind: bytes, payload: bytes) -> None:
        """Send a frame, as much as goes out at once; the rest follows. Callers bound what they send, or call `drain`."""
        self.queue(kind, payload)
        self._write()

    def answer(self, **fields: str | int | float) -> None:
        """The record that ends an operation."""
        self.send(frames.ANSWER, frames.record(fields))

    def drain(self) -> None:
        """Wait until the host has taken everything."""
        while self._outgoing:
            self.wait(None)

    def send_file(self, kind: bytes, file: int, size: int) -> None:
        """Send a frame whose payload is what comes next in a file, from the kernel's memory to the host's pipe."""
        self.queue_wire(frames.header(kind, size))
        self.drain()
        while size:
            try:
                sent = os.sendfile(1, file, None, size)
            except BlockingIOError:
                self.wait(None, writable=1)
                continue
            if not sent:
                leave()  # nobody but us runs: a file doesn't become shorter
            size -= sent

    def wait(self, seconds: float | None, *readable: int, writable: int | None = None) -> set[int]:
        """Wait until one of the descriptors is ready, something came from the host, or the time is over."""
        poll = select.poll()
        poll.register(0, _IN)
        if self._outgoing:
            poll.register(1, select.POLLOUT)
        for descriptor in readable:
            poll.register(descriptor, _IN)
        if writable is not None:
            poll.register(writable, select.POLLOUT)
        left = self._ends_at - time.monotonic()
        ready = {fd for fd, _ in poll.poll(1000 * max(0.0, left if seconds is None else min(seconds, left)))}
        if time.monotonic() >= self._ends_at:
            leave()
        if 1 in ready:
            self._write()
        if 0 in ready:
            self._read()
        return ready - {0, 1}

    def next_frame(self) -> frames.Frame:
        """The next frame from the host, for an operation that needs one now."""
        while not self.inbox:
            self.wait(None)
        return self.inbox.popleft()

    def _read(self) -> None:
        data = os.read(0, _PIECE)
        if not data:
            leave()
        if not self._begun:
            self._begun, self._ends_at = True, time.monotonic() + self._seconds
            processes.call_me(processes.AT_WORK)
        self.inbox.extend(self._decoder.feed(data))

    def _write(self) -> None:
        while self._outgoing:
            try:
                written = os.writev(1, list(self._outgoing)[:64])
            except BlockingIOError:
                return
            except OSError:
                leave()
            while written:
                first = self._outgoing.popleft()
                if len(first) > written:
                    self._outgoing.appendleft(first[written:])
                    break
                written -= len(first)


def leave() -> NoReturn:
    """End the container, at once."""
    os._exit(0)
