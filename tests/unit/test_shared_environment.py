"""What cells and scripts carry over to each other, and what is never carried."""

from __future__ import annotations

import os

import pytest

from sandloop_image.environment import MAX_BYTES, Changes, Shared, changes, is_carried, packed, unpacked
from sandloop_image.shell import GONE, TOO_MUCH, Shell

BASE = {"PATH": "/bin", "HOME": "/tmp", "OLD": "1"}


@pytest.mark.parametrize(
    "name",
    [
        *("BASH_ENV", "ENV", "SHELLOPTS", "BASHOPTS", "BASH_FUNC_ls%%", "PS4", "IFS", "LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH"),
        *("GLIBC_TUNABLES", "MALLOC_CHECK_", "PYTHONHOME", "PYTHONSTARTUP", "PWD", "_", "", "1A", "A-B", "A B", "A\nB", "Ä"),
    ],
)
def test_what_decides_how_programs_start_is_not_carried(name: str) -> None:
    assert not is_carried(name)
    assert changes({}, {name: "x"}) == {}
    assert unpacked(f"{name}=x".encode().hex()) == {}


@pytest.mark.parametrize("found", [{}, {"A": "1"}, {"A": None}, {"A": "", "B": "x=y\nz", "C": "\udcff"}])
def test_changes_come_out_of_their_text_as_they_went_in(found: Changes) -> None:
    assert unpacked(packed(found)) == found


@pytest.mark.parametrize("text", ["z", "0", "00" * (MAX_BYTES + 1), "é"])
def test_a_text_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        unpacked(text)


def test_too_many_changes_are_none() -> None:
    assert packed({"A": "x" * MAX_BYTES}) == ""


def test_each_side_is_told_what_the_other_changed_once_and_a_fresh_kernel_all_that_scripts_exported() -> None:
    shared = Shared(BASE)
    shared.from_shell({**BASE, "NEW": "2"})
    assert shared.for_kernel(7) == {"NEW": "2"}
    assert shared.for_kernel(7) == {}
    shared.from_kernel({"CELL": "3", "OLD": None})
    assert shared.shell == {"PATH": "/bin", "HOME": "/tmp", "NEW": "2", "CELL": "3"}
    shared.from_shell({"PATH": "/bin", "HOME": "/tmp", "CELL": "3"})
    assert shared.for_kernel(7) == {"NEW": None}
    assert shared.for_kernel(8) == {"NEW": None}


def test_cells_that_add_without_end_do_not_make_the_next_script_too_large_to_start() -> None:
    shared = Shared(BASE)
    for number in range(100):
        shared.from_kernel({f"V{number}": "x" * 60_000})

    assert sum(map(len, shared.shell.values())) < 1_000_000
    assert shared.shell["PATH"] == "/bin"


def left(shell: Shell, data: bytes) -> dict[str, str] | None:
    """What is left when a script wrote this as its state."""
    reader, writer = os.pipe()
    os.set_blocking(reader, False)
    shell.command("true")
    for start in range(0, len(data), 1 << 15):
        os.write(writer, data[start : start + (1 << 15)])
        shell.read_state(reader)
    for descriptor in (reader, writer):
        os.close(descriptor)
    found = shell.finish()
    return None if found is None else dict(found)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"/tmp\0A=1\0B=x=y\n\0\0", {"A": "1", "B": "x=y\n"}),
        (b"/tmp\0\0", {}),
        (b"/tmp\0BASH_ENV=/x\0NOTHING\0=\0\0", {}),
        (b"", None),
        (b"/tmp\0A=1\0", None),
        (b"exit 3; while :; do :; done\n", None),
    ],
)
def test_a_state_is_taken_apart_and_what_is_none_changes_nothing(data: bytes, found: dict[str, str] | None) -> None:
    assert left(Shell(), data) == found


def test_a_state_that_is_too_large_is_dropped_and_said_so() -> None:
    shell = Shell()

    assert left(shell, b"/tmp\0A=" + b"x" * 200_000 + b"\0\0") is None
    assert shell.note == TOO_MUCH


def test_a_folder_that_is_gone_is_left_for_the_working_folder_and_the_script_says_so() -> None:
    shell = Shell()
    left(shell, b"/nowhere/at/all\0\0")
    argv, folder = shell.command("true")

    assert (argv[-1], folder) == (GONE, "/workspace")
