"""The policy of the sandbox named `bubblewrap`: the one place that says how it is closed, and what it can't bound. Pure.

`command_line` is the whole command, each argument with its reason. What must be in force is checked again from inside before
the first step: `check_facts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sandloop.errors import Unsafe
from sandloop.limits import Limits
from sandloop_sandbox.policy import OPEN_FILES, OUR_PROCESSES, OURS, PYTHON, scratch

START = "import sys; sys.path.append('/opt'); from sandloop.alone import main; main()"
INTERPRETER = "/opt/python"
"""Where an interpreter that is not below the machine's /usr is shown."""
NOT_LIMITED = (
    "the memory of all its processes together (each one has the limit for itself, and each scratch place its size)",
    "processors: it may keep all of them busy",
    "the number of files in the scratch places",
)
"""What bubblewrap can't bound, for want of control groups, in words for the user."""
PROCESSES_NOT_LIMITED = "the number of processes and threads (the kernel counts them per sandbox from Linux 5.14 on)"
COUNTS_PER_SANDBOX = (5, 14)
"""From this kernel on a limit set inside a user namespace counts that namespace's processes alone."""
OVERFLOW = 65534
"""How groups look that have no name inside: those of the user, which a user namespace can't drop."""
HIDDEN = (
    *("/proc/acpi", "/proc/asound", "/proc/bus", "/proc/driver", "/proc/dynamic_debug", "/proc/fs", "/proc/irq", "/proc/pressure"),
    *("/proc/scsi", "/proc/sysvipc", "/proc/tty", "/proc/bootconfig", "/proc/buddyinfo", "/proc/cmdline", "/proc/config.gz"),
    *("/proc/consoles", "/proc/crypto", "/proc/devices", "/proc/diskstats", "/proc/dma", "/proc/execdomains", "/proc/fb"),
    *("/proc/interrupts", "/proc/iomem", "/proc/ioports", "/proc/kallsyms", "/proc/kcore", "/proc/key-users", "/proc/keys"),
    *("/proc/latency_stats", "/proc/misc", "/proc/modules", "/proc/mtrr", "/proc/pagetypeinfo", "/proc/partitions"),
    *("/proc/sched_debug", "/proc/schedstat", "/proc/slabinfo", "/proc/softirqs", "/proc/swaps", "/proc/sysrq-trigger"),
    *("/proc/timer_list", "/proc/timer_stats", "/proc/vmallocinfo", "/proc/zoneinfo", "/proc/sys/kernel/random/boot_id"),
)
"""What tells this machine from others, and what runs on it. Covered: a file reads as nothing, a folder as empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """What of this machine is shown inside, read-only, and what of it is covered."""

    folders: Mapping[str, str]
    """From where inside to where on this machine."""
    links: Mapping[str, str]
    """Links of the root, such as /bin to usr/bin, and where they lead."""
    hidden_files: tuple[str, ...] = ()
    hidden_folders: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who the code is inside."""

    session: str
    uid: int
    own_uid: bool
    """Whether this is its uid on the machine, too, which root alone can arrange. Else it is there the user's own."""
    counted: bool
    """Whether the kernel counts the processes of this sandbox apart from all others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptors:
    """What bubblewrap reads from descriptors of ours."""

    seccomp: int
    files: Mapping[str, int]
    """Small files made for this session, by their place inside."""


def process_limits(limits: Limits, who: Who) -> dict[str, int]:
    """The limits of each process, by their names in `resource`."""
    found = {
        "nofile": OPEN_FILES,  # the default may be a million
        "core": 0,  # core files would land in the working folder
        "fsize": max(limits.disk, limits.input_bytes),
        # Of what a process writes to and shares with nobody; the address space itself is no measure, libraries reserve gigabytes.
        "data": limits.memory + OURS,
    }
    if who.counted:
        found["nproc"] = limits.processes + OUR_PROCESSES
    return found


def not_limited(who: Who) -> tuple[str, ...]:
    """What is not bounded in this sandbox, in words for the user."""
    return NOT_LIMITED if who.counted else (*NOT_LIMITED, PROCESSES_NOT_LIMITED)


def supervisor_arguments(limits: Limits, who: Who, cores: int) -> list[str]:
    """The program inside: `alone`, its limits, and what the supervisor takes."""
    bounds = ",".join(f"{name}={number}" for name, number in process_limits(limits, who).items())
    threads = max(1, min(round(limits.cpus), cores))
    return [PYTHON, "-I", "-S", "-c", START, bounds, f"{limits.session_seconds:g}", str(threads)]


def command_line(bwrap: str, shown: Shown, who: Who, limits: Limits, given: Descriptors, program: Sequence[str]) -> list[str]:
    """The command that starts the sandbox with a program in it."""
    command = [
        bwrap,
        # Namespaces of its own for users, processes, IPC, network (the promise of the README), host name and control groups.
        *("--unshare-user", "--unshare-all"),
        "--disable-userns",  # no user namespaces inside: in one of its own the code would have every capability
        *("--uid", str(who.uid), "--gid", str(who.uid)),  # never root, nor anybody that the machine knows
        *("--cap-drop", "ALL"),  # empties the bounding set, too
        *("--hostname", "sandbox"),
        "--new-session",  # no terminal to type into
        "--die-with-parent",  # beside the end of our line, should bubblewrap itself hang
        "--as-pid-1",  # bubblewrap's own first process would have the code's uid, and it could look into it
        "--clearenv",
        *("--setenv", "PATH", "/usr/local/bin:/usr/bin:/bin", "--setenv", "LANG", "C.UTF-8", "--setenv", "HOME", "/tmp"),  # noqa: S108
    ]
    for inside, outside in shown.folders.items():
        command += ["--ro-bind", outside, inside]
    for inside, outside in shown.links.items():
        command += ["--symlink", outside, inside]
    for inside, descriptor in given.files.items():
        command += ["--perms", "0444", "--ro-bind-data", str(descriptor), inside]
    command += ["--proc", "/proc", "--dev", "/dev"]
    # The kernel lets whoever owns a namespace write its settings, whatever his capabilities.
    command += ["--ro-bind", "/proc/sys", "/proc/sys"]
    for path in shown.hidden_files:
        command += ["--ro-bind", "/dev/null", path]
    for path in (*shown.hidden_folders, "/dev/pts"):  # terminals are counted for the whole machine, and no step has one
        command += ["--perms", "0555", "--size", "4096", "--tmpfs", path, "--remount-ro", path]
    for path, size in scratch(limits).items():
        # The only writable places. Bubblewrap makes them without devices and set-id programs; without a size they are endless.
        command += ["--perms", "0500" if path == "/input" else "0700", "--size", str(size), "--tmpfs", path]
    return [
        *command,
        # Both are made as endless writable memory.
        *("--remount-ro", "/dev", "--remount-ro", "/"),
        *("--chdir", "/"),
        *("--seccomp", str(given.seccomp)),  # our own allow-list of system calls
        "--",
        *program,
    ]


def check_facts(facts: Mapping[str, str], limits: Limits, who: Who) -> None:
    """Compare what the supervisor sees with what was asked for. Raises `Unsafe` at the first control that is not in force."""
    ids = f"{who.uid} {who.uid} {who.uid}"
    expected = {
        "uids": ids,
        "gids": ids,
        **dict.fromkeys(("CapEff", "CapPrm", "CapBnd", "CapAmb"), "0000000000000000"),
        "NoNewPrivs": "1",
        "Seccomp": "2",
        "interfaces": "lo",
        "root_read_only": "1",
        "dev_read_only": "1",
        **{f"limit_{name}": str(number) for name, number in process_limits(limits, who).items()},
    }
    for control, value in expected.items():
        if facts.get(control) != value:
            raise _unsafe(control, facts.get(control), value)
    allowed = {str(who.uid)} if who.own_uid else {str(who.uid), str(OVERFLOW)}
    if not set(facts.get("groups", "?").split()) <= allowed:
        raise _unsafe("groups", facts.get("groups"), str(who.uid))
    for path, size in scratch(limits).items():
        numbers = [int(text) if text.isdigit() else -1 for text in facts.get(path, "").split(" ")]
        # The kernel rounds a size up to whole pages.
        if len(numbers) != 3 or not 0 < numbers[0] <= size + 4096 or numbers[2] != 1:
            raise _unsafe(path, facts.get(path), f"{size} bytes, closed to devices and set-id programs")


def _unsafe(control: str, found: str | None, wanted: str) -> Unsafe:
    do = f"It has to be {wanted}: use bubblewrap 0.8 or newer on a kernel with user namespaces and seccomp, or Docker"
    return Unsafe(control=control, found=repr(found), do=do)
