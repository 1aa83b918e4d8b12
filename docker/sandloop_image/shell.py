"""Bash scripts: each a fresh bash, with the exported variables and the folder of the one before.

A script's last act is to say where it stands and what it exports, as NUL-separated text on a descriptor of its own. It is the
code's own text: bounded, taken apart here, and never run. What is no such text leaves the next script with what the last one had.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from .environment import MAX_BYTES, is_carried
from .folder import WORK
from .pipes import read_all

BASH = "/bin/bash"
STATE = 97
"""Where a script's state goes: out of the way of scripts, which use the first ten and 200, as in `exec 9>lock; flock 9`."""
MAX_SCRIPT = 120_000
"""Linux takes 128 KiB in one argument."""
MAX_STATE = MAX_BYTES + 8_000
TOO_LONG = f"echo 'The script is longer than {MAX_SCRIPT} bytes and was not run: write it to a file first.' >&2; exit 2"
TOO_MUCH = f"The variables exported before are more than {MAX_BYTES} bytes and were not carried over."
GONE = "The folder of the script before can't be entered any more: this one runs in /workspace."

# One line, so that the line numbers in bash's messages are those of the script.
_FRAME = 'trap -- "$2" EXIT; eval "$1"'
_NOTED_FRAME = 'printf "%s\\n" "$3" >&2; ' + _FRAME
_SAVE = (
    r"{ set +eux; IFS=$'\n'; printf '%s\0' \"$PWD\"; "
    r"for __name in $(compgen -e); do [[ -v $__name ]] && printf '%s=%s\0' \"$__name\" \"${!__name}\"; done; printf '\0'; } "
    rf">&{STATE} 2>/dev/null"
).replace('\\"', '"')


class Shell:
    """What one script leaves for the next."""

    def __init__(self) -> None:
        self._folder = WORK
        self.note = ""
        self._new = bytearray()

    def command(self, script: str) -> tuple[list[str], str]:
        """The command line for a script, and its folder. It expects a descriptor `STATE` to write the state to."""
        if len(script.encode()) > MAX_SCRIPT or "\0" in script:
            script = TOO_LONG
        if not _can_be_entered(self._folder):
            self._folder, self.note = WORK, GONE
        note, self.note = self.note, ""
        self._new.clear()
        frame = _NOTED_FRAME if note else _FRAME
        return [BASH, "--noprofile", "--norc", "-c", frame, "bash", script, _SAVE, *([note] if note else ())], self._folder

    def read_state(self, descriptor: int) -> None:
        """Take what the script says about its state so far; too much of it is no state."""
        self._new += read_all(descriptor)[: max(0, MAX_STATE + 1 - len(self._new))]

    def finish(self) -> Mapping[str, str] | None:
        """The script is over: the environment it left for the next, None when it left none."""
        if len(self._new) > MAX_STATE:
            self.note = TOO_MUCH
            return None
        if not self._new.endswith(b"\0\0"):
            return None  # killed, or it put an end of its own in the place of ours
        folder, *entries = os.fsdecode(bytes(self._new[:-2])).split("\0")
        self._folder = folder if folder.startswith("/") else WORK
        pairs = (entry.partition("=") for entry in entries)
        return {name: value for name, equals, value in pairs if equals and is_carried(name)}


def _can_be_entered(folder: str) -> bool:
    try:
        os.close(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
    except (OSError, ValueError):
        return False
    return os.access(folder, os.X_OK)
