"""The sandboxes that bubblewrap holds on this machine now, found by the names of their processes."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sandloop.ports import Held

_NAMED = re.compile(rb"sandloop-([0-9a-f]{16})\0--unshare-user\0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A sandbox, and its first process on this machine."""

    pid: int
    held: Held


def found() -> list[Found]:
    """The sandboxes there are, the oldest first. Those of other users, too, as far as the machine shows them."""
    parents = _parents()
    sandboxes: list[Found] = []
    for pid, parent in parents.items():
        session = _session(pid)
        # Bubblewrap is two processes of one name until the second becomes the supervisor.
        if session is None or _session(parent) == session:
            continue
        with contextlib.suppress(OSError):  # it has ended meanwhile
            sandboxes.append(Found(pid=pid, held=_held(pid, parent, session, parents)))
    return sorted(sandboxes, key=lambda one: one.held.created)


def _held(pid: int, parent: int, session: str, parents: Mapping[int, int]) -> Held:
    fields = _stat(pid)
    began = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    orphan = parent in (0, 1)
    return Held(
        id=session,
        state="left over" if orphan else "in use",
        owner="nobody" if orphan else f"process {parent} ({Path(f'/proc/{parent}/comm').read_text().strip()})",
        created=datetime.fromtimestamp(began, UTC).isoformat(timespec="seconds"),
        memory=_memory(pid, parents),
    )


def _session(pid: int) -> str | None:
    try:
        matched = _NAMED.match(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return None
    return matched[1].decode() if matched else None


def _stat(pid: int) -> list[str]:
    # The name may hold spaces and brackets: the fields stand after the last bracket, the start is field 22 of all.
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def _parents() -> dict[int, int]:
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                parents[int(folder.name)] = int(_stat(int(folder.name))[1])
    return parents


def _memory(pid: int, parents: Mapping[int, int]) -> int | None:
    """Of the process and all below it, what is shared counted in part; None where that is not ours to see."""
    total, waiting = 0, [pid]
    while waiting:
        one = waiting.pop()
        waiting += [child for child, parent in parents.items() if parent == one]
        try:
            text = Path(f"/proc/{one}/smaps_rollup").read_text()
        except PermissionError:
            return None
        except OSError:
            continue
        shares = re.search(r"^Pss:\s+(\d+) kB", text, re.MULTILINE)
        total += int(shares[1]) * 1024 if shares else 0
    return total
