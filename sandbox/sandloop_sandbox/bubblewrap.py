"""The sandbox named `bubblewrap`: for a Linux machine where Docker can't be had. The same programs run inside, over the same line.

It is the weaker one, taken only by name. It holds the network, the privileges, the system calls and the files as Docker does, and
it can't bound the memory of all processes together, the processors, nor the number of files: `bubblewrap_policy.NOT_LIMITED`,
which every session says in `SandboxOpened.not_limited`. What the code runs as is, on the machine, the user's own uid, unless root
starts it: then it is one that nobody has.
"""

from __future__ import annotations

import time

from anyio import CancelScope, to_thread

from sandloop.errors import BadSetting
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.ports import OnProgress
from sandloop_sandbox.bubblewrap_cage import BubblewrapCage, new_who
from sandloop_sandbox.bubblewrap_packages import Prepared, ensure_packages
from sandloop_sandbox.bubblewrap_process import run_once
from sandloop_sandbox.bubblewrap_program import Program, find_program
from sandloop_sandbox.session import LineSession


class BubblewrapSandbox:
    """A `Sandbox` on bubblewrap."""

    def __init__(self, limits: Limits, options: SandboxOptions, on_progress: OnProgress) -> None:
        self._limits, self._options, self._on_progress = limits, options, on_progress

    async def open(self) -> LineSession:
        """A fresh sandbox, started and checked. Raises a `SandboxError`."""
        cage, began = BubblewrapCage(self._limits, self._options), time.monotonic()
        try:
            await to_thread.run_sync(lambda: self._start(cage), abandon_on_cancel=True)
        except BaseException:
            cage.end()
            with CancelScope(shield=True):
                await to_thread.run_sync(cage.see_it_settled)
            raise
        return LineSession(cage, cage.opened(seconds=time.monotonic() - began))

    def _start(self, cage: BubblewrapCage) -> None:
        program = find_program()
        cage.start(program, packages(program, self._options, self._on_progress))


def packages(program: Program, options: SandboxOptions, on_progress: OnProgress) -> Prepared:
    """The interpreter and the packages for these options, made first when they are not there. Raises `BubblewrapUnavailable`."""
    return ensure_packages(options, on_progress, lambda made, source: run_once(program, made, Limits(), new_who(), source))


def open_bubblewrap(limits: Limits, options: SandboxOptions, on_progress: OnProgress) -> BubblewrapSandbox:
    """The entry point `bubblewrap`. Raises `BadSetting` for what it can't honour."""
    refuse_what_it_lacks(options)
    return BubblewrapSandbox(limits, options, on_progress)


def refuse_what_it_lacks(options: SandboxOptions) -> None:
    """Raises `BadSetting` for an option that only a container engine has."""
    for name in (*(("runtime",) if options.runtime is not None else ()), *options.weakened):
        raise BadSetting(name=f"sandbox.{name}", why="can't be had with the engine 'bubblewrap': leave it out, or use 'docker'")
