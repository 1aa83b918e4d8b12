"""Ways to weaken a container, one control each, and the probes that have to notice."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sandloop_sandbox.container import LABEL
from sandloop_sandbox.policy import INODES, PYTHON, START, scratch
from sandloop_sandbox.probe import PROOF_LIMITS
from sandloop_sandbox.prove_docker import Change


@dataclass(frozen=True, slots=True, kw_only=True)
class Weak:
    """What is changed in the request, and which controls are then found not to hold."""

    name: str
    change: Callable[[Path, str], Change]
    """Given a folder of this machine that anybody may write to, and an image with a set-id program and a volume."""
    caught: tuple[str, ...]
    lost: tuple[str, ...] = ()
    """Of these, those that fail since the sandbox itself does not survive the attack."""
    image: bool = False


def request(name: str, change: Change, *caught: str, lost: tuple[str, ...] = ()) -> Weak:
    return Weak(name=name, change=lambda folder, image: change, caught=caught, lost=lost)


def host(name: str, change: Change, *caught: str, lost: tuple[str, ...] = ()) -> Weak:
    return request(name, {"HostConfig": change}, *caught, lost=lost)


def entry(lines: str = "") -> list[str]:
    """Our own programs weakened, before the supervisor begins; without Landlock, the second line behind several controls."""
    no_landlock = "try: from sandloop import landlock; landlock.rules = lambda *given: None\nexcept ImportError: pass"
    return [PYTHON, "-I", "-S", "-c", f"import sys; sys.path.append('/opt')\n{no_landlock}\n{lines}\n{START}"]


def inside(name: str, lines: str, *caught: str, lost: tuple[str, ...] = ()) -> Weak:
    return request(name, {"Entrypoint": entry(lines)}, *caught, lost=lost)


def scratches(name: str, places: dict[str, str], *caught: str) -> Weak:
    return request(name, {"User": "23456:23456", "HostConfig": {"Tmpfs": places}}, *caught)


def places(uid: int = 23456, *, flags: str = "nosuid,nodev", sized: bool = True, counted: bool = True) -> dict[str, str]:
    """The scratch places as they should be, but for what is named."""
    own = f"mode=0700,uid={uid},gid={uid}"
    return {
        path: ",".join(["rw", flags, own, *([f"size={size}"] if sized else []), *([f"nr_inodes={INODES}"] if counted else [])])
        for path, size in scratch(PROOF_LIMITS).items()
    }


NO_FILTER = ["no-new-privileges", "seccomp=unconfined"]
ELSEWHERE = "elsewhere 1 1"
"""An owner on another machine: what a dead owner of this one left behind may be removed by anybody's next sandbox."""
SYSTEM_CALLS = tuple(
    f"system calls: {name}"
    for name in (
        *("filter", "io_uring", "other processes", "kernel interfaces", "keyring", "mounts", "namespaces"),
        *("counted per user", "the machine", "clone3", "32-bit gate"),
    )
)

