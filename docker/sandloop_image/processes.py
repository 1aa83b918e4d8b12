"""Processes of the cage: made closed, frozen together, killed together, reaped.

`kill(-1, ...)` from PID 1 reaches every other process of the container, and a fork can't outrun it; process groups would miss
a daemon that forked twice.
"""

# pathlib is half of the supervisor's start, and knows no descriptors of folders.
# ruff: noqa: PTH123, PTH208

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from . import landlock

PR_SET_DUMPABLE, PR_SET_NAME = 4, 15
WAITING, AT_WORK = b"sandloop-ready", b"sandloop"
"""How the supervisor of a container made ahead is called before and after the host's first word: the engine shows it."""
_DUMPABLE = {False: 0, True: 1}
STOPPED = frozenset("Tt")
DEAD = frozenset("ZX")
_PIDFD_OPEN = 434
"""Its number, the same on every processor. What it opens is closed on exec."""
_GONE_SECONDS = 2.0
"""How long killed processes may take to go; the kernel frees their memory first."""


def set_dumpable(dumpable: bool) -> None:
    """Whether other processes of this user may look into this one: its memory, descriptors and environment."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_DUMPABLE, _DUMPABLE[dumpable], 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def call_me(name: bytes) -> None:
    """Give this process a name, of 15 bytes at most. Only it can: the kernel lets no other process write it."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NAME, name, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def kill_me_first(score: int = 1000) -> None:
    """Out of memory, the kernel shall take this process before the supervisor."""
    with open("/proc/self/oom_score_adj", "w") as file:
        file.write(str(score))


def default_signals() -> None:
    """No handlers: to PID 1 the kernel drops every signal from inside that has none."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def executing(argv: Sequence[str], env: Mapping[str, str]) -> Callable[[], object]:
    """What a process of `spawn` does to become a program."""
    return lambda: os.execve(argv[0], list(argv), dict(env))  # noqa: S606 - the point of this function


def spawn(
    become: Callable[[], object], folder: str, descriptors: Mapping[int, int], score: int = 1000, rules: int | None = None
) -> int:
    """Start a process in a session of its own and have it become something; returns its pid.

    `descriptors` maps its descriptors to ours; standard input is /dev/null, and it inherits no others. With `rules` of
    `landlock.rules` it comes under them, or becomes nothing.
    """
    pid = os.fork()
    if pid:
        return pid
    code = 127
    try:
        os.setsid()
        set_dumpable(True)
        kill_me_first(score)
        if rules is not None:
            landlock.take_on(rules)
        _wire({0: os.open("/dev/null", os.O_RDONLY), **descriptors})
        os.chdir(folder)
        become()
        code = 0
    except OSError as error:
        os.write(2, f"it could not be started: {error}\n".encode())
    finally:
        os._exit(code)


def _wire(descriptors: Mapping[int, int]) -> None:
    # First all out of the way, so that no target overwrites a source that is still to be copied.
    copies = {target: os.dup(source) for target, source in descriptors.items() if source < 1000}
    high = {target: _move_up(copy) for target, copy in copies.items()}
    for target, source in high.items():
        os.dup2(source, target)
    keep = sorted(high)
    for first, after in zip(keep, [*keep[1:], 1 << 16], strict=True):
        os.closerange(first + 1, after)


def _move_up(descriptor: int) -> int:
    import fcntl

    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 500)


def watch(pid: int) -> tuple[int, ...]:
    """A descriptor that is readable when the process, a child of ours, has ended; none where the kernel gives no such.

    Not every Python has `os.pidfd_open`: it depends on the headers that it was built with.
    """
    descriptor = ctypes.CDLL(None, use_errno=True).syscall(_PIDFD_OPEN, pid, 0)
    return (descriptor,) if descriptor >= 0 else ()


def everybody(number: int) -> None:
    """Send a signal to every process but PID 1."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(-1, number)


def tell(pid: int, number: int) -> None:
    """Send a signal to one process, if it is still there."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)


def tell_group(pid: int, number: int) -> None:
    """Send a signal to the process group of `pid`."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, number)


def others() -> dict[int, str]:
    """The state letter of every process but PID 1 and the dead ones."""
    # A process whose first thread has ended looks dead while the others go on.
    return {pid: state for pid, state, _, threads in _everybody() if state not in DEAD or threads > 1}


def dead_children(parent: int) -> int:
    """How many children of `parent` are dead and not yet taken note of by it: they count as processes until then."""
    return sum(state in DEAD and threads <= 1 and of == parent for _, state, of, threads in _everybody())


def _everybody() -> Iterator[tuple[int, str, int, int]]:
    """The number, state letter, parent and number of threads of every process but PID 1."""
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        try:
            text = _stat(f"/proc/{name}/stat")
        except (FileNotFoundError, ProcessLookupError):
            continue
        # The name may hold spaces and brackets: the state stands after the last bracket, the number of threads 17 fields on.
        fields = text[text.rindex(b")") + 2 :].split()
        yield int(name), chr(fields[0][0]), int(fields[1]), int(fields[17])


def freeze() -> dict[int, str]:
    """Stop everybody, and return who there is once all stand still (or after a tenth of a second)."""
    everybody(signal.SIGSTOP)
    end = time.monotonic() + 0.1
    there = others()
    while not set(there.values()) <= STOPPED and time.monotonic() < end:
        os.sched_yield()
        there = others()
    return there


def stands_still(pid: int) -> bool:
    """Whether every thread of the process is stopped: the first may be, while another is still in the middle of a write."""
    try:
        threads = os.listdir(f"/proc/{pid}/task") if pid else []
    except FileNotFoundError:
        return True
    for thread in threads:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            text = _stat(f"/proc/{pid}/task/{thread}/stat")
            # One whose first thread is dead has nobody who would run the next cell.
            if chr(text[text.rindex(b")") + 2]) not in (STOPPED if thread == str(pid) else STOPPED | DEAD):
                return False
    return True


def _stat(path: str) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(file, 4096)
    finally:
        os.close(file)


def kill_all_but(keep: set[int], there: Mapping[int, str], held: int) -> tuple[int, bool]:
    """Kill everybody else, frozen as they are, and see them go; returns how many they were, and whether `held` stands still."""
    many = len(set(there) - keep)
    end = time.monotonic() + _GONE_SECONDS
    alone = not set(there) - keep
    still = stands_still(held)
    while not (alone and still):
        # One of the killed may have let it go on with its last breath, after its own state was looked at and before theirs:
        # it is stopped once more when the rest is known to be gone, and looked at after that.
        alone = not (rest := set(there) - keep)
        everybody(signal.SIGSTOP)
        for pid in rest:
            tell(pid, signal.SIGKILL)
        time.sleep(0.0005)
        there = others()
        still = stands_still(held)
        if time.monotonic() > end:
            break
    return many, still


def reap() -> dict[int, int]:
    """Exit codes of the children that ended, orphans included; 128 + signal for the killed."""
    ended: dict[int, int] = {}
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return ended
        if not pid:
            return ended
        code = os.waitstatus_to_exitcode(status)
        ended[pid] = code if code >= 0 else 128 - code
