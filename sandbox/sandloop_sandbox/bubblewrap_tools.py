"""What can be done with bubblewrap beside opening sandboxes: the entry point `bubblewrap` of `sandloop.sandbox_tools`."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
from pathlib import Path

from sandloop.options import SandboxOptions
from sandloop.ports import Held, OnProgress, Proof
from sandloop_sandbox.bubblewrap import packages, refuse_what_it_lacks
from sandloop_sandbox.bubblewrap_held import found
from sandloop_sandbox.bubblewrap_packages import out_of_date
from sandloop_sandbox.bubblewrap_program import find_program
from sandloop_sandbox.bubblewrap_python import find_python


class BubblewrapTools:
    """The tools of the sandbox named `bubblewrap`."""

    def __init__(self, options: SandboxOptions) -> None:
        refuse_what_it_lacks(options)
        self._options = options

    def ps(self) -> list[Held]:
        """The sandboxes there are, the oldest first."""
        return [one.held for one in found()]

    def prune(self, on_progress: OnProgress) -> int:
        """End sandboxes without an owner, which there are only when the kernel failed to, and remove packages of older versions
        that no sandbox uses; returns how many."""
        removed = 0
        for one in found():
            if one.held.state == "left over":
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(one.pid, signal.SIGKILL)
                    on_progress(f"ended the sandbox {one.held.id}")
                    removed += 1
        for folder in out_of_date(find_python()):
            if _remove_unused(folder):
                on_progress(f"removed {folder}")
                removed += 1
        return removed

    def build(self, on_progress: OnProgress) -> str:
        """Install the packages, unless they are there; returns the folder's name."""
        return packages(find_program(), self._options, on_progress).folder.name

    def prove(self, on_progress: OnProgress) -> list[Proof]:
        """Open sandboxes and attack them from inside; takes about a quarter of a minute."""
        from sandloop_sandbox.prove_bubblewrap import prove

        return prove(self._options, on_progress)


def _remove_unused(folder: Path) -> bool:
    """Remove a folder that no sandbox holds."""
    try:
        descriptor = os.open(folder / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False  # it is being made, or half removed
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        shutil.rmtree(folder)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def bubblewrap_tools(options: SandboxOptions) -> BubblewrapTools:
    """The entry point `bubblewrap`. Raises `BadSetting` for what it can't honour."""
    return BubblewrapTools(options)
