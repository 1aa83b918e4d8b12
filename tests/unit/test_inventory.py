"""What the engine has of ours, in words; what of it nobody needs; the table of `sandloop sandbox ps`."""

from __future__ import annotations

import os

import pytest

from sandloop.cli.run_script import exit_code
from sandloop.cli.sandbox import table
from sandloop.events import CodeRan, StoppedBy
from sandloop.options import SandboxOptions
from sandloop.ports import Held
from sandloop.script import language_of
from sandloop.sizes import human_time
from sandloop_sandbox import owner
from sandloop_sandbox.doctor import of_options
from sandloop_sandbox.inventory import (
    BUILD_SECONDS,
    KEPT_SECONDS,
    Image,
    as_held,
    is_waiting,
    memory_of,
    out_of_date,
    owner_in_words,
)

NOW = 1_800_000_000.0
ENDED = f"{owner.host_id()} {os.getpid()} 1"
"""Our number, of a process that started at another time."""


def labels(made_by: str, deadline: float = NOW + 60) -> dict[str, str]:
    return {
        "dev.sandloop.session": "0123",
        "dev.sandloop.owner": made_by,
        "dev.sandloop.created": "2027-01-15T07:00:00+00:00",
        "dev.sandloop.deadline": str(int(deadline)),
    }


@pytest.mark.parametrize(
    ("made_by", "deadline", "state"),
    [
        (owner.me(), NOW + 60, "in use"),
        (owner.me(), NOW - 60, "left over"),
        (ENDED, NOW + 60, "left over"),
        ("another-machine 1 1", NOW + 60, "in use"),
    ],
    ids=["mine", "mine, over its time", "of one that ended", "of another machine"],
)
def test_a_container_is_left_over_when_its_owner_is_gone_or_its_time_is(made_by: str, deadline: float, state: str) -> None:
    one = as_held(labels(made_by, deadline), NOW, 5)
    assert (one.id, one.state, one.memory) == ("0123", state, 5)
    assert one.deadline.startswith("2027-01-15T")


@pytest.mark.parametrize(
    ("made_by", "running", "waiting", "state"),
    [
        (owner.me(), True, True, "ready"),
        (owner.me(), True, False, "in use"),
        (ENDED, True, True, "ready"),
        (ENDED, True, False, "in use"),
        (ENDED, False, False, "left over"),
    ],
    ids=["mine, waiting", "mine", "of one that ended, waiting", "of one that ended, running", "of one that ended"],
)
def test_one_that_may_outlive_its_maker_is_left_over_when_it_does_not_run(
    made_by: str, running: bool, waiting: bool, state: str
) -> None:
    given_away = labels(made_by) | {"dev.sandloop.shared": "1"}
    assert as_held(given_away, NOW, 5, running=running, waiting=waiting).state == state


@pytest.mark.parametrize(
    ("processes", "waiting"),
    [
        ([["70", "2", "sandloop-ready"], ["71", "70", "python3"], ["75", "70", "python3"]], True),
        ([["71", "70", "python3"], ["70", "2", "sandloop-ready"]], True),
        ([["70", "2", "sandloop"], ["71", "70", "python3"]], False),
        ([["70", "2", "python3"], ["71", "70", "sandloop-ready"]], False),
        ([["70", "2", "sandloop"], ["71", "9", "sandloop-ready"]], False),
        ([["70", "2", "sandloop-ready"], ["71"]], False),
        ([["70", "2", "sandloop-ready"], []], False),
        ([], False),
    ],
)
def test_only_the_first_process_says_that_a_container_waits(processes: list[list[str]], waiting: bool) -> None:
    assert is_waiting(processes) is waiting


def test_an_owner_is_named_by_its_program_while_it_lives() -> None:
    assert owner_in_words(owner.me()).endswith(f"({os.getpid()})")
    assert owner_in_words(ENDED) == f"process {os.getpid()}, which has ended"
    assert owner_in_words("another-machine 7 1") == "process 7 elsewhere"
    assert owner_in_words("") == "unknown"


