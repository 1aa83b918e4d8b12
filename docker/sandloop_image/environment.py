"""The environment that Python cells and bash scripts share. Pure.

A script starts with what the scripts and cells before it left; a cell gets what scripts exported since. What would decide how a
shell or a program starts, rather than what it works with, is not carried over: nothing left behind keeps a later step from running.
"""

from __future__ import annotations

from collections.abc import Mapping

MAX_BYTES = 100_000
"""Of all carried variables together. Linux takes 128 KiB in one."""
Changes = dict[str, "str | None"]
"""New values by name; None: it was removed."""

_OWN = frozenset(
    ("_", "PWD", "OLDPWD", "SHLVL", "IFS", "ENV", "SHELLOPTS", "PS4", "PYTHONSTARTUP", "PYTHONHOME", "POSIXLY_CORRECT")
)
_STARTS = ("BASH", "LD_", "GLIBC_", "MALLOC_")


def is_carried(name: str) -> bool:
    """Whether a variable of this name goes over to the next step."""
    return name.isidentifier() and name.isascii() and name not in _OWN and not name.startswith(_STARTS)


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> Changes:
    """What was set and removed between the two."""
    found: Changes = {name: value for name, value in after.items() if before.get(name) != value and is_carried(name)}
    found.update(dict.fromkeys(name for name in before if name not in after and is_carried(name)))
    return found


def packed(found: Mapping[str, str | None]) -> str:
    """Changes as a text of letters and digits, for a record; empty when there are none, or too many."""
    entries = (name if value is None else f"{name}={value}" for name, value in found.items())
    data = "\0".join(entries).encode("utf-8", "surrogateescape")
    return data.hex() if len(data) <= MAX_BYTES else ""


def unpacked(text: str) -> Changes:
    """The changes in a text, whoever wrote it. Raises `ValueError` when it is none."""
    if len(text) > 2 * MAX_BYTES:
        raise ValueError("too much of an environment")
    found: Changes = {}
    for entry in filter(None, bytes.fromhex(text).decode("utf-8", "surrogateescape").split("\0")):
        name, equals, value = entry.partition("=")
        if is_carried(name):
            found[name] = value if equals else None
    return found


class Shared:
    """What the next script starts with, and what the next cell has to be told."""

    def __init__(self, base: Mapping[str, str]) -> None:
        self.shell = dict(base)
        self._exported: Changes = {}
        self._news: Changes = {}
        self._told: int | None = None

    def from_shell(self, after: Mapping[str, str]) -> None:
        """A script ended with this environment."""
        found = changes(self.shell, after)
        self._apply(found)
        self._exported |= found
        self._news |= found

    def from_kernel(self, found: Changes) -> None:
        """A cell changed this."""
        self._apply(found)

    def for_kernel(self, pid: int) -> Changes:
        """What this kernel does not know yet: all that scripts exported, when it is a fresh one."""
        found = self._news if pid == self._told else self._exported
        self._told, self._news = pid, {}
        return dict(found)

    def _apply(self, found: Changes) -> None:
        for name, value in found.items():
            if value is None:
                self.shell.pop(name, None)
            else:
                self.shell[name] = value
        # A cell and a script could each be within bounds and both together not.
        while sum(len(name) + 4 * len(value) for name, value in self.shell.items()) > 8 * MAX_BYTES:
            del self.shell[next(reversed(self.shell))]
