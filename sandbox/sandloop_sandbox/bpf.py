"""The seccomp allow-list as the program that the kernel runs at each system call. Pure.

The rules mean what they mean to a container engine: an action for each name, more rules for a name are alternatives, all
conditions of a rule must hold, over the whole 64 bits of an argument. A program is for one architecture; a call made for
another one (a 32-bit program's) ends the process. Names that the architecture has not got are passed over.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

from sandloop.errors import Unsafe
from sandloop_sandbox.syscalls import AARCH64, X86_64

ARCHITECTURES: Mapping[str, tuple[int, Mapping[str, int]]] = {"x86_64": (0xC000003E, X86_64), "aarch64": (0xC00000B7, AARCH64)}
"""By `uname -m`: the kernel's audit number of the architecture, and its system calls."""
ALLOW, ERRNO, KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
EPERM = 1
NR, ARCH, ARGS = 0, 4, 16
"""Where a program finds the call's number, its architecture and its arguments."""
LOAD, AND, RETURN, JUMP, JUMP_EQ, JUMP_GE = 0x20, 0x54, 0x06, 0x05, 0x15, 0x35
MAX_INSTRUCTIONS = 4096

Instruction = tuple[int, int, int, int]
"""Code, instructions to skip if true, to skip if false, and the value."""
Rule = Mapping[str, Any]


def seccomp_program(profile: Mapping[str, Any], machine: str) -> bytes:
    """The compiled profile, as `bwrap --seccomp` reads it. Raises `Unsafe` for an architecture without a table."""
    if machine not in ARCHITECTURES:
        do = f"Use a machine of {' or '.join(ARCHITECTURES)}, or Docker"
        raise Unsafe(control="seccomp", found=f"no table of system calls for {machine!r}", do=do)
    audit, known = ARCHITECTURES[machine]
    default = _action(profile["defaultAction"], None)
    rules: dict[int, list[Rule]] = {}
    for rule in profile["syscalls"]:
        for name in rule["names"]:
            if name in known:
                rules.setdefault(known[name], []).append(rule)
    starts, leaves = _intervals({number: _leaf(some, default) for number, some in rules.items()}, [(RETURN, 0, 0, default)])
    program = [
        (LOAD, 0, 0, ARCH),
        (JUMP_EQ, 1, 0, audit),
        (RETURN, 0, 0, KILL_PROCESS),
        (LOAD, 0, 0, NR),
        *_tree(starts, leaves),
    ]
    assert len(program) <= MAX_INSTRUCTIONS, "the kernel takes no longer program"  # noqa: S101 - the profile is our own
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _action(name: str, errno: int | None) -> int:
    match name:
        case "SCMP_ACT_ALLOW":
            return ALLOW
        case "SCMP_ACT_ERRNO":
            return ERRNO | (EPERM if errno is None else errno)
        case _:
            raise ValueError(f"the action {name!r} is not one of ours")


def _leaf(rules: Sequence[Rule], default: int) -> list[Instruction]:
    """What is done for one system call: its rules one after the other, then the default."""
    found: list[Instruction] = []
    for rule in rules:
        action = _action(rule["action"], rule.get("errnoRet"))
        end: Instruction = (RETURN, 0, 0, action)
        conditions = [check for argument in rule.get("args") or () for check in _checks(argument)]
        if not conditions:
            return [*found, end]
        # Each check is a load, perhaps a mask, and a comparison that goes past this rule when it fails.
        left = sum(map(len, conditions)) + 1
        for steps in conditions:
            left -= len(steps)
            code, _, _, value = steps[-1]
            found += [*steps[:-1], (code, 0, left, value)]
        found.append(end)
    return [*found, (RETURN, 0, 0, default)]


def _checks(argument: Mapping[str, Any]) -> list[list[Instruction]]:
    """Comparisons of the two halves of an argument; both architectures keep the low half first."""
    match argument["op"]:
        case "SCMP_CMP_EQ":
            mask, wanted = (1 << 64) - 1, argument["value"]
        case "SCMP_CMP_MASKED_EQ":
            mask, wanted = argument["value"], argument.get("valueTwo", 0)
        case other:
            raise ValueError(f"the comparison {other!r} is not one of ours")
    checks: list[list[Instruction]] = []
    for shift, half in ((32, 4), (0, 0)):
        bits, value = (mask >> shift) & 0xFFFFFFFF, (wanted >> shift) & 0xFFFFFFFF
        load: Instruction = (LOAD, 0, 0, ARGS + 8 * argument["index"] + half)
        masked: list[Instruction] = [(AND, 0, 0, bits)] if bits != 0xFFFFFFFF else []
        if bits or value:
            checks.append([load, *masked, (JUMP_EQ, 0, 0, value)])
    return checks


def _intervals(leaves: Mapping[int, list[Instruction]], default: list[Instruction]) -> tuple[list[int], list[list[Instruction]]]:
    """The numbers from which on something else is done, beginning with 0, and what."""
    starts, found = [0], [default]
    for number in sorted(leaves):
        if number == starts[-1]:
            found[-1] = leaves[number]
        else:
            starts.append(number)
            found.append(leaves[number])
        starts.append(number + 1)
        found.append(default)
    kept = [i for i in range(len(starts)) if i == 0 or found[i] != found[i - 1]]
    return [starts[i] for i in kept], [found[i] for i in kept]


def _tree(starts: Sequence[int], leaves: Sequence[list[Instruction]]) -> list[Instruction]:
    """A search by halves: the call's number is in the accumulator."""
    if len(starts) == 1:
        return leaves[0]
    half = len(starts) // 2
    left, right = _tree(starts[:half], leaves[:half]), _tree(starts[half:], leaves[half:])
    # A conditional jump reaches 255 instructions, an unconditional one all.
    return [(JUMP_GE, 0, 1, starts[half]), (JUMP, 0, 0, len(left)), *left, *right]
