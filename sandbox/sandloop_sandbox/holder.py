"""A small process of the user's that holds containers made ahead, for whichever of the user's processes asks next.

It has a `Pool` and nothing else. Whoever asks gets a container's connection, and from then on that container lives and ends with
them: the holder keeps no copy. It serves one engine and one version of our programs, and ends when nobody has asked for some
minutes; its containers end with it, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Generator
from typing import Any

from sandloop.signals import told_of_signals
from sandloop_sandbox import handover
from sandloop_sandbox.ahead import start
from sandloop_sandbox.container import Container
from sandloop_sandbox.pool import IDLE_SECONDS, Pool
from sandloop_sandbox.request import Request

PATIENCE = 0.02
"""A client says what it wants when it connects, or never."""
MAX_SIZE = 64
NONE: dict[str, str] = {}


def make(request: Request) -> Container:
    """A container to be made ahead and given away."""
    return Container(request.limits, request.options, idle_seconds=IDLE_SECONDS, shared=True)


class Holder:
    """Answers requests until none come, or until it is told to end."""

    def __init__(self, listener: socket.socket, pool: Pool, place: str, idle: float) -> None:
        self._listener, self._pool, self._place, self._idle = listener, pool, place, idle

    def serve(self, told_to_end: socket.socket) -> None:
        """Returns when nobody has asked for so long, or once there is something to read from `told_to_end`."""
        self._listener.setblocking(False)
        end = time.monotonic() + self._idle
        while (left := end - time.monotonic()) > 0:
            readable, _, _ = select.select([self._listener, told_to_end], [], [], left)
            if told_to_end in readable:
                return
            try:
                connection, _ = self._listener.accept()
            except (BlockingIOError, ConnectionAbortedError):
                continue  # nobody is there any more
            with connection, contextlib.suppress(OSError, handover.Unfit):
                if self._answer(connection):
                    end = time.monotonic() + self._idle

    def _answer(self, connection: socket.socket) -> bool:
        if not handover.peer_is_ours(connection):
            return False
        connection.settimeout(PATIENCE)
        message, foreign = handover.receive(connection)
        if foreign is not None:
            foreign.close()
            return False
        try:
            asked: dict[str, Any] = json.loads(message)
            request = Request.from_json(asked["request"])
            size, image = min(int(asked["size"]), MAX_SIZE), str(asked["image"])
        except (ValueError, TypeError, KeyError, RecursionError):
            return False
        if request.place != self._place:
            return False
        if image:
            self._pool.keep(request, image, size)
            handover.answer(connection, json.dumps(NONE).encode())
        else:
            self._give(connection, request)
        return True

    def _give(self, connection: socket.socket, request: Request) -> None:
        container = self._pool.take(request)
        if container is None:
            return handover.answer(connection, json.dumps(NONE).encode())
        facts, given = container.give_away()
        # Whether it arrives or not: with our last copy closed it is theirs, or it ends.
        with given:
            return handover.answer(connection, json.dumps(facts).encode(), given)


@contextlib.contextmanager
def signals_to_end() -> Generator[socket.socket]:
    """A socket that gets something to read when a signal asks this process to end.

    An exception out of a signal handler would come anywhere, also while a lock is taken.
    """
    with told_of_signals() as told:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda number, frame: None)
        yield told


def main() -> None:
    """The process: one for each user, engine and version of the programs; a second one leaves at once."""
    arguments: dict[str, Any] = json.load(sys.stdin)
    place = handover.meeting_place(f"holder-{arguments['place']}")
    lock = os.open(place.with_suffix(".lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    pool = Pool(make, start)
    try:
        with signals_to_end() as told_to_end, handover.listen(place) as listener:
            pool.keep(Request.from_json(arguments["request"]), arguments["image"], arguments["size"])
            Holder(listener, pool, arguments["place"], arguments["idle"]).serve(told_to_end)
            place.unlink(missing_ok=True)
    finally:
        pool.close()
