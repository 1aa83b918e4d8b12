"""The policy: the one place that says how a session's container is closed. Pure.

`container_config` is the whole request that creates a container, in the Engine API's own words, each control with its reason.
What must be in force is checked again from inside before the first step: `check_facts`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sandloop.errors import Unsafe
from sandloop.limits import MB, Limits
from sandloop.options import DEFAULT_OPTIONS, SandboxOptions

PYTHON = "/usr/local/bin/python3"
START = "import sys; sys.path.append('/opt'); from sandloop.supervisor import main; main()"

TMP = 256 * MB
SHM = 256 * MB
"""Temporary files, and shared memory of worker processes: room for a library's own needs, not for data."""
OURS = 200 * MB
"""The supervisor, and the parent with numpy, pandas and matplotlib imported: 133 MB measured."""
OUR_PROCESSES = 8
INODES = 20_000
"""Files and folders of each scratch place. An inode costs about 1 kB of memory."""
OPEN_FILES = 4096
FIRST_UID, LAST_UID = 20_000, 60_000


MASKED = (
    # The engine's own list, which a list of ours replaces.
    *("/proc/asound", "/proc/acpi", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/timer_list"),
    *("/proc/timer_stats", "/proc/sched_debug", "/proc/scsi", "/sys/firmware", "/sys/devices/virtual/powercap"),
    # What tells this machine from others, and what runs on it. Python reads /proc/cpuinfo, meminfo, stat, loadavg and uptime,
    # and below /sys only the control group, the processors and the network's interfaces.
    *("/proc/cmdline", "/proc/bootconfig", "/proc/config.gz", "/proc/key-users", "/proc/sys/kernel/random/boot_id"),
    *("/proc/kallsyms", "/proc/modules", "/proc/iomem", "/proc/ioports", "/proc/mtrr", "/proc/dma", "/proc/fb", "/proc/consoles"),
    *("/proc/devices", "/proc/misc", "/proc/driver", "/proc/tty", "/proc/partitions", "/proc/diskstats", "/proc/swaps"),
    *("/proc/softirqs", "/proc/schedstat", "/proc/buddyinfo", "/proc/pagetypeinfo", "/proc/slabinfo", "/proc/vmallocinfo"),
    *("/proc/zoneinfo", "/proc/crypto", "/proc/execdomains", "/proc/dynamic_debug", "/proc/pressure", "/proc/sysvipc"),
    *("/proc/bus", "/proc/fs", "/proc/irq"),
    *("/sys/block", "/sys/bus", "/sys/dev", "/sys/hypervisor", "/sys/kernel", "/sys/module", "/sys/power"),
    *("/sys/class/dmi", "/sys/devices/virtual/dmi", "/sys/devices/virtual/block", "/sys/devices/virtual/bdi"),
    *("/sys/devices/pci0000:00", "/sys/devices/LNXSYSTM:00", "/sys/devices/platform", "/sys/devices/pnp0"),
    *("/sys/fs/bpf", "/sys/fs/btrfs", "/sys/fs/ext4", "/sys/fs/fuse", "/sys/fs/pstore", "/sys/fs/selinux", "/sys/fs/xfs"),
    # Terminals are counted for the whole machine, and no step has one.
    "/dev/pts",
)
"""Covered: a file reads as nothing, a folder as empty. What a machine has not got is passed over by the engine."""
READ_ONLY = ("/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger")
"""The engine's own list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """What bounds the limits from outside: the engine's machine."""

    cpus: int
    memory: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a container is: fresh for each session."""

    session: str
    uid: int
    labels: Mapping[str, str]

    @property
    def name(self) -> str:
        return f"sandloop-{self.session}"


def scratch(limits: Limits) -> dict[str, int]:
    """The writable places and their sizes in bytes. There are no others."""
    return {"/workspace": limits.disk, "/input": limits.input_bytes, "/tmp": TMP, "/dev/shm": SHM}  # noqa: S108


def memory(limits: Limits, host: Host) -> int:
    """Bytes of the container. Files in the scratch places are memory too: a full folder shall say so, not kill the step."""
    return min(limits.memory + sum(scratch(limits).values()) + OURS, host.memory)


def processes(limits: Limits) -> int:
    return limits.processes + OUR_PROCESSES


def cpus(limits: Limits, host: Host) -> float:
    """An engine refuses more than it has."""
    return min(limits.cpus, host.cpus)


def container_config(
    limits: Limits,
    host: Host,
    identity: Identity,
    image: str,
    seccomp: str,
    options: SandboxOptions = DEFAULT_OPTIONS,
    idle_seconds: int = 0,
) -> dict[str, Any]:
    """The request that creates the container of a session; one made ahead of its session may wait `idle_seconds` for it."""
    uid, bytes_of_memory, processors = identity.uid, memory(limits, host), cpus(limits, host)
    own = f"uid={uid},gid={uid}"
    tmpfs = {
        # Sized, without devices and set-id programs, and with a bound on the number of files, which --shm-size has not.
        path: f"rw,nosuid,nodev,size={size},nr_inodes={INODES},mode={0o500 if path == '/input' else 0o700:04o},{own}"
        for path, size in scratch(limits).items()
    }
    tmpfs["/dev/mqueue"] = "ro,nosuid,nodev,noexec,size=4k,nr_inodes=1"  # message queues could be made there as files
    config: dict[str, Any] = {
        "Image": image,
        # Ours, whatever the image says: its ENTRYPOINT and HEALTHCHECK would run beside the step.
        "Entrypoint": [PYTHON, "-I", "-S", "-c", START],
        "Cmd": [f"{limits.session_seconds:g}", str(max(1, round(processors))), *([str(idle_seconds)] if idle_seconds else [])],
        "Healthcheck": {"Test": ["NONE"]},
        # Nothing of our environment goes in. The supervisor gives the code an environment of its own.
        "Env": ["PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8", "HOME=/tmp"],
        # Never root; with a uid alone the gid would be 0. Fresh for each session: the kernel counts some things per uid.
        "User": f"{uid}:{uid}",
        "WorkingDir": "/",
        "Hostname": "sandbox",
        "Labels": dict(identity.labels),
        # The container lives as long as our line to its standard input, and no longer, even if we are killed.
        "OpenStdin": True,
        "StdinOnce": True,
        "AttachStdin": True,
        "AttachStdout": True,
        "AttachStderr": True,
        # PID 1 ignores all other signals: without this `docker stop`, and the engine's own end, would wait ten seconds.
        "StopSignal": "SIGKILL",
        # A terminal would merge the streams and take control sequences.
        "Tty": False,
        "NetworkDisabled": True,
        "HostConfig": {
            "AutoRemove": True,
            "NetworkMode": "none",  # an empty network namespace: the promise of the README
            "CapDrop": ["ALL"],  # empties the bounding set too
            "SecurityOpt": ["no-new-privileges", f"seccomp={seccomp}"],  # set-id programs gain nothing; our own allow-list
            "Privileged": False,
            "ReadonlyRootfs": True,  # nothing that a helper loads can be changed
            "Tmpfs": tmpfs,
            "Memory": bytes_of_memory,
            "MemorySwap": bytes_of_memory,  # equal: no swap to hide in
            "PidsLimit": processes(limits),  # a fork bomb ends here; `ulimit nproc` would count over all containers
            "NanoCpus": int(processors * 1e9),
            "Ulimits": [
                {"Name": "nofile", "Soft": OPEN_FILES, "Hard": OPEN_FILES},  # the default may be a million
                {"Name": "core", "Soft": 0, "Hard": 0},  # core files would land in the working folder
                {"Name": "fsize", "Soft": max(limits.disk, limits.input_bytes), "Hard": max(limits.disk, limits.input_bytes)},
            ],
            "LogConfig": {"Type": "none", "Config": {}},  # the default keeps all output on the host, outside every limit
            "MaskedPaths": list(MASKED),
            "ReadonlyPaths": list(READ_ONLY),
            "IpcMode": "private",
            "CgroupnsMode": "private",  # hides the container's id and path
            "RestartPolicy": {"Name": "no"},
            "OomKillDisable": False,
        },
    }
    if options.runtime is not None:
        config["HostConfig"]["Runtime"] = options.runtime
    return _weaken(config, options) if options.weakened else config


def _weaken(config: dict[str, Any], options: SandboxOptions) -> dict[str, Any]:
    """What the user opened on purpose, by a name that says so. The only place where a control is taken back."""
    host = config["HostConfig"]
    if options.unsafe_network:
        config["NetworkDisabled"], host["NetworkMode"] = False, "default"
    if options.unsafe_privileged:
        host["Privileged"] = True
    if options.unsafe_capabilities:
        host["CapAdd"] = list(options.unsafe_capabilities)
    if options.unsafe_mounts:
        # The inputs are kept read-only by rules that name what can be written.
        config["Cmd"] += [mount.split(":")[1] for mount in options.unsafe_mounts if mount.endswith(":rw")]
        host["Binds"] = [mount if mount.endswith((":ro", ":rw")) else f"{mount}:ro" for mount in options.unsafe_mounts]
    return config


def _given_up(options: SandboxOptions) -> set[str]:
    """The facts that can't be asked for any more once the user opened the sandbox."""
    return {
        *(("interfaces",) if options.unsafe_network else ()),
        *(("CapEff", "CapPrm", "CapBnd", "CapAmb") if options.unsafe_privileged or options.unsafe_capabilities else ()),
        *(("Seccomp",) if options.unsafe_privileged else ()),
    }


def check_facts(
    facts: Mapping[str, str], limits: Limits, host: Host, identity: Identity, options: SandboxOptions = DEFAULT_OPTIONS
) -> None:
    """Compare what the supervisor sees with what was asked for. Raises `Unsafe` at the first control that is not in force."""
    ids = f"{identity.uid} {identity.uid} {identity.uid}"
    expected = {
        "uids": ids,
        "gids": ids,
        **dict.fromkeys(("CapEff", "CapPrm", "CapBnd", "CapAmb"), "0000000000000000"),
        "NoNewPrivs": "1",
        "Seccomp": "2",
        "interfaces": "lo",
        "root_read_only": "1",
        "pids": str(processes(limits)),
    }
    given_up = _given_up(options)
    for control, value in expected.items():
        if control not in given_up and facts.get(control) != value:
            raise _unsafe(control, facts.get(control), value)
    if facts.get("groups") not in ("", str(identity.uid)):
        raise _unsafe("groups", facts.get("groups"), str(identity.uid))
    if not 0 < _number(facts.get("memory")) <= memory(limits, host):
        raise _unsafe("memory", facts.get("memory"), str(memory(limits, host)))
    for path, size in scratch(limits).items():
        numbers = [_number(text) for text in facts.get(path, "").split(" ")]
        # The kernel rounds a size up to whole pages.
        if len(numbers) != 3 or not (0 < numbers[0] <= size + 4096 and 0 < numbers[1] <= INODES and numbers[2] == 1):
            raise _unsafe(path, facts.get(path), f"{size} {INODES} 1")


def not_limited(facts: Mapping[str, str]) -> tuple[str, ...]:
    """What the machine can't do that is no reason to refuse it, in words for the user."""
    if facts.get("inputs_read_only") == "1":
        return ()
    return ("the code can overwrite its own copy of the input files (the machine's kernel has no Landlock, Linux 6.2)",)


def _unsafe(control: str, found: str | None, wanted: str) -> Unsafe:
    do = f"It has to be {wanted}: use an engine that applies its limits, such as Docker with root on cgroup v2 or v1"
    return Unsafe(control=control, found=repr(found and found[:200]), do=do)


def _number(text: str | None) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 20 else -1