WEAKENINGS = (
    request("the engine's network", {"NetworkDisabled": False, "HostConfig": {"NetworkMode": "default"}}, "network: none"),
    request(
        "this machine's network",
        {"NetworkDisabled": False, "Hostname": None, "HostConfig": {"NetworkMode": "host"}},
        *("network: none", "network: abstract sockets", "namespaces: its own"),
    ),
    request(
        "this machine's network and no filter",
        {"NetworkDisabled": False, "Hostname": None, "HostConfig": {"NetworkMode": "host", "SecurityOpt": NO_FILTER}},
        *("network: this machine", "network: IPv6", "network: names"),
    ),
    host(
        "no filter",
        {"SecurityOpt": NO_FILTER},
        *("sockets: local only", "sockets: netlink", "sockets: vsock", "sockets: kernel crypto", *SYSTEM_CALLS),
    ),
    host(
        "the engine's filter",
        {"SecurityOpt": ["no-new-privileges"]},
        *("sockets: local only", "sockets: netlink", "system calls: other processes", "system calls: counted per user"),
    ),
    request(
        "root with NET_RAW and no filter",
        {"User": "0:0", "HostConfig": {"CapAdd": ["NET_RAW"], "SecurityOpt": NO_FILTER, "Tmpfs": places(0)}},
        "sockets: raw",
    ),
    request("root", {"User": "0:0", "HostConfig": {"Tmpfs": places(0)}}, "user: nobody"),
    request("a user without a group", {"User": "23456", "HostConfig": {"Tmpfs": places()}}, "user: nobody"),
    request("one user for all", {"User": "23456:23456", "HostConfig": {"Tmpfs": places()}}, "sessions: a user of its own"),
    host("one more group", {"GroupAdd": ["0"]}, "user: nobody"),
    host("the engine's capabilities", {"CapDrop": []}, "capabilities: none"),
    host("one capability", {"CapAdd": ["NET_RAW"]}, "capabilities: none"),
    # Not the filter alone: the engine then sets it up before it drops root, and our filter does not let it.
    request(
        "new privileges",
        {"Entrypoint": entry(), "HostConfig": {"SecurityOpt": ["seccomp=unconfined"]}},
        "privileges: no gain",
    ),
    Weak(
        name="an image with a set-id program and a volume",
        change=lambda folder, image: {"Image": image, "Entrypoint": entry()},
        caught=("root: no set-id programs", "root: read-only", "mounts: only scratch"),
        image=True,
    ),
    host("a writable root", {"ReadonlyRootfs": False}, "root: read-only"),
    scratches("scratch without sizes", places(sized=False), "scratch: sizes"),
    scratches("scratch without a number of files", places(counted=False), "scratch: number of files"),
    host("the engine's shared memory", {"Tmpfs": {"/dev/shm": None}}, "scratch: sizes", "scratch: number of files"),
    scratches("scratch with set-id programs and devices", places(flags="suid,dev"), "mounts: only scratch"),
    host(
        "no limit of memory",
        {"Memory": 0, "MemorySwap": 0},
        *("memory: one process", "memory: many processes", "memory: no swap"),
    ),
    host("swap", {"MemorySwap": -1}, "memory: no swap"),
    host("no limit of processes", {"PidsLimit": 0}, "processes"),
    host("no limit of processors", {"NanoCpus": 0}, "processors"),
    host("no limits of a process", {"Ulimits": []}, "open files", "size of a file"),
    host("core files", {"Ulimits": [{"Name": "core", "Soft": -1, "Hard": -1}]}, "core files"),
    host("a log", {"LogConfig": {"Type": "json-file", "Config": {}}}, "no log"),
    host(
        "a folder of this machine",
        {"Binds": [f"{tempfile.gettempdir()}:/host:ro"]},
        *("mounts: no files of ours", "mounts: only scratch"),
    ),
    host(
        "a folder of this machine to write to",
        {"Binds": [f"{tempfile.gettempdir()}:/tmp:rw"], "Tmpfs": {"/tmp": None}},
        *("mounts: no files of ours", "files in: copies"),
    ),
    host("the engine's socket", {"Binds": ["/var/run/docker.sock:/var/run/docker.sock"]}, "mounts: no engine socket"),
    Weak(
        name="a working folder for all",
        change=lambda folder, image: {"HostConfig": {"Binds": [f"{folder}:/workspace:rw"], "Tmpfs": {"/workspace": None}}},
        caught=("sessions: nothing passes over",),
    ),
    host("privileged", {"Privileged": True}, "capabilities: none", "devices: none", "/proc and /sys: covered"),
    host(
        "a device",
        {"Devices": [{"PathOnHost": "/dev/zero", "PathInContainer": "/dev/hardware", "CgroupPermissions": "rwm"}]},
        "devices: none",
    ),
    host("nothing covered", {"MaskedPaths": [], "ReadonlyPaths": []}, "/proc and /sys: covered"),
    Weak(
        name="our environment",
        change=lambda folder, image: {"Env": [f"{name}={value}" for name, value in os.environ.items()]},
        caught=("environment: ours stays out",),
    ),
    host("this machine's IPC", {"IpcMode": "host"}, "namespaces: its own"),
    host("this machine's processes", {"PidMode": "host"}, "namespaces: its own"),
    request("this machine's name", {"Hostname": None, "HostConfig": {"UTSMode": "host"}}, "namespaces: its own"),
    host("this machine's control groups", {"CgroupnsMode": "host"}, "namespaces: its own"),
    host("a first process that passes signals on", {"Init": True}, "supervisor: signals", lost=("supervisor: signals",)),
    request(
        "a standard input that stays open",
        {"StdinOnce": False, "Labels": {f"{LABEL}.owner": ELSEWHERE}},
        "end: client killed",
    ),
    request(
        "a container that stays",
        {"HostConfig": {"AutoRemove": False}, "Labels": {f"{LABEL}.owner": ELSEWHERE}},
        *("end: closed", "end: client killed"),
    ),
    request("no end of the session", {"Cmd": ["86400", "1"]}, "time: whole session"),
    inside(
        "a supervisor that can be looked into",
        "from sandloop import processes; processes.set_dumpable = lambda dumpable: None",
        *("supervisor: out of sight", "protocol: forged answers"),
    ),
    inside(
        "helpers that can be looked into",
        "from sandloop import interpreters; program = interpreters.program\n"
        "first = \"import sys; sys.path.append('/opt'); from sandloop import processes; \"\n"
        "first += 'processes.set_dumpable = lambda dumpable: None; '\n"
        "interpreters.program = lambda module: [*program(module)[:3], first + program(module)[3]]",
        "helpers: out of sight",
    ),
    inside(
        "interpreters that hand their lines down",
        "from sandloop import interpreters; program = interpreters.program\n"
        "first = 'import fcntl; fcntl.F_DUPFD_CLOEXEC = fcntl.F_DUPFD; '\n"
        "interpreters.program = lambda module: [*program(module)[:3], first + program(module)[3]]",
        "descriptors: none handed down",
    ),
    inside(
        "helpers that load what lies about",
        "import sys\nfrom sandloop import previews\nof = previews.of\n"
        "def careless(path, env):\n"
        "    def describe(): sys.path.insert(0, '/workspace'); import csv as _, pandas; work()\n"
        "    work = of(path, env)\n"
        "    return describe\n"
        "previews.of = careless",
        "helpers: planted programs",
    ),
    inside(
        "daemons that stay",
        "from sandloop import processes\nprocesses.kill_all_but = lambda keep, there, held: (0, True)\n"
        "tell = processes.tell\nprocesses.tell = lambda pid, number: processes.everybody(number)",
        "time: daemons",
    ),
    inside(
        "steps without an end",
        "from sandloop.step import Step\nStep._goes_on = lambda step, pid: step.until + 9 > __import__('time').monotonic()",
        *("time: busy loop", "time: ignored signals", "time: stopped processes", "output: flood"),
    ),
    inside(
        "links that are followed",
        "from sandloop import folder\nimport os\nfolder._OPEN = os.O_CLOEXEC | os.O_NONBLOCK",
        "files out: regular only",
    ),
)
UNSHOWN = {"no terminal": "with a terminal the streams are merged, so that no session opens at all"}
"""Controls that no weakening shows, and why."""
