"""The command line of bubblewrap: every control stands in it; and what comes back from inside is held against it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandloop.errors import Unsafe
from sandloop.limits import MB, Limits
from sandloop_sandbox.bubblewrap_policy import (
    NOT_LIMITED,
    PROCESSES_NOT_LIMITED,
    Descriptors,
    Shown,
    Who,
    check_facts,
    command_line,
    not_limited,
    process_limits,
    supervisor_arguments,
)
from sandloop_sandbox.bubblewrap_program import why_it_ended
from sandloop_sandbox.policy import scratch

LIMITS = Limits(memory=300 * MB, disk=20 * MB, input_bytes=50 * MB, processes=64, session_seconds=300)
WHO = Who(session="0" * 16, uid=31_000, own_uid=True, counted=True)
SHOWN = Shown(folders={"/usr": "/usr"}, links={"/bin": "usr/bin"}, hidden_files=("/proc/keys",), hidden_folders=("/proc/fs",))
COMMAND = command_line("bwrap", SHOWN, WHO, LIMITS, Descriptors(seccomp=9, files={"/etc/passwd": 8}), ["program"])
FACTS = {
    "uids": "31000 31000 31000",
    "gids": "31000 31000 31000",
    "groups": "",
    **dict.fromkeys(("CapEff", "CapPrm", "CapBnd", "CapAmb"), "0" * 16),
    **{"NoNewPrivs": "1", "Seccomp": "2", "interfaces": "lo", "root_read_only": "1", "dev_read_only": "1"},
    **{f"limit_{name}": str(number) for name, number in process_limits(LIMITS, WHO).items()},
    **{path: f"{size} 500000 1" for path, size in scratch(LIMITS).items()},
}


def has(*arguments: str) -> bool:
    """Whether these stand in the command one after the other."""
    return any(tuple(COMMAND[i : i + len(arguments)]) == arguments for i in range(len(COMMAND)))


@pytest.mark.parametrize(
    "control",
    [
        ("--unshare-user",),
        ("--unshare-all",),
        ("--disable-userns",),
        ("--uid", "31000"),
        ("--gid", "31000"),
        ("--cap-drop", "ALL"),
        ("--new-session",),
        ("--die-with-parent",),
        ("--as-pid-1",),
        ("--clearenv",),
        ("--remount-ro", "/"),
        ("--remount-ro", "/dev"),
        ("--seccomp", "9"),
        ("--ro-bind", "/dev/null", "/proc/keys"),
        ("--tmpfs", "/proc/fs", "--remount-ro", "/proc/fs"),
        ("--perms", "0500", "--size", "50000000", "--tmpfs", "/input"),
        ("--", "program"),
    ],
)
def test_every_control_stands_in_the_command(control: tuple[str, ...]) -> None:
    assert has(*control)


def test_every_writable_place_has_a_size_and_nothing_of_the_machine_can_be_written() -> None:
    tmpfs = [i for i, argument in enumerate(COMMAND) if argument == "--tmpfs"]

    assert all(COMMAND[i - 2] == "--size" and int(COMMAND[i - 1]) > 0 for i in tmpfs)
    assert {COMMAND[i + 1] for i in tmpfs} >= set(scratch(LIMITS))
    assert not {"--bind", "--dev-bind", "--share-net", "--cap-add", "--unshare-user-try"} & set(COMMAND)


def test_the_roots_are_closed_after_all_that_is_put_into_them() -> None:
    made = max(i for i, argument in enumerate(COMMAND) if argument in ("--tmpfs", "--ro-bind", "--ro-bind-data", "--symlink"))

    assert COMMAND.index("/dev", made) > made
    assert len(COMMAND) - 1 - COMMAND[::-1].index("--remount-ro") > made


def test_the_facts_of_a_closed_sandbox_are_taken() -> None:
    check_facts(FACTS, LIMITS, WHO)
    check_facts({**FACTS, "groups": "65534 65534"}, LIMITS, replace(WHO, own_uid=False))


@pytest.mark.parametrize(
    ("fact", "found"),
    [
        ("uids", "0 0 0"),
        ("gids", "0 0 0"),
        ("groups", "65534"),
        ("groups", "0"),
        ("CapEff", "0000000000000001"),
        ("CapBnd", "000001ffffffffff"),
        ("NoNewPrivs", "0"),
        ("Seccomp", "0"),
        ("interfaces", "eth0 lo"),
        ("root_read_only", "0"),
        ("dev_read_only", "0"),
        ("limit_data", "unlimited"),
        ("limit_nproc", "unlimited"),
        ("limit_core", "unlimited"),
        ("/workspace", "99999999999 500000 1"),
        ("/dev/shm", "1000 500000 0"),
        ("/input", "-5 1 1"),
        ("/tmp", ""),
    ],
)
def test_a_control_that_is_not_in_force_is_refused_by_name(fact: str, found: str) -> None:
    with pytest.raises(Unsafe) as caught:
        check_facts({**FACTS, fact: found}, LIMITS, WHO)
    assert caught.value.control == fact


@pytest.mark.parametrize("fact", FACTS)
def test_a_fact_that_is_missing_is_refused(fact: str) -> None:
    with pytest.raises(Unsafe):
        check_facts({name: value for name, value in FACTS.items() if name != fact}, LIMITS, WHO)


def test_what_the_kernel_does_not_count_per_sandbox_is_not_set_and_said() -> None:
    old = replace(WHO, counted=False)

    assert "nproc" not in process_limits(LIMITS, old)
    assert not_limited(WHO) == NOT_LIMITED
    assert not_limited(old) == (*NOT_LIMITED, PROCESSES_NOT_LIMITED)


def test_the_supervisor_is_told_its_limits_its_time_and_its_threads() -> None:
    bounds, seconds, threads = supervisor_arguments(LIMITS, WHO, cores=1)[-3:]

    assert "nofile=4096" in bounds.split(",")
    assert (seconds, threads) == ("300", "1")


@pytest.mark.parametrize(
    ("complaint", "part"),
    [
        ("bwrap: No permissions to create new namespace, likely because the kernel does not allow ...", "no user namespaces"),
        ("bwrap: setting up uid map: Permission denied", "no user namespaces"),
        ("bwrap: loopback: Failed RTM_NEWADDR: Operation not permitted", "no user namespaces"),
        ("bwrap: Can't mount proc on /newroot/proc: Operation not permitted", "inside of a container"),
        ("bwrap: Can't find source path /usr: No such file", "Can't find source path"),
        ("", "without a word"),
    ],
)
def test_why_it_does_not_start_is_said_in_two_sentences(complaint: str, part: str) -> None:
    said = str(why_it_ended(complaint))

    assert part in said
    assert said.count(". ") == 1
    assert "Docker" in said
