"""The compiled allow-list does what its rules say: the program is run here as the kernel runs it."""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import pytest

from sandloop.errors import Unsafe
from sandloop_sandbox.bpf import ALLOW, ARCHITECTURES, ERRNO, KILL_PROCESS, seccomp_program

PROFILE: dict[str, Any] = json.loads((files("sandloop_image") / "seccomp.json").read_text())
REFUSED, ABSENT = ERRNO | 1, ERRNO | 38


def verdict(program: bytes, number: int, audit: int, arguments: Sequence[int]) -> int:
    """What the kernel would do: classic BPF over `struct seccomp_data`."""
    data = struct.pack("=IIQ6Q", number & 0xFFFFFFFF, audit, 0, *arguments)
    steps = list(struct.iter_unpack("=HBBI", program))
    at = accumulator = 0
    while True:
        code, true, false, value = steps[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("=I", data, value)
            case 0x54:
                accumulator &= value
            case 0x15:
                at += true if accumulator == value else false
            case 0x35:
                at += true if accumulator >= value else false
            case 0x05:
                at += value
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"no instruction of ours: {code:#x}")


def wanted(name: str | None, arguments: Sequence[int]) -> int:
    """The same from the rules, read one by one."""
    for rule in PROFILE["syscalls"]:
        if name in rule["names"] and all(_holds(argument, arguments) for argument in rule.get("args") or ()):
            return ALLOW if rule["action"] == "SCMP_ACT_ALLOW" else ERRNO | int(rule.get("errnoRet", 1))
    return REFUSED


def _holds(argument: Mapping[str, int | str], arguments: Sequence[int]) -> bool:
    given = arguments[int(argument["index"])]
    if argument["op"] == "SCMP_CMP_EQ":
        return given == int(argument["value"])
    return given & int(argument["value"]) == int(argument.get("valueTwo", 0))


@pytest.mark.parametrize("machine", list(ARCHITECTURES))
def test_every_call_with_many_arguments_gets_what_the_rules_say(machine: str) -> None:
    audit, known = ARCHITECTURES[machine]
    names = {number: name for name, number in known.items()}
    program = seccomp_program(PROFILE, machine)
    values = {
        argument[key]
        for rule in PROFILE["syscalls"]
        for argument in rule.get("args") or ()
        for key in ("value", "valueTwo")
        if key in argument
    }
    values |= (
        {value + 1 for value in values} | {value | 1 << 32 for value in values} | {0, 1, 2, 1 << 63, (1 << 64) - 1, 0x10000000}
    )
    chance = random.Random(1)
    choices = sorted(values)
    for number in (*range(700), 1 << 30, (1 << 30) + 1, (1 << 32) - 1):
        tries = [[value] * 6 for value in choices] + [[chance.choice(choices) for _ in range(6)] for _ in range(40)]
        for arguments in tries:
            arguments = [value % (1 << 64) for value in arguments]
            assert verdict(program, number, audit, arguments) == wanted(names.get(number), arguments), (number, arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "action"),
    [
        ("read", [0, 0, 0], ALLOW),
        ("clone", [0x11], ALLOW),
        ("clone", [0x10000011], REFUSED),
        ("clone", [0x40000000], REFUSED),
        ("clone3", [0], ABSENT),
        ("socket", [1], ALLOW),
        ("socket", [2], REFUSED),
        ("socket", [1 | 1 << 32], REFUSED),
        ("prlimit64", [0], ALLOW),
        ("prlimit64", [1], REFUSED),
        ("setpriority", [0, 0], ALLOW),
        ("setpriority", [0, 1], REFUSED),
        ("setpriority", [2, 0], REFUSED),
        ("personality", [0xFFFFFFFF], ALLOW),
        ("personality", [0x40000], REFUSED),
    ],
)
@pytest.mark.parametrize("machine", list(ARCHITECTURES))
def test_conditions_on_arguments_hold(machine: str, name: str, arguments: list[int], action: int) -> None:
    audit, known = ARCHITECTURES[machine]

    assert verdict(seccomp_program(PROFILE, machine), known[name], audit, (*arguments, *[0] * (6 - len(arguments)))) == action


@pytest.mark.parametrize("number", [101, 165, 272, 308, 310, 321, 425, 426, 427, 428, 438, 442])
def test_calls_that_are_not_named_are_refused(number: int) -> None:
    # ptrace, mount, unshare, setns, process_vm_readv, bpf, io_uring_*, open_tree, pidfd_getfd, mount_setattr.
    assert verdict(seccomp_program(PROFILE, "x86_64"), number, 0xC000003E, [0] * 6) == REFUSED


def test_a_call_for_another_architecture_ends_the_process() -> None:
    # A 32-bit program's: their numbers mean other calls.
    assert verdict(seccomp_program(PROFILE, "x86_64"), 0, 0x40000003, [0] * 6) == KILL_PROCESS


def test_every_name_of_the_list_has_a_number() -> None:
    names = {name for rule in PROFILE["syscalls"] for name in rule["names"]}
    known = {name for _, numbers in ARCHITECTURES.values() for name in numbers}

    assert names <= known


def test_a_machine_without_a_table_is_refused() -> None:
    with pytest.raises(Unsafe, match="riscv64"):
        seccomp_program(PROFILE, "riscv64")
