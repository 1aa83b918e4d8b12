"""Our line to a supervisor: frames over the container's attached streams, each wait with an end. Blocking; used from threads.

Whatever comes is untrusted: a stream or a frame that no honest supervisor sends, or silence past the deadline, is `SandboxLost`.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from sandloop.errors import SandboxLost
from sandloop_image import frames
from sandloop_sandbox.stream import Demultiplexer

_PIECE = 1 << 18
_KEPT_STDERR = 4_000
_NOT_NOW = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
STALL_SECONDS = 2.0
"""Without a byte taken, after which the engine is asked whether the other end still lives."""
SEND_SECONDS = 60.0
"""How long a supervisor may take to take a frame."""


class Line:
    """Frames to and from one supervisor. One thread at a time reads; `hang_up` and `send` may come from others."""

    def __init__(
        self,
        attached: Any,
        why_gone: Callable[[], str] = str,
        *,
        multiplexed: bool = True,
        complaint: Callable[[], str] = str,
    ) -> None:
        """
        Args:
            attached: A stream socket, or what the SDK gave that holds one.
            why_gone: Asks what became of the other end, once nothing comes any more; empty when that is not known.
            multiplexed: Whether the engine's headers stand before each piece; else it is the supervisor's standard output alone.
            complaint: What came on standard error, where that is no part of the stream.
        """
        self._attached = attached
        """What the SDK gave: it keeps the HTTP response, and so the connection, alive."""
        self._complaint = complaint
        self._why_gone = why_gone
        self._socket: socket.socket = getattr(attached, "_sock", attached)
        # A blocking call with a timeout costs two system calls more, and its timeout is the socket's: sender and reader share it.
        self._socket.setblocking(False)
        self._streams = Demultiplexer() if multiplexed else None
        self._frames = frames.Decoder(frames.FROM_SUPERVISOR, passed=frames.DATA)
        self._read = deque[frames.Frame]()
        self._stderr = bytearray()
        self._sending, self._reading = threading.Lock(), threading.Lock()
        self._counting, self._users = threading.Lock(), 0
        self._hung_up = False

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Send one frame. Raises `SandboxLost`."""
        self.send_wire(frames.frame(kind, payload), time.monotonic() + SEND_SECONDS)

    def command(self, *data: bytes, **fields: str | int | float) -> None:
        """Send a command, with short data at once."""
        wire = frames.frame(frames.COMMAND, frames.record(fields))
        self.send_wire(wire + b"".join(frames.frame(frames.DATA, piece) for piece in data), time.monotonic() + SEND_SECONDS)

    def send_wire(self, wire: bytes | memoryview, deadline: float) -> None:
        """Send whole frames as they stand, by `deadline` on the monotonic clock. Raises `SandboxLost`."""
        with self._in_use(), self._sending:
            rest = memoryview(wire)
            while rest:
                try:
                    rest = rest[self._socket.send(rest) :]
                except _NOT_NOW:
                    self._wait_to_send(deadline)
                except OSError as error:
                    raise self._gone(f"its line broke ({error})") from error

    def _wait_to_send(self, deadline: float) -> None:
        """An engine may hold the connection of a dead container open, and take nothing: after a while it is asked."""
        until = min(deadline, time.monotonic() + STALL_SECONDS)
        poll = select.poll()
        poll.register(self._socket, select.POLLOUT)
        if not poll.poll(max(0.0, 1000 * (until - time.monotonic()))) and (said := self._why_gone()):
            raise self.lost("it was closed" if self._hung_up else said)
        self._check_time(deadline, "it did not take what was sent")

    def read(self, deadline: float) -> frames.Frame:
        """The next frame, by `deadline` on the monotonic clock; of data, the next piece. Raises `SandboxLost`."""
        with self._in_use(), self._reading:
            try:
                while not self._read:
                    self._take(self._received(deadline))
                return self._read.popleft()
            except frames.Malformed as error:
                raise self.lost(f"it sent {error}") from error

    def _received(self, deadline: float) -> bytes:
        while True:
            try:
                # Before each piece: a supervisor that never stops talking is late, too.
                self._check_time(deadline, "it did not answer in time")
                data = self._socket.recv(_PIECE)
            except _NOT_NOW:
                self._wait(select.POLLIN, deadline, "it did not answer in time")
                continue
            except OSError as error:
                raise self._gone(f"its line broke ({error})") from error
            if not data:
                raise self._gone("it ended by itself, or the engine did")
            return data

    def _wait(self, event: int, deadline: float, late: str) -> None:
        left = self._check_time(deadline, late)
        poll = select.poll()
        poll.register(self._socket, event)
        poll.poll(1000 * min(left, 3600.0))  # the callers come again

    def _check_time(self, deadline: float, late: str) -> float:
        left = deadline - time.monotonic()
        if left <= 0:
            raise self._gone(late)
        return left

    def _take(self, data: bytes) -> None:
        if self._streams is None:
            self._read.extend(self._frames.feed(data))
            return
        for stream, piece in self._streams.feed(data):
            if stream == "stdout":
                self._read.extend(self._frames.feed(piece))
            else:
                self._stderr += piece[: max(0, _KEPT_STDERR - len(self._stderr))]

    def _gone(self, seen: str) -> SandboxLost:
        """The error when nothing comes or goes any more: what the engine says of it, else what was seen from here."""
        return self.lost("it was closed" if self._hung_up else self._why_gone() or seen)

    def lost(self, said: str) -> SandboxLost:
        """The error, with the last line of what the supervisor complained about."""
        complaint = self.complaints().strip().rpartition("\n")[2][:500]
        return SandboxLost(said=f"{said}; its supervisor said {complaint!r}" if complaint else said)

    def is_quiet(self) -> bool:
        """Whether the line stands and nothing has come that was not read: what one that waits for its session looks like."""
        poll = select.poll()
        try:
            poll.register(self._socket, select.POLLIN)
        except ValueError:
            return False  # closed
        return not self._hung_up and not self._read and self._frames.empty and not poll.poll(0)

    def give_away(self) -> socket.socket:
        """The connection itself, for another process; ours is closed, and the line goes on for whoever has that."""
        connection = self._socket.dup()
        self._close()
        return connection

    def let_go(self) -> None:
        """Close our copy of the connection alone: another process has it too, and the line goes on there."""
        with contextlib.suppress(OSError):
            os.close(self._socket.detach())

    def complaints(self) -> str:
        """What came on standard error so far, bounded."""
        self._stderr += self._complaint().encode()[: max(0, _KEPT_STDERR - len(self._stderr))]
        return self._stderr.decode("utf-8", "replace")

    def hang_up(self) -> None:
        """End the line, and with it the container. Idempotent; a reader in another thread gets `SandboxLost` at once."""
        with self._in_use():
            self._hung_up = True
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                return  # it was broken already

    @contextmanager
    def _in_use(self) -> Generator[None]:
        """Closed by the last one to leave: a descriptor that is polled must not be given to somebody else."""
        with self._counting:
            self._users += 1
        try:
            yield
        finally:
            with self._counting:
                self._users -= 1
                if self._hung_up and not self._users:
                    self._close()

    def _close(self) -> None:
        response = getattr(self._attached, "_response", None)
        if response is not None:
            response.close()
        self._attached.close()
        self._socket.close()


def expect(fields: Mapping[str, str], key: str, line: Line) -> str:
    """A field that every answer of this kind has."""
    try:
        return fields[key]
    except KeyError as error:
        raise line.lost(f"it sent an answer without {key!r}") from error
