"""The kernel's own files of limits and kills, in the form of cgroup v2 and of v1: what the supervisor reads of each."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandloop_image import facts

V2 = {
    "memory.max": "1073741824\n",
    "pids.max": "72\n",
    "memory.events": "low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n",
    "pids.events": "max 4\n",
}
V1 = {
    "memory/memory.limit_in_bytes": "1073741824\n",
    "pids/pids.max": "72\n",
    "memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
    "pids/pids.events": "max 4\n",
}
PATHS = ("MEMORY_EVENTS", "PIDS_EVENTS", "MEMORY_MAX", "PIDS_MAX")


@pytest.fixture
def mounted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder instead of /sys/fs/cgroup, and no scratch places, which only a container has."""
    for name in PATHS:
        there = tuple(path.replace("/sys/fs/cgroup", str(tmp_path)) for path in getattr(facts, name))
        monkeypatch.setattr(facts, name, there)
    monkeypatch.setattr(facts, "SCRATCH", ())
    return tmp_path


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize("version", [V2, V1], ids=["v2", "v1"])
def test_limits_are_read_from_either_version(mounted: Path, version: dict[str, str]) -> None:
    write(mounted, version)
    found = facts.facts()
    assert (found["memory"], found["pids"]) == ("1073741824", "72")


def test_version_2_is_preferred_where_both_are_mounted(mounted: Path) -> None:
    write(mounted, {**V1, **V2, "memory/memory.limit_in_bytes": "1\n"})
    assert facts.facts()["memory"] == "1073741824"


@pytest.mark.parametrize("files", [{}, {**V2, "memory.max": "max\n"}])
def test_a_limit_that_is_missing_or_none_is_no_number(mounted: Path, files: dict[str, str]) -> None:
    write(mounted, files)
    assert not str(facts.facts()["memory"]).isdigit()


@pytest.mark.parametrize(
    ("version", "killed", "refused"),
    [
        (V2, {"memory.events": "low 0\nhigh 0\nmax 13\noom 4\noom_kill 3\noom_group_kill 0\n"}, {"pids.events": "max 5\n"}),
        (
            V1,
            {"memory/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 3\n"},
            {"pids/pids.events": "max 5\n"},
        ),
    ],
    ids=["v2", "v1"],
)
def test_kills_and_refused_processes_are_counted_from_either_version(
    mounted: Path, version: dict[str, str], killed: dict[str, str], refused: dict[str, str]
) -> None:
    write(mounted, version)
    counters = facts.Counters()
    assert [bool(count) for count in counters.since()] == [False, False]
    write(mounted, killed)
    assert [bool(count) for count in counters.since()] == [True, False]
    write(mounted, refused)
    assert [bool(count) for count in counters.since()] == [False, True]
    assert [bool(count) for count in counters.since()] == [False, False]


def test_locks_are_looked_at_each_half_second_of_code_however_short_the_steps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = tmp_path / "locks"
    held.write_text("1: POSIX  ADVISORY  WRITE 12 00:2a:1 0 EOF\n" * (facts.MOST_LOCKS + 100))
    monkeypatch.setattr(facts, "LOCKS", str(held))
    locks, clock, looked = facts.Locks(), 1_000.0, list[int]()
    for number in range(1, 41):
        locks.go_on(clock)
        if locks.too_many(clock + 0.125):
            looked.append(number)
        locks.pause(clock + 0.125)
        clock += 60.0  # the code stands still

    assert looked == list(range(4, 41, 4))


def test_locks_of_a_long_step_are_looked_at_twice_a_second(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facts, "LOCKS", str(tmp_path / "locks"))
    locks = facts.Locks()
    locks.go_on(50.0)
    (tmp_path / "locks").write_text("1: FLOCK  ADVISORY  WRITE 12 00:2a:1 0 EOF\n" * (facts.MOST_LOCKS + 100))
    assert [at for at in range(60) if locks.too_many(50.0 + at / 20)] == [10, 20, 30, 40, 50]
