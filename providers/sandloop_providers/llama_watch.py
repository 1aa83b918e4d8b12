"""Runs one program and ends it when we are gone. Standard library only: it is started by its path, `python -I llama_watch.py …`.

Our process holds the other end of standard input, so a read that ends means that we ended, even by `kill -9`. If this watcher
itself is killed, the kernel ends the program (Linux).
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import subprocess
import sys

PR_SET_PDEATHSIG = 1
GRACE_SECONDS = 2
LOOK_SECONDS = 0.5


def die_with_the_watcher() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def main(command: list[str]) -> int:
    """The program's exit code; it is ended when standard input closes or our process is no longer our parent."""
    parent = os.getppid()
    woken, wake = os.pipe()
    os.set_blocking(wake, False)

    def wake_up(number: int, frame: object) -> None:
        os.write(wake, b"!")

    signal.signal(signal.SIGCHLD, wake_up)
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=die_with_the_watcher)  # noqa: S603
    while child.poll() is None and os.getppid() == parent:
        readable, _, _ = select.select([0, woken], [], [], LOOK_SECONDS)
        if 0 in readable and not os.read(0, 1024):
            break
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
    return child.wait()


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.exit(code if code >= 0 else 128 - code)
