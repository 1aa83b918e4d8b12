"""The policy as data: each control of the request, and the refusal when one is not in force."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from sandloop.errors import EngineUnavailable, Unsafe
from sandloop.limits import Limits
from sandloop_sandbox import owner
from sandloop_sandbox.container import LABEL, new_identity
from sandloop_sandbox.engine import check_info, engine, engine_name
from sandloop_sandbox.policy import Host, Identity, check_facts, container_config, memory, not_limited, scratch
from sandloop_sandbox.sweep import is_left_over
from sandloop_sandbox.unreachable import translated, why_unreachable

LIMITS = Limits()
HOST = Host(cpus=4, memory=64_000_000_000)
WHO = Identity(session="s", uid=23456, labels={"a": "b"})


def config(limits: Limits = LIMITS, host: Host = HOST) -> dict[str, Any]:
    return container_config(limits, host, WHO, "sha256:1", "{}")


def test_the_container_is_closed_in_every_required_way() -> None:
    asked, host = config(), config()["HostConfig"]

    assert asked["User"] == "23456:23456"
    assert (asked["OpenStdin"], asked["StdinOnce"], asked["AttachStdin"], asked["Tty"]) == (True, True, True, False)
    assert host["NetworkMode"] == "none"
    assert host["CapDrop"] == ["ALL"]
    assert host["SecurityOpt"] == ["no-new-privileges", "seccomp={}"]
    assert host["ReadonlyRootfs"] is True
    assert host["AutoRemove"] is True
    assert host["Memory"] == host["MemorySwap"]
    assert host["LogConfig"]["Type"] == "none"
    assert (host["IpcMode"], host["CgroupnsMode"]) == ("private", "private")
    assert not {"Binds", "Mounts", "Devices", "PortBindings", "CapAdd", "PidMode", "UsernsMode", "VolumesFrom"} & set(host)
    assert all("nosuid,nodev" in options and "size=" in options and "nr_inodes=" in options for options in host["Tmpfs"].values())


def test_full_folders_fit_into_the_memory_beside_what_the_code_may_use() -> None:
    assert memory(LIMITS, HOST) >= sum(scratch(LIMITS).values()) + LIMITS.memory


def test_no_limit_is_above_the_machine() -> None:
    small = config(replace(LIMITS, cpus=16), Host(cpus=1, memory=10**9))["HostConfig"]

    assert (small["NanoCpus"], small["Memory"]) == (10**9, 10**9)


def test_nothing_of_our_environment_goes_in() -> None:
    assert not {entry.partition("=")[0] for entry in config()["Env"]} - {"PATH", "LANG", "HOME"}


def good_facts() -> dict[str, str]:
    ids = "23456 23456 23456"
    capabilities = dict.fromkeys(("CapEff", "CapPrm", "CapBnd", "CapAmb"), "0" * 16)
    places = {path: f"{size} 20000 1" for path, size in scratch(LIMITS).items()}
    rest = {"NoNewPrivs": "1", "Seccomp": "2", "interfaces": "lo", "root_read_only": "1", "pids": "136", "groups": "23456"}
    return {"uids": ids, "gids": ids, "memory": str(memory(LIMITS, HOST)), **capabilities, **rest, **places}


def test_facts_as_asked_for_are_safe() -> None:
    check_facts(good_facts(), LIMITS, HOST, WHO)


@pytest.mark.parametrize(
    ("control", "found"),
    [
        ("uids", "0 0 0"),
        ("gids", "23456 0 0"),
        ("groups", "23456 27"),
        ("CapEff", "0000000000000001"),
        ("CapBnd", "00000000a80425fb"),
        ("NoNewPrivs", "0"),
        ("Seccomp", "0"),
        ("interfaces", "eth0 lo"),
        ("root_read_only", "0"),
        ("pids", "max"),
        ("memory", "max"),
        ("memory", "9223372036854771712"),
        ("memory", "missing"),
        ("/tmp", "25000000000 20000 1"),
        ("/tmp", "256000000 20000 0"),
        ("/workspace", "1000000000 0 1"),
        ("/dev/shm", ""),
    ],
)
def test_a_control_that_is_not_in_force_is_named_and_nothing_runs(control: str, found: str) -> None:
    with pytest.raises(Unsafe) as refused:
        check_facts({**good_facts(), control: found}, LIMITS, HOST, WHO)

    assert refused.value.control == control


@pytest.mark.parametrize("control", sorted(good_facts()))
def test_a_fact_that_is_not_told_is_not_in_force(control: str) -> None:
    facts = good_facts()
    del facts[control]

    with pytest.raises(Unsafe):
        check_facts(facts, LIMITS, HOST, WHO)


INFO: dict[str, Any] = {
    **dict.fromkeys(("MemoryLimit", "PidsLimit", "CpuCfsQuota"), True),
    "CgroupDriver": "systemd",
    "SecurityOptions": ["name=apparmor", "name=seccomp,profile=builtin"],
    "NCPU": 2,
    "MemTotal": 10**9,
}


def test_an_engine_that_applies_its_limits_is_taken() -> None:
    assert check_info(INFO) == Host(cpus=2, memory=10**9)


@pytest.mark.parametrize(
    ("key", "value"),
    [("MemoryLimit", False), ("PidsLimit", None), ("CpuCfsQuota", False), ("CgroupDriver", "none"), ("SecurityOptions", None)],
)
def test_an_engine_that_does_not_is_refused(key: str, value: object) -> None:
    with pytest.raises(Unsafe):
        check_info({**INFO, key: value})


def test_an_engine_elsewhere_is_refused_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2375")

    with pytest.raises(EngineUnavailable, match=r"can't be used at tcp://192.0.2.1:2375: .*files would leave") as refused:
        engine()
    assert "does not answer" not in str(refused.value)


def test_podman_is_refused_by_name_since_it_bounds_no_number_of_files() -> None:
    with pytest.raises(Unsafe, match=r"number of files in a scratch folder, found 'Podman 4\.3\.1'"):
        check_info(INFO, "Podman 4.3.1")


@pytest.mark.parametrize(
    ("version", "name"),
    [
        ({"Version": "20.10.24", "Components": [{"Name": "Engine"}, {"Name": "containerd"}]}, "Docker 20.10.24"),
        ({"Version": "4.3.1", "Components": [{"Name": "Podman Engine"}, {"Name": "Conmon"}]}, "Podman 4.3.1"),
        ({}, "Docker ?"),
    ],
)
def test_an_engine_is_named_with_its_version(version: dict[str, Any], name: str) -> None:
    assert engine_name(version) == name


@pytest.mark.parametrize(
    ("number", "part"),
    [(errno.ENOENT, "Install Docker"), (errno.EACCES, "usermod -aG docker"), (errno.ECONNREFUSED, "Start Docker")],
)
def test_each_way_of_having_no_docker_has_its_own_sentence(number: int, part: str) -> None:
    with pytest.raises(EngineUnavailable) as refused, translated("unix:///x.sock"):
        raise OSError(number, os.strerror(number))

    assert part in str(refused.value)


def test_the_reason_is_found_below_the_errors_of_the_sdk() -> None:
    import docker.errors
    import requests.exceptions

    inner = requests.exceptions.ConnectionError(("Connection aborted.", PermissionError(errno.EACCES, "Permission denied")))
    outer = docker.errors.DockerException(f"Error while fetching server API version: {inner}")
    outer.__cause__ = inner
    inner.__context__ = PermissionError(errno.EACCES, "Permission denied")

    assert "may not use" in why_unreachable(outer)[0]


def test_a_container_is_left_over_when_its_owner_is_gone_or_its_time_over() -> None:
    mine = dict(new_identity(LIMITS).labels)
    now = float(mine[f"{LABEL}.deadline"]) - 1
    dead = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True
    ).stdout
    start = owner.start_time(os.getpid())

    assert not is_left_over(mine, now)
    assert is_left_over(mine, now + 2)
    assert is_left_over({**mine, f"{LABEL}.owner": f"{owner.host_id()} {dead.strip()} 1"}, now)
    assert is_left_over({**mine, f"{LABEL}.owner": f"{owner.host_id()} {os.getpid()} {int(start) + 1}"}, now)
    assert not is_left_over({**mine, f"{LABEL}.owner": f"another-host {dead.strip()} 1"}, now)
    assert not is_left_over({}, now)
    assert not is_left_over({f"{LABEL}.deadline": "1"}, now)


def test_what_the_engine_masks_by_itself_stays_masked() -> None:
    host = config()["HostConfig"]

    # A list of ours takes the place of the engine's.
    defaults = [
        "asound",
        "acpi",
        "kcore",
        "keys",
        "latency_stats",
        "timer_list",
        "timer_stats",
        "sched_debug",
        "scsi",
        "interrupts",
    ]
    assert {f"/proc/{name}" for name in defaults} | {"/sys/firmware", "/sys/devices/virtual/powercap"} <= set(host["MaskedPaths"])
    assert host["ReadonlyPaths"] == ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
    # Our own facts, and what libraries read.
    needed = ("/proc/self", "/proc/meminfo", "/proc/cpuinfo", "/proc/stat", "/proc/locks", "/sys/fs/cgroup", "/sys/class/net")
    assert not set(needed) & set(host["MaskedPaths"])


def test_a_machine_that_can_not_hold_the_inputs_is_told_of_and_not_refused() -> None:
    assert not_limited({"inputs_read_only": "1"}) == ()
    assert "input files" in not_limited({"inputs_read_only": "0"})[0]
    assert not_limited({}) != ()
