"""What the supervisor can see of its own cage: the facts of the self-test, and the kernel's own counters of kills and refusals."""

# pathlib is half of the supervisor's start, and knows no descriptors of folders.
# ruff: noqa: PTH123

from __future__ import annotations

import os

MEMORY_EVENTS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
PIDS_EVENTS = ("/sys/fs/cgroup/pids.events", "/sys/fs/cgroup/pids/pids.events")
MEMORY_MAX = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
PIDS_MAX = ("/sys/fs/cgroup/pids.max", "/sys/fs/cgroup/pids/pids.max")
"""Of each, cgroup v2 first, then v1."""
_LIMITS = {
    "nofile": "Max open files",
    "core": "Max core file size",
    "fsize": "Max file size",
    "data": "Max data size",
    "nproc": "Max processes",
}
"""By their names in `resource`: what begins their lines in /proc/self/limits."""
LOCKS = "/proc/locks"
MOST_LOCKS, LOCKS_SECONDS = 10_000, 0.5
SCRATCH = ("/workspace", "/input", "/tmp", "/dev/shm")  # noqa: S108 - the tmpfs mounts of the container


def facts() -> dict[str, str | int]:
    """The self-test, as the host checks it before the first step. Costs less than a millisecond."""
    with open("/proc/self/status") as status:
        lines = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    found: dict[str, str | int] = {
        "uids": " ".join(map(str, os.getresuid())),
        "gids": " ".join(map(str, os.getresgid())),
        "groups": " ".join(map(str, os.getgroups())),
        "interfaces": " ".join(_interfaces()),
        "root_read_only": _read_only("/"),
        "dev_read_only": _read_only("/dev"),
        "memory": _first(MEMORY_MAX),
        "pids": _first(PIDS_MAX),
    }
    found |= {key: lines.get(key, "missing") for key in ("CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")}
    with open("/proc/self/limits") as limits:
        found |= {f"limit_{name}": line[26:46].strip() for line in limits for name in _LIMITS if line.startswith(_LIMITS[name])}
    for folder in SCRATCH:
        about = os.statvfs(folder)
        closed = about.f_flag & os.ST_NOSUID and about.f_flag & os.ST_NODEV
        found[folder] = f"{about.f_blocks * about.f_frsize} {about.f_files} {int(bool(closed))}"
    return found


def _interfaces() -> list[str]:
    with open("/proc/self/net/dev") as file:
        return sorted(line.partition(":")[0].strip() for line in file if ":" in line)


def _read_only(folder: str) -> int:
    return int(bool(os.statvfs(folder).f_flag & os.ST_RDONLY))


def _first(paths: tuple[str, ...]) -> str:
    for path in paths:
        try:
            with open(path) as file:
                return file.read(64).strip()
        except OSError:
            continue
    return "missing"


class Locks:
    """Record locks are memory of the machine's kernel that counts for no control group, and there is no limit on their number."""

    def __init__(self) -> None:
        self._left, self._due = LOCKS_SECONDS, 0.0

    def go_on(self, now: float) -> None:
        """The code runs again."""
        self._due = now + self._left

    def pause(self, now: float) -> None:
        """The code stands still, and makes no locks."""
        self._left = self._due - now

    def too_many(self, now: float) -> bool:
        """Whether the container's processes hold more than any program needs.

        Looks each half second that code ran, over all steps: a look takes 4 to 16 ms, since the kernel waits for all processors.
        """
        if now < self._due:
            return False
        self._due = now + LOCKS_SECONDS
        lines = 0
        try:
            with open(LOCKS, "rb", buffering=0) as file:
                while lines <= MOST_LOCKS and (piece := file.read(1 << 16)):
                    lines += piece.count(b" POSIX ") + piece.count(b" FLOCK ")  # those of open files are everybody's
        except OSError:
            return False
        return lines > MOST_LOCKS


class Counters:
    """How often the kernel killed for memory and refused a process, since the last look."""

    def __init__(self) -> None:
        self._files = [(_opened(MEMORY_EVENTS), b"oom_kill"), (_opened(PIDS_EVENTS), b"max")]
        self._last = self._read()

    def since(self) -> tuple[int, bool]:
        """How many memory kills there were, and whether a process was refused."""
        before, self._last = self._last, self._read()
        return self._last[0] - before[0], self._last[1] > before[1]

    def _read(self) -> tuple[int, int]:
        memory, pids = (_counter(file, name) for file, name in self._files)
        return memory, pids


def _opened(paths: tuple[str, ...]) -> int | None:
    for path in paths:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            continue
    return None


def _counter(file: int | None, name: bytes) -> int:
    if file is None:
        return 0
    words = os.pread(file, 4096, 0).split()
    return int(words[words.index(name) + 1]) if name in words else 0


def is_full(folder: str) -> bool:
    """Whether nothing more can be written there."""
    about = os.statvfs(folder)
    return about.f_bavail == 0 or about.f_ffree == 0
