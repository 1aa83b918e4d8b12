"""Inputs read-only in fact: Landlock, the kernel's own access control for processes without privileges.

The input files belong to the code's user, who could make them writable. A process that has taken on these rules writes, makes,
renames and removes in the scratch places alone, whatever the modes say, and so do its children. The supervisor puts every
program of the code under them; it does not take them on itself, as it brings the inputs in.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

_CREATE, _ADD, _RESTRICT = 444, 445, 446
"""Numbers of the three system calls, the same on every processor."""
_ABI_WITH_TRUNCATE = 3
"""Linux 6.2. Before it a file could be emptied, and before 5.19 nothing could be moved between folders."""
_WRITE = 1 << 1 | 1 << 14
"""Into files, and truncating them."""
_CHANGES = _WRITE | sum(1 << bit for bit in range(4, 14))
"""Also removing and making, of every kind, and moving between folders. Reading, running and ioctl are left alone."""
_VERSION, _PATH_BENEATH = 1, 1
SCRATCH = ("/workspace", "/tmp", "/dev/shm")  # noqa: S108 - the container's own
DEVICES = ("/dev", "/proc")
"""What can be written there is no file of the session: /dev/null, a process's own settings."""


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed_access", ctypes.c_uint64), ("parent_fd", ctypes.c_int32))


def rules(writable: Sequence[str] = ()) -> int | None:
    """A descriptor of the rules, to be handed to `take_on`; None where the kernel has no Landlock, or too little of it.

    `writable` are places beside the scratch ones that the user opened.
    """
    if _call(_CREATE, None, 0, _VERSION) < _ABI_WITH_TRUNCATE:
        return None
    handled = ctypes.c_uint64(_CHANGES)
    made = _call(_CREATE, ctypes.byref(handled), ctypes.sizeof(handled), 0)
    if made < 0:
        return None
    for places, allowed in (((*SCRATCH, *writable), _CHANGES), (DEVICES, _WRITE)):
        for place in places:
            folder = os.open(place, os.O_PATH | os.O_CLOEXEC)
            rule = _PathBeneath(allowed_access=allowed, parent_fd=folder)
            added = _call(_ADD, made, _PATH_BENEATH, ctypes.byref(rule), 0)
            os.close(folder)
            if added < 0:
                os.close(made)
                return None
    return made


def take_on(rules: int) -> None:
    """Put this process and all its children to come under the rules, for ever. Raises `OSError`."""
    if _call(_RESTRICT, rules, 0) < 0:
        raise OSError(ctypes.get_errno(), "landlock_restrict_self")


def _call(number: int, *given: object) -> int:
    wide = (ctypes.c_long(value) if isinstance(value, int) else value for value in given)
    return int(_libc.syscall(ctypes.c_long(number), *wide))


_libc = ctypes.CDLL(None, use_errno=True)
