"""A bubblewrap that runs: started closed, with a line to it, ended whatever happens to us. Blocking; used from threads."""

from __future__ import annotations

import contextlib
import functools
import json
import os
import platform
import socket
import subprocess
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from typing import Any, cast

from sandloop.errors import BubblewrapUnavailable
from sandloop.limits import Limits
from sandloop_sandbox.bpf import seccomp_program
from sandloop_sandbox.bubblewrap_packages import Prepared
from sandloop_sandbox.bubblewrap_policy import Descriptors, Who, command_line
from sandloop_sandbox.bubblewrap_program import Program, why_it_ended
from sandloop_sandbox.bubblewrap_root import session_files, shown
from sandloop_sandbox.policy import PYTHON

ONCE_SECONDS = 120.0
_KEPT_STDERR = 4_000


def start(
    program: Program,
    prepared: Prepared,
    limits: Limits,
    who: Who,
    inside: Sequence[str],
    streams: Mapping[str, Any],
    change: Callable[[list[str]], list[str]] | None = None,
) -> subprocess.Popen[bytes]:
    """Start bubblewrap with a program inside; the proof changes the command. Raises `BubblewrapUnavailable`."""
    with contextlib.ExitStack() as stack:
        given = {path: stack.enter_context(_readable(text.encode())) for path, text in session_files(who.uid).items()}
        descriptors = Descriptors(seccomp=stack.enter_context(_readable(_seccomp())), files=given)
        command = command_line(program.path, shown(prepared), who, limits, descriptors, inside)
        command = change(command) if change is not None else command
        # The kernel tells the child of its parent's death when the thread dies that started it, so that is one that stays.
        options: dict[str, Any] = {**streams, "env": {}, "cwd": "/", "pass_fds": (descriptors.seccomp, *given.values())}
        if who.own_uid:
            options |= {"user": who.uid, "group": who.uid, "extra_groups": []}
        # Shows in a list of the processes of this machine which is which.
        options |= {"executable": program.path, "args": [f"sandloop-{who.session}", *command[1:]]}
        try:
            return _starter(os.getpid()).submit(_popen, options).result()
        except OSError as error:
            said = f"{program.path} can't be started as uid {who.uid if who.own_uid else os.geteuid()} ({error})"
            raise BubblewrapUnavailable(said=said, do="Install it where every user may run it, such as /usr/bin") from error


def run_once(program: Program, prepared: Prepared, limits: Limits, who: Who, source: str) -> bytes:
    """Run lines of Python in a sandbox of their own; returns what they print. Raises `BubblewrapUnavailable`."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = start(program, prepared, limits, who, [PYTHON, "-I", "-c", source], streams)
    with process:
        try:
            out, err = process.communicate(timeout=ONCE_SECONDS)
        except subprocess.TimeoutExpired as error:
            raise BubblewrapUnavailable(said="its Python does not come to an end in it", do="Use Docker") from error
        finally:
            process.kill()
    if process.returncode:
        raise why_it_ended(err.decode("utf-8", "replace"))
    return out


class Link:
    """Our end of a supervisor's standard streams, in the form that a `Line` takes: a socket, and what it complained about."""

    def __init__(self) -> None:
        self._sock, self._theirs = socket.socketpair()
        self._complaints, self._stderr = os.pipe()
        os.set_blocking(self._complaints, False)

    def streams(self) -> dict[str, Any]:
        return {"stdin": self._theirs.fileno(), "stdout": self._theirs.fileno(), "stderr": self._stderr}

    def given(self) -> None:
        """The child has its ends; ours of them are closed, so that each sees when the other is gone."""
        self._theirs.close()
        with contextlib.suppress(OSError):
            os.close(self._stderr)
        self._stderr = -1

    def complaint(self) -> str:
        """What came on standard error so far and was not asked for yet, bounded by a pipe's size."""
        try:
            return os.read(self._complaints, _KEPT_STDERR).decode("utf-8", "replace")
        except OSError:
            return ""

    def close(self) -> None:
        """Idempotent."""
        self.given()
        complaints, self._complaints = self._complaints, -1
        with contextlib.suppress(OSError):
            os.close(complaints)
        self._sock.close()


def _popen(options: dict[str, Any]) -> subprocess.Popen[bytes]:
    return cast("subprocess.Popen[bytes]", subprocess.Popen(**options))


@functools.cache
def _starter(pid: int) -> ThreadPoolExecutor:
    """The thread of this process that starts all of them; a forked child needs one of its own."""
    return ThreadPoolExecutor(max_workers=1, thread_name_prefix="sandloop-bubblewrap")


@functools.cache
def _seccomp() -> bytes:
    profile = json.loads((files("sandloop_image") / "seccomp.json").read_text())
    return seccomp_program(profile, platform.machine())


@contextlib.contextmanager
def _readable(data: bytes) -> Generator[int]:
    """A descriptor from which a child reads these bytes."""
    descriptor = os.memfd_create("sandloop", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, data)
        os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)
