"""Our line to a supervisor: frames over the container's attached streams, each wait with an end. Blocking; used from threads.

Whatever comes is untrusted: a stream or a frame that no honest supervisor sends, or silence past the deadline, is `SandboxLost`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections import deque
from collections.abc import Mapping
from typing import Any

from sandloop.errors import SandboxLost
from sandloop_image import frames
from sandloop_sandbox.stream import Demultiplexer

_PIECE = 1 << 18
_KEPT_STDERR = 4_000
SEND_SECONDS = 60.0
"""How long a supervisor may take none of what we send."""


class Line:
    """Frames to and from one supervisor. One thread at a time reads; `hang_up` and `send` may come from others."""

    def __init__(self, attached: Any, *, multiplexed: bool = True) -> None:
        """
        Args:
            attached: A stream socket, or what the SDK gave that holds one.
            multiplexed: Whether the engine's headers stand before each piece; else it is the supervisor's standard output alone.
        """
        self._attached = attached
        """What the SDK gave: it keeps the HTTP response, and so the connection, alive."""
        self._socket: socket.socket = getattr(attached, "_sock", attached)
        self._streams = Demultiplexer() if multiplexed else None
        self._frames = frames.Decoder(frames.FROM_SUPERVISOR)
        self._read = deque[frames.Frame]()
        self._stderr = bytearray()
        self._sending, self._reading = threading.Lock(), threading.Lock()
        self._hung_up = False

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        """Send one frame. Raises `SandboxLost`."""
        self._send(frames.frame(kind, payload))

    def _send(self, wire: bytes) -> None:
        try:
            with self._sending:
                self._socket.settimeout(SEND_SECONDS)
                self._socket.sendall(wire)
        except OSError as error:
            raise self.lost(f"its line broke ({error})") from error

    def command(self, *data: bytes, **fields: str | int | float) -> None:
        """Send a command, with short data at once."""
        wire = frames.frame(frames.COMMAND, frames.record(fields))
        self._send(wire + b"".join(frames.frame(frames.DATA, piece) for piece in data))

    def read(self, deadline: float) -> frames.Frame:
        """The next frame, by `deadline` on the monotonic clock. Raises `SandboxLost`."""
        with self._reading:
            try:
                while not self._read:
                    self._take(self._received(deadline))
                return self._read.popleft()
            except frames.Malformed as error:
                raise self.lost(f"it sent {error}") from error
            finally:
                if self._hung_up:
                    self._close()

    def _received(self, deadline: float) -> bytes:
        try:
            self._socket.settimeout(max(0.001, deadline - time.monotonic()))
            data = self._socket.recv(_PIECE)
        except TimeoutError as error:
            raise self.lost("it did not answer in time") from error
        except OSError as error:
            raise self.lost(f"its line broke ({error})") from error
        if not data:
            raise self.lost("it ended by itself, or the engine did")
        return data

    def _take(self, data: bytes) -> None:
        if self._streams is None:
            self._read.extend(self._frames.feed(data))
            return
        for stream, piece in self._streams.feed(data):
            if stream == "stdout":
                self._read.extend(self._frames.feed(piece))
            else:
                self._stderr += piece[: max(0, _KEPT_STDERR - len(self._stderr))]

    def lost(self, said: str) -> SandboxLost:
        """The error, with the last line of what the supervisor complained about."""
        complaint = self._stderr.decode("utf-8", "replace").strip().rpartition("\n")[2][:500]
        return SandboxLost(said=f"{said}; its supervisor said {complaint!r}" if complaint else said)

    def hang_up(self) -> None:
        """End the line, and with it the container. Idempotent; a reader in another thread gets `SandboxLost` at once."""
        self._hung_up = True
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:
            return self._close()  # it was broken already
        # Closed by the reader, if there is one: a descriptor that is polled must not be given to somebody else.
        if self._reading.acquire(blocking=False):
            try:
                self._close()
            finally:
                self._reading.release()
        return None

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