@pytest.mark.parametrize(
    ("stats", "memory"),
    [
        ({"anon": 100, "shmem": 20, "file": 900}, 120),
        ({"total_rss": 100, "total_cache": 70, "total_active_file": 30, "total_inactive_file": 20}, 120),
        ({"total_rss": 100, "total_cache": 10, "total_active_file": 30}, 100),
        ({}, None),
    ],
)
def test_memory_is_what_the_kernel_could_not_drop(stats: dict[str, int], memory: int | None) -> None:
    assert memory_of({"memory_stats": {"stats": stats}}) == memory
    assert memory_of({"memory_stats": None}) is None


def image(*names: str, kind: str = "1", age: float = 2 * KEPT_SECONDS) -> Image:
    return Image(id="sha256:0", names=names, kind=kind, created=NOW - age, size=1)


@pytest.mark.parametrize(
    ("found", "goes"),
    [
        (image("sandloop/sandbox:old"), True),
        (image("sandloop/sandbox:old", age=60), False),
        (image("sandloop/sandbox:now"), False),
        (image("sandloop/sandbox:now-packages"), False),
        (image("sandloop/sandbox:nowadays"), True),
        (image("sandloop/sandbox:old-packages"), True),
        (image("mine:1"), False),
        (image("sandloop/sandbox:old", "mine:1"), False),
        (image(kind="builder"), True),
        (image(kind="builder", age=BUILD_SECONDS / 2), False),
        (image(kind="1"), False),
        (image("mine:1", kind="builder"), False),
    ],
    ids=lambda value: "+".join(value.names) or value.kind if isinstance(value, Image) else str(value),
)
def test_only_images_of_ours_that_nothing_needs_are_out_of_date(found: Image, goes: bool) -> None:
    assert out_of_date([found], ["sandloop/sandbox:now"], NOW) == ([found] if goes else [])


def test_the_table_shows_whose_they_are_what_they_hold_and_the_totals() -> None:
    found = [
        Held(
            id="0123", state="in use", owner="python (7)", created="2027-01-15T07:00:00+00:00", memory=90_000_000,
            deadline="2027-01-15T09:00:00+00:00",
        ),
        Held(id="4567", state="left over", owner="process 8\x1b[2J", created="", memory=None),
    ]  # fmt: skip
    assert table(found, NOW, width=100).splitlines() == [
        "ID    STATE      OWNER               AGE  ENDS IN  MEMORY",
        "0123  in use     python (7)          1 h  1 h      90.0 MB",
        "4567  left over  process 8\\u001b[2J  -    -        ?",
        "1 in use, 1 left over; 90.0 MB of memory",
    ]
    assert table([], NOW) == "no sandboxes"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (59.9, "59 s"), (60, "1 min"), (7_199, "1 h"), (200_000, "2 d"), (-5, "over")]
)
def test_times_are_whole_units(seconds: float, text: str) -> None:
    assert human_time(seconds) == text


@pytest.mark.parametrize(
    ("name", "language"), [("a.py", "python"), ("x/A.SH", "bash"), ("b.bash", "bash"), ("a.txt", None), ("py", None)]
)
def test_a_scripts_name_says_its_language(name: str, language: str | None) -> None:
    assert language_of(name) == language


@pytest.mark.parametrize(
    ("code", "stopped_by", "ends_with"),
    [
        (0, "itself", 0),
        (3, "itself", 3),
        (139, "itself", 139),
        (1, "time", 5),
        (137, "memory", 5),
        (1, "interrupt", 130),
        (None, "itself", 1),
    ],
)
def test_the_commands_exit_code_is_the_scripts_unless_something_stopped_it(
    code: int | None, stopped_by: StoppedBy, ends_with: int
) -> None:
    assert exit_code(CodeRan(code_id="x", exit_code=code, stopped_by=stopped_by)) == ends_with
    assert exit_code(None) == 1


def test_the_doctor_warns_of_what_weakens_the_sandbox() -> None:
    (made,) = of_options(SandboxOptions())
    assert made.state == "ready"
    _, warning = of_options(SandboxOptions(unsafe_network=True, unsafe_mounts=("/a:/b",)))
    assert warning.state == "warning"
    assert "unsafe_network = true" in warning.says
    assert "unsafe_mounts = /a:/b" in warning.says
    assert "SANDLOOP_UNSAFE_MOUNTS" in warning.do
