"""Waiting in such a way that no signal is missed."""

from __future__ import annotations

import signal
import socket
from collections.abc import Generator
from contextlib import contextmanager


@contextmanager
def told_of_signals() -> Generator[socket.socket]:
    """A socket that gets something to read with each signal that has a handler, for whoever waits on several things.

    A call that waits is ended by a signal, but not by one that came just before it began. In the main thread only.
    """
    told, tell = socket.socketpair()
    with told, tell:
        tell.setblocking(False)
        before = signal.set_wakeup_fd(tell.fileno(), warn_on_full_buffer=False)
        try:
            yield told
        finally:
            signal.set_wakeup_fd(before)
