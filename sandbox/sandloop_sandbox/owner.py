"""Who owns a container, in a form that another process can check later: this boot and process namespace, the pid, its start."""

from __future__ import annotations

import os
import platform
from pathlib import Path


def host_id() -> str:
    """Names the set of processes that our pid is one of."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}-{Path('/proc/self/ns/pid').stat().st_ino}"
    except OSError:
        return platform.node()


def start_time(pid: int) -> str:
    """When a process started, in the kernel's own ticks; empty when there is no such process, or no way to know."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return ""
    # The name may hold spaces and brackets: the fields stand after the last bracket, the start is field 22 of all.
    return stat[stat.rindex(")") + 2 :].split()[19]


def me() -> str:
    """This process as an owner."""
    return f"{host_id()} {os.getpid()} {start_time(os.getpid())}"


def is_gone(owner: str) -> bool:
    """Whether that process is known not to live any more. One of another machine is never known to be gone."""
    host, _, rest = owner.partition(" ")
    pid, _, started = rest.partition(" ")
    if host != host_id() or not pid.isdigit():
        return False
    if started:
        return start_time(int(pid)) != started
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
