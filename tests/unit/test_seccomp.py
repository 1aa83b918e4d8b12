"""The list of system calls, name by name: what is never reachable, and what must not fail with another error than is expected."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sandloop_sandbox.container import seccomp_profile

FORBIDDEN = """
io_uring_setup io_uring_enter io_uring_register bpf perf_event_open userfaultfd kexec_load kexec_file_load create_module
init_module finit_module delete_module query_module reboot acct swapon swapoff quotactl quotactl_fd keyctl add_key request_key
ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp process_madvise process_mrelease mount umount umount2 pivot_root chroot
fsopen fsconfig fsmount fspick move_mount open_tree open_tree_attr mount_setattr statmount listmount unshare setns
name_to_handle_at open_by_handle_at fanotify_init fanotify_mark lookup_dcookie inotify_init inotify_init1 inotify_add_watch
inotify_rm_watch mq_open mq_unlink mq_timedsend mq_timedreceive mq_notify mq_getsetattr msgget msgsnd msgrcv msgctl semget semop
semctl semtimedop shmget shmat shmdt shmctl ipc memfd_secret remap_file_pages vmsplice io_setup io_submit io_cancel io_destroy
io_getevents io_pgetevents modify_ldt set_mempolicy set_mempolicy_home_node mbind move_pages migrate_pages pkey_alloc
pkey_mprotect pkey_free map_shadow_stack iopl ioperm settimeofday stime clock_settime clock_adjtime adjtimex sethostname
setdomainname syslog vhangup nfsservctl ustat sysfs uselib _sysctl sysctl sched_setattr sched_setscheduler sched_setparam
ioprio_set capset sync syncfs setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr setxattrat removexattrat
file_setattr socketcall uretprobe lsm_set_self_attr
""".split()  # noqa: SIM905 - names, to be read beside those of the profile

ALLOWED_OR_ENOSYS = """
openat2 statx faccessat2 close_range rseq membarrier getrandom futex futex_wait futex_wake futex_requeue futex_waitv memfd_create
copy_file_range epoll_pwait2 prlimit64 seccomp landlock_create_ruleset landlock_add_rule landlock_restrict_self clone3
""".split()  # noqa: SIM905 - names, to be read beside those of the profile

ENOSYS = 38
PROFILE: dict[str, Any] = json.loads(seccomp_profile())


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for rule in PROFILE["syscalls"] if name in rule["names"]]


def test_what_is_not_named_is_refused() -> None:
    assert PROFILE["defaultAction"] == "SCMP_ACT_ERRNO"
    assert {rule["action"] for rule in PROFILE["syscalls"]} == {"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO"}


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_call_that_must_not_be_reachable_is_not(name: str) -> None:
    assert rules(name) == []


@pytest.mark.parametrize("name", ALLOWED_OR_ENOSYS)
def test_a_call_that_libraries_fall_back_from_is_allowed_or_unknown(name: str) -> None:
    assert rules(name)
    assert all(rule["action"] == "SCMP_ACT_ALLOW" or rule.get("errnoRet") == ENOSYS for rule in rules(name))


def test_only_the_native_architectures_have_a_gate() -> None:
    assert [(arch["architecture"], arch["subArchitectures"]) for arch in PROFILE["archMap"]] == [
        ("SCMP_ARCH_X86_64", []),
        ("SCMP_ARCH_AARCH64", []),
    ]


@pytest.mark.parametrize(
    ("name", "index", "refused", "allowed"),
    [
        ("socket", 0, [0, 2, 10, 16, 17, 38, 40, 44, 1 << 32 | 40], [1]),
        ("socketpair", 0, [2, 16], [1]),
        ("clone", 0, [0x20000, 0x40000000, 0x10000000, 0x20000000, 0x08000000, 0x04000000, 0x02000000], [0x11, 0x3D0F00]),
        ("personality", 0, [0, 0x0040000, 8], [0xFFFFFFFF]),
        ("prlimit64", 0, [1, 1 << 32 | 1], [0]),
        ("fcntl", 1, [8, 10, 15, 36, 37, 38, 1024, 1026, 1 << 32 | 1024, 1 << 32 | 37], [0, 1, 2, 3, 4, 6, 7, 1030, 1 << 32 | 6]),
        ("memfd_create", 1, [4, 7, 4 | 21 << 26], [0, 1, 2, 3]),
        ("mmap", 3, [0x40022, 0x40001], [0x22, 0x1, 0x4022]),
        ("setsockopt", 2, [26, 27, 50, 51, 52, 14, 1 << 32 | 26], [2, 7, 8, 16, 20]),
    ],
)
def test_a_call_that_is_allowed_in_part_is_so_by_the_bits_that_count(
    name: str, index: int, refused: list[int], allowed: list[int]
) -> None:
    assert [value for value in refused if is_allowed(name, index, value)] == []
    assert [value for value in allowed if not is_allowed(name, index, value)] == []


def is_allowed(name: str, index: int, value: int) -> bool:
    """By the rules on one argument; those on others are taken as met."""
    return any(all(holds(arg, value) for arg in rule["args"] if arg["index"] == index) for rule in rules(name))


def holds(arg: dict[str, Any], value: int) -> bool:
    if arg["op"] == "SCMP_CMP_MASKED_EQ":
        return bool(value & arg["value"] == arg["valueTwo"])
    assert arg["op"] == "SCMP_CMP_EQ"
    return bool(value == arg["value"])
