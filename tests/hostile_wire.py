"""A session whose supervisor is the test's own: whatever it sends, and however it takes what we send."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from sandloop.events import InputFile, SandboxOpened
from sandloop.limits import Limits
from sandloop.ports import LocalFile
from sandloop_image import frames
from sandloop_sandbox.line import Line
from sandloop_sandbox.session import LineSession

Peer = Callable[[socket.socket], None]
LIMITS = Limits(step_seconds=0.2, output_kept=100_000, file_bytes=3_000_000)


class Cage:
    """As of a container; the other end of the line is the peer's."""

    def __init__(self, ours: socket.socket, limits: Limits, *, multiplexed: bool) -> None:
        self.limits, self.line, self.ended = limits, Line(ours, multiplexed=multiplexed), False

    def end(self) -> None:
        self.ended = True
        self.line.hang_up()


@asynccontextmanager
async def session_with(
    peer: Peer, *, limits: Limits = LIMITS, multiplexed: bool = False
) -> AsyncGenerator[tuple[LineSession, Cage]]:
    """A session on a line to `peer`, which runs in a thread of its own until our end is closed."""
    ours, theirs = socket.socketpair()
    cage = Cage(ours, limits, multiplexed=multiplexed)

    def live() -> None:
        with theirs, suppress(OSError):
            peer(theirs)

    thread = threading.Thread(target=live)
    thread.start()
    try:
        yield LineSession(cage, SandboxOpened(sandbox="hostile", id="s")), cage
    finally:
        cage.end()
        thread.join(20)
    assert not thread.is_alive()


def says(data: bytes) -> Peer:
    """Sends that, takes a while what is sent to it, and is gone."""

    def peer(theirs: socket.socket) -> None:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        while theirs.recv(1 << 16):
            continue

    return peer


def says_for_ever(data: bytes, *, pause: float = 0.0) -> Peer:
    """Sends that again and again until we hang up, with a pause after each; takes nothing."""

    def peer(theirs: socket.socket) -> None:
        while True:
            theirs.sendall(data)
            if pause:
                time.sleep(pause)

    return peer


class Supervisor:
    """Frames as an honest supervisor reads and writes them."""

    def __init__(self, theirs: socket.socket) -> None:
        self._theirs, self._decoder, self._inbox = theirs, frames.Decoder(frames.FROM_HOST), list[frames.Frame]()

    def next(self) -> frames.Frame:
        while not self._inbox:
            data = self._theirs.recv(1 << 18)
            if not data:
                raise OSError("the host is gone")
            self._inbox += self._decoder.feed(data)
        return self._inbox.pop(0)

    def send(self, kind: bytes, payload: bytes = b"") -> None:
        self._theirs.sendall(frames.frame(kind, payload))


def file_at(path: Path, *, size: int = 0) -> LocalFile:
    """A file of this machine, of `size` bytes when it was taken; 0: as many as it has."""
    return LocalFile(file=InputFile(name=path.name, size=size, mime="text/plain", sha256="0" * 64), path=path)
