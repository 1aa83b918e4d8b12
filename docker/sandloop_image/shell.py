"""Bash scripts: each a fresh bash in the working folder, with the exported variables and the folder of the one before.

Bash itself writes down what to carry over, as shell text on a descriptor of its own, and bash itself reads it again. It is the
code's own text: bounded, handed back to the code, never looked at here.
"""

from __future__ import annotations

import os

from .interpreters import read_all

BASH = "/bin/bash"
STATE = 97
"""Where a script's state goes: out of the way of scripts, which use the first ten and 200, as in `exec 9>lock; flock 9`."""
MAX_SCRIPT = 120_000
"""Linux takes 128 KiB in one argument."""
MAX_STATE = 100_000
TOO_LONG = f"echo 'The script is longer than {MAX_SCRIPT} bytes and was not run: write it to a file first.' >&2; exit 2"

# One line, so that the line numbers in bash's messages are those of the script.
_SAVE = f'{{ printf "cd -- %q\\n" "$PWD"; export -p; }} >&{STATE} 2>/dev/null'
_FRAME = f'eval "$2" 2>/dev/null; trap \'{_SAVE}\' EXIT; eval "$1"'


class Shell:
    """What one script leaves for the next."""

    def __init__(self) -> None:
        self._state = b""
        self._new = bytearray()

    def command(self, script: str) -> list[str]:
        """The command line for a script. It expects a descriptor `STATE` to write the state to."""
        if len(script.encode()) > MAX_SCRIPT or "\0" in script:
            script = TOO_LONG
        self._new.clear()
        return [BASH, "--noprofile", "--norc", "-c", _FRAME, "bash", script, os.fsdecode(self._state)]

    def read_state(self, descriptor: int) -> None:
        """Take what the script says about its state so far; too much of it is no state."""
        self._new += read_all(descriptor)[: max(0, MAX_STATE + 1 - len(self._new))]

    def finish(self) -> None:
        """The script is over: what it wrote is the state of the next, if it is one."""
        if self._new and len(self._new) <= MAX_STATE and b"\0" not in self._new:
            self._state = bytes(self._new)
