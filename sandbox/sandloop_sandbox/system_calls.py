"""The system calls that must not be reached, by group, with their numbers on each machine."""

from __future__ import annotations

from typing import Any

_BAD = 4294967295
"""No descriptor, no process. Arguments are such that the kernel itself would answer with something else than a refusal."""
GROUPS: dict[str, dict[str, tuple[Any, ...]]] = {
    "io_uring": {"io_uring_setup": (1, "room"), "io_uring_enter": (_BAD, 0, 0, 0, 0), "io_uring_register": (_BAD, 0, 0, 0)},
    "other": {
        "ptrace": (0, 0, 0, 0),  # let oneself be traced
        "process_vm_readv": (1, "room", 1, "room", 1, 0),
        "process_vm_writev": (1, "room", 1, "room", 1, 0),
        "pidfd_getfd": (_BAD, 0, 0),
        "kcmp": (0, 0, 9, 0, 0),
        "process_madvise": (_BAD, "room", 1, 0, 0),
        "prlimit64": (1, 7, 0, "room"),
    },
    "kernel": {
        "bpf": (0, "room", 0),
        "perf_event_open": ("room", 0, _BAD, _BAD, 1),
        "userfaultfd": (1,),
        "init_module": ("room", 1, "room"),
        "kexec_load": (0, 0, 0, 0),
        "open_by_handle_at": (_BAD, "room", 0),
        "name_to_handle_at": (_BAD, "room", 0, "room", 0),
        "fanotify_init": (0, 0),
        "personality": (0x0040000,),  # ADDR_NO_RANDOMIZE
        "quotactl": (0, 0, 0, 0),
    },
    "keyring": {"keyctl": (0, _BAD, 0), "add_key": ("room", "room", 0, 0, 0), "request_key": (0, 0, 0, 0)},
    "mount": {
        "mount": (0, 0, 0, 0, 0),
        "umount2": (0, 0),
        "pivot_root": (0, 0),
        "fsopen": (0, 0),
        "open_tree": (_BAD, 0, 0),
        "move_mount": (_BAD, 0, _BAD, 0, 0),
        "chroot": (0,),
    },
    "namespace": {"unshare": (0x10000000,), "setns": (_BAD, 0), "clone": (0x10000011, 0, 0, 0, 0)},
    "counted": {
        "inotify_init1": (0,),
        "mq_open": (0, 0, 0, 0),
        "shmget": (0, 4096, 0o1600),
        "semget": (0, 1, 0o1600),
        "msgget": (0, 0o1600),
        "io_setup": (0, 0),
    },
    "machine": {
        "settimeofday": (0, 0),
        "clock_settime": (_BAD, 0),
        "adjtimex": (0,),
        "sethostname": (0, 65),
        "syslog": (10, 0, 0),
        "acct": (1,),
        "swapon": (0, 0),
        "reboot": (0, 0, 0, 0),
        "sync": (),
        "sched_setscheduler": (0, 0, "room"),
        "ioprio_set": (1, 0, 0x4000),
    },
    "clone3": {"clone3": ("room", 0)},
}
_NUMBERS = {
    "x86_64": {
        **{"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "ptrace": 101, "process_vm_readv": 310},
        **{"process_vm_writev": 311, "pidfd_getfd": 438, "kcmp": 312, "process_madvise": 440, "prlimit64": 302, "bpf": 321},
        **{"perf_event_open": 298, "userfaultfd": 323, "init_module": 175, "kexec_load": 246, "open_by_handle_at": 304},
        **{"name_to_handle_at": 303, "fanotify_init": 300, "personality": 135, "quotactl": 179, "keyctl": 250, "add_key": 248},
        **{"request_key": 249, "mount": 165, "umount2": 166, "pivot_root": 155, "fsopen": 430, "open_tree": 428},
        **{"move_mount": 429, "chroot": 161, "unshare": 272, "setns": 308, "clone": 56, "inotify_init1": 294, "mq_open": 240},
        **{"shmget": 29, "semget": 64, "msgget": 68, "io_setup": 206, "settimeofday": 164, "clock_settime": 227},
        **{"adjtimex": 159, "sethostname": 170, "syslog": 103, "acct": 163, "swapon": 167, "reboot": 169},
        **{"sched_setscheduler": 144, "ioprio_set": 251, "sync": 162, "clone3": 435},
    },
    "aarch64": {
        **{"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "ptrace": 117, "process_vm_readv": 270},
        **{"process_vm_writev": 271, "pidfd_getfd": 438, "kcmp": 272, "process_madvise": 440, "prlimit64": 261, "bpf": 280},
        **{"perf_event_open": 241, "userfaultfd": 282, "init_module": 105, "kexec_load": 104, "open_by_handle_at": 265},
        **{"name_to_handle_at": 264, "fanotify_init": 262, "personality": 92, "quotactl": 60, "keyctl": 219, "add_key": 217},
        **{"request_key": 218, "mount": 40, "umount2": 39, "pivot_root": 41, "fsopen": 430, "open_tree": 428},
        **{"move_mount": 429, "chroot": 51, "unshare": 97, "setns": 268, "clone": 220, "inotify_init1": 26, "mq_open": 180},
        **{"shmget": 194, "semget": 190, "msgget": 186, "io_setup": 0, "settimeofday": 170, "clock_settime": 112},
        **{"adjtimex": 171, "sethostname": 161, "syslog": 116, "acct": 89, "swapon": 224, "reboot": 142},
        **{"sched_setscheduler": 119, "ioprio_set": 30, "sync": 81, "clone3": 435},
    },
}


def calls() -> dict[str, dict[str, list[list[Any]]]]:
    """For each machine, the forbidden calls by group: name, number, arguments."""
    return {
        machine: {
            group: [[name, numbers[name], *arguments] for name, arguments in members.items()] for group, members in GROUPS.items()
        }
        for machine, numbers in _NUMBERS.items()
    }
