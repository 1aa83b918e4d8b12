"""A run on the disk: whole at every moment, private, found again, and removed when its time has come."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kept_runs import Keeper, happened, input_file
from sandloop.codec import lines
from sandloop.errors import BadFile, BadSetting, UsageError
from sandloop.events import Answered, Event, Failed, InputFile, RunStarted, SandboxOpened, Text
from sandloop.ports import LocalFile
from sandloop.runs import Run, find_run, list_runs, remove_run, runs_folder
from sandloop.runs.contents import found_input
from sandloop.runs.kept import open_run, recording_path
from sandloop.runs.past import past
from sandloop.runs.place import EVENTS, RUN, new_id
from sandloop.runs.reading import parsed
from sandloop.runs.removal import remove_oldest
from sandloop.settings import Settings


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "runs"


@pytest.fixture
def keeper(folder: Path) -> Keeper:
    return Keeper(folder)


def modes(folder: Path) -> set[tuple[str, int]]:
    return {("folder" if p.is_dir() else "file", p.stat().st_mode & 0o777) for p in [folder, *folder.rglob("*")]}


async def test_a_run_is_a_folder_of_this_user_alone_with_all_that_happened(folder: Path, keeper: Keeper, tmp_path: Path) -> None:
    inputs = [input_file(tmp_path / "a.csv")]
    run = await keeper.begin(inputs=inputs)
    await keeper.take(SandboxOpened(sandbox="docker", id="x", image="sha256:1", engine="e"), *happened()[:-1])
    await keeper.take(await keeper.made("charts/one.png", b"\x89PNG"), happened()[-1])
    await keeper.end()

    kept = find_run("last", folder)
    assert (kept.id, kept.summary.status, kept.summary.steps, kept.summary.files) == (run, "answered", 1, 1)
    assert (kept.summary.question, kept.summary.model, kept.summary.provider_model) == ("How many?", "m", "m-1")
    assert kept.result().text == "One."
    assert kept.environment["sandbox"]["image"] == "sha256:1"
    assert kept.environment["packages"]["pydantic"]
    assert modes(folder) == {("folder", 0o700), ("file", 0o600)}
    assert keeper.notes == []


async def test_made_files_are_there_by_content_and_by_name_also_when_the_session_is_gone(folder: Path) -> None:
    keeper = Keeper(folder)
    await keeper.begin()
    for content in (b"first", b"second"):
        await keeper.take(await keeper.made("out/table.csv", content))
    await keeper.take(await keeper.made("out", b"a file where a folder is"), Answered(text="."))
    await keeper.end()
    del keeper

    kept = find_run("last", folder)
    assert kept.result().files["out/table.csv"].bytes() == b"second"
    assert kept.result().files["out"].bytes() == b"a file where a folder is"
    assert (kept.files_folder / "out/table.csv").read_bytes() == b"second"


async def test_contents_of_inputs_are_kept_once_and_found_by_their_sum(folder: Path, keeper: Keeper, tmp_path: Path) -> None:
    first = input_file(tmp_path / "a.csv", b"a\n1\n")
    for _ in range(2):
        await keeper.keep(inputs=[first])
    (tmp_path / "a.csv").write_bytes(b"changed since")

    assert [p.read_bytes() for p in (folder / "inputs").iterdir()] == [b"a\n1\n"]
    (kept,) = find_run("last", folder).inputs()
    assert kept.path is not None
    assert (kept.name, kept.original, kept.path.read_bytes()) == ("a.csv", tmp_path / "a.csv", b"a\n1\n")


async def test_an_input_that_was_changed_meanwhile_or_is_gone_is_said_and_the_run_goes_on(
    folder: Path, keeper: Keeper, tmp_path: Path
) -> None:
    changed, gone = input_file(tmp_path / "a.csv"), input_file(tmp_path / "b.csv", b"b")
    changed.path.write_bytes(b"else")
    gone.path.unlink()
    await keeper.keep(inputs=[changed, gone])

    assert [note.text for note in keeper.notes] == [
        "The content of 'a.csv' is not kept with the run: it was changed meanwhile.",
        "The content of 'b.csv' is not kept with the run: No such file or directory.",
    ]
    assert find_run("last", folder).summary.status == "answered"
    assert [kept.path for kept in find_run("last", folder).inputs()] == [None, None]


async def test_a_large_input_is_kept_by_its_path_alone(folder: Path, keeper: Keeper, tmp_path: Path) -> None:
    small = input_file(tmp_path / "a.csv")
    large = LocalFile(file=InputFile(name="a.csv", size=100_000_001, mime="text/csv", sha256=small.file.sha256), path=small.path)
    await keeper.keep(inputs=[large])

    assert not (folder / "inputs").exists()
    assert [kept.path for kept in find_run("last", folder).inputs()] == [small.path]


def sample() -> list[Event]:
    return [RunStarted(id="1", question="Größe?", model="m"), Text(text="Já"), *happened(), Answered(text="“1”")]


def test_a_file_of_events_cut_at_any_byte_gives_all_events_before_the_cut() -> None:
    events = sample()
    content = "".join(lines(events)).encode()
    for cut in range(len(content) + 1):
        read = parsed(content[:cut])
        whole = content[:cut].count(b"\n")
        assert list(read.events) == events[: len(read.events)]
        assert len(read.events) in (whole, whole + 1)
        assert bool(read.broken) == (content[:cut].rpartition(b"\n")[2] != b"" and len(read.events) == whole)


async def test_a_run_whose_process_died_at_any_byte_is_readable_and_interrupted(folder: Path, keeper: Keeper) -> None:
    run = folder / await keeper.begin()
    await keeper.take(*happened())
    content, told = (run / EVENTS).read_bytes(), (run / RUN).read_bytes()
    await keeper.end()
    for cut in range(0, content.rindex(b"\n", 0, -1), 7):
        (run / EVENTS).write_bytes(content[:cut])
        (run / RUN).write_bytes(told)
        kept = open_run(run)
        assert kept.summary.status == "interrupted"
        assert kept.summary.question == "How many?"
        assert kept.result().events == kept.events
        assert bool(kept.broken) == bool(kept.summary.incomplete)
    (run / EVENTS).write_bytes(content)
    assert open_run(run).summary.status == "answered"


async def test_a_run_without_its_summary_or_with_a_torn_one_is_told_from_its_events(folder: Path, keeper: Keeper) -> None:
    run = folder / await keeper.keep()
    content = (run / RUN).read_bytes()
    for cut in range(len(content) - 2):
        (run / RUN).write_bytes(content[:cut])
        assert (open_run(run).summary.status, open_run(run).summary.question) == ("answered", "How many?")


@pytest.mark.parametrize(
    "table",
    ["[]", "3", '{"status": "dancing", "cost": "much", "position": -1, "files": true, "question": 3, "new": 1}', "[" * 9999],
)
async def test_a_summary_of_nonsense_breaks_no_list(folder: Path, keeper: Keeper, table: str) -> None:
    run = await keeper.keep()
    (folder / run / RUN).write_text(table)
    assert [summary.id for summary in list_runs(folder)] == [run]


async def test_a_run_is_running_while_it_is_written_and_interrupted_when_it_was_left(folder: Path, keeper: Keeper) -> None:
    await keeper.begin()
    await keeper.take(*happened()[:3])
    assert [run.status for run in list_runs(folder)] == ["running"]
    keeper.recorder.finish()
    assert [run.status for run in list_runs(folder)] == ["interrupted"]


async def test_a_failed_run_says_with_what(folder: Path, keeper: Keeper) -> None:
    await keeper.begin()
    await keeper.take(Failed(error="LimitReached", message="The run reached its limit."))
    await keeper.end()
    assert [(run.status, run.error) for run in list_runs(folder)] == [("failed", "LimitReached")]


async def test_questions_of_one_session_are_runs_that_name_the_one_before(folder: Path, keeper: Keeper) -> None:
    first, second = await keeper.keep("One?"), await keeper.keep("Two?")
    newest, oldest = list_runs(folder)
    assert (oldest.id, oldest.session, oldest.position, oldest.previous) == (first, first, 1, None)
    assert (newest.id, newest.session, newest.position, newest.previous) == (second, first, 2, first)
    assert [run.question for run in list_runs(folder, limit=1)] == ["Two?"]


@contextmanager
def no_room(after: int) -> Generator[None]:
    """No file can grow beyond that many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (after, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_in_mid_run_is_said_once_and_the_run_goes_on(folder: Path, keeper: Keeper) -> None:
    run = await keeper.begin()
    with no_room(2_000):
        await keeper.take(*[Text(text="x" * 90)] * 40, *happened())
    await keeper.end()
    assert [note.about for note in keeper.notes] == ["run"]
    assert "not kept from here on" in keeper.notes[0].text
    kept = find_run(run, folder)
    assert kept.broken
    assert "file too large" in kept.summary.incomplete.lower()


async def test_a_made_file_that_cannot_be_kept_is_said_and_the_rest_is_kept(folder: Path, keeper: Keeper) -> None:
    await keeper.begin()
    gone = await keeper.made("a.csv", b"a")
    keeper.store.path(gone.sha256).unlink()
    await keeper.take(gone, *happened())
    await keeper.end()
    assert [note.text for note in keeper.notes] == ["The file 'a.csv' is not kept with the run: No such file or directory."]
    assert [run.status for run in list_runs(folder)] == ["answered"]


async def test_a_folder_that_cannot_be_written_is_said_once_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file")
    keeper = Keeper(tmp_path / "runs")
    await keeper.keep()
    assert len(keeper.notes) == 1
    assert str(tmp_path / "runs") in keeper.notes[0].text


async def test_the_oldest_runs_go_with_the_inputs_that_nobody_needs(folder: Path, tmp_path: Path) -> None:
    keeper = Keeper(folder, kept=2)
    both, one = input_file(tmp_path / "both.csv", b"both"), input_file(tmp_path / "one.csv", b"one")
    (folder / "inputs").mkdir(parents=True)
    for stranger in (folder / "mine", folder / "inputs/mine.csv", folder / "20260101-notes"):
        stranger.write_text("a stranger's")
    for number, inputs in enumerate([[both, one], [both], [both]]):
        await keeper.keep(inputs=inputs, run=f"20260101-00000{number}-aaaaaa")
    assert [run.id for run in list_runs(folder)] == ["20260101-000002-aaaaaa", "20260101-000001-aaaaaa"]
    assert {p.name for p in (folder / "inputs").iterdir()} == {both.file.sha256, "mine.csv"}
    assert (folder / "mine").exists()
    assert (folder / "20260101-notes").exists()


async def test_a_run_that_is_being_written_is_never_removed(folder: Path) -> None:
    old, new = Keeper(folder), Keeper(folder, kept=1)
    first = await old.begin(run="20260101-000000-aaaaaa")
    await new.keep()
    assert not remove_run(folder, first)
    remove_oldest(folder, kept=1)
    await old.take(*happened())
    await old.end()
    assert find_run(first, folder).summary.status == "answered"
    assert remove_run(folder, first)
    assert not remove_run(folder, first)


@pytest.mark.parametrize("name", ["..", "inputs", "mine", "../runs", ""])
async def test_nothing_but_a_run_is_removed(folder: Path, keeper: Keeper, name: str) -> None:
    await keeper.keep()
    (folder / "mine").mkdir()
    assert not remove_run(folder, name)
    assert (folder / "mine").is_dir()
    assert len(list_runs(folder)) == 1


async def test_a_run_is_found_by_its_id_its_beginning_its_folder_and_last(folder: Path, keeper: Keeper) -> None:
    first = await keeper.keep(run="20260101-000000-aaaaaa")
    second = await keeper.keep(run="20260101-000001-bbbbbb")
    found: list[Run] = [find_run(r, folder) for r in ("last", second, "20260101-000001", str(folder / second))]
    assert {run.id for run in found} == {second}
    assert find_run(f"{first[:-2]}", folder).id == first
    for wrong in ("2026", "1999", "", "..", "last/../x", "inputs"):
        with pytest.raises(UsageError):
            find_run(wrong, folder)
    with pytest.raises(UsageError, match="runs are off"):
        find_run(second, None)
    with pytest.raises(UsageError, match="No run is kept"):
        find_run("last", folder / "none")


async def test_a_path_that_exists_wins_over_an_id(
    folder: Path, keeper: Keeper, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = await keeper.keep()
    monkeypatch.chdir(tmp_path)
    assert recording_path(run, folder) == folder / run
    assert recording_path("last", folder) == folder / run
    (tmp_path / "last").write_text("a recording")
    assert recording_path("last", folder) == Path("last")


@pytest.mark.parametrize(("said", "wanted"), [("off", None), (" OFF", None), ("/x/y", Path("/x/y")), ("~/r", Path.home() / "r")])
def test_where_runs_are_kept(said: str, wanted: Path | None) -> None:
    assert runs_folder(Settings(runs=said)) == wanted


NOBODY = "~nobody-of-that-name/x"


def test_the_home_folder_of_nobody_is_no_place_and_no_run(folder: Path) -> None:
    with pytest.raises(BadSetting, match="begins with the home folder of nobody here"):
        runs_folder(Settings(runs=NOBODY))
    with pytest.raises(UsageError, match="There is no run"):
        find_run(NOBODY, folder)
    assert recording_path(NOBODY, folder) == Path(NOBODY)


PROGRAM = """
import asyncio, sys
from pathlib import Path
from kept_runs import Keeper, input_file

async def main():
    folder = Path(sys.argv[1])
    mine = input_file(folder.parent / f"{sys.argv[2]}.csv", sys.argv[2].encode())
    shared = input_file(folder.parent / f"shared-{sys.argv[2]}.csv", b"shared")
    for _ in range(25):
        keeper = Keeper(folder, kept=3)
        await keeper.keep(inputs=[mine, shared])
        assert keeper.notes == [], keeper.notes

asyncio.run(main())
"""


def test_several_processes_keep_and_remove_at_once_and_no_run_loses_its_inputs(folder: Path) -> None:
    running = [subprocess.Popen([sys.executable, "-c", PROGRAM, str(folder), name]) for name in ("one", "two")]
    assert [process.wait(60) for process in running] == [0, 0]
    kept = list_runs(folder)
    assert 3 <= len(kept) <= 6
    for run in kept:
        assert run.status == "answered"
        assert all(file.path is not None for file in find_run(run.id, folder).inputs())
    remove_oldest(folder, kept=3)
    assert len(list_runs(folder)) == 3


async def test_names_that_are_no_text_are_kept_too(folder: Path, keeper: Keeper, tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.csv"))
    await keeper.keep(inputs=[input_file(path)])
    (kept,) = find_run("last", folder).inputs()
    assert kept.original == path


def test_ids_sort_by_time() -> None:
    assert sorted([new_id(), "20250101-000000-ffffff"])[0] == "20250101-000000-ffffff"


def test_a_run_that_others_wrote_can_name_no_file_outside(folder: Path) -> None:
    run = folder / "20260101-000000-aaaaaa"
    run.mkdir(parents=True)
    (run / EVENTS).write_text("".join(lines(sample())))
    inputs = [{"name": "x", "size": 1, "sha256": "../../etc/passwd", "mime": "m", "original": None}, "nonsense", {"name": 1}]
    (run / "inputs.json").write_text(json.dumps(inputs))
    assert open_run(run).inputs() == ()


@pytest.mark.parametrize("name", [EVENTS, RUN, "inputs.json", "environment.json"])
async def test_a_pipe_or_a_link_in_a_run_that_others_wrote_is_not_waited_for_nor_followed(
    folder: Path, keeper: Keeper, tmp_path: Path, name: str
) -> None:
    run = await keeper.keep("One?")
    (folder / run / name).rename(tmp_path / "elsewhere")
    os.mkfifo(folder / run / name)
    for _ in ("a pipe", "a link"):
        assert [summary.id for summary in list_runs(folder)] == [run]
        kept = open_run(folder / run)
        assert kept.inputs() == () or name != "inputs.json"
        assert kept.environment == {} or name != "environment.json"
        if name == EVENTS:
            with pytest.raises(BadFile):
                kept.result()
        (folder / run / name).unlink()
        (folder / run / name).symlink_to(tmp_path / "elsewhere")
    remove_run(folder, run)
    assert list_runs(folder) == []


def test_an_input_whose_place_is_now_a_pipe_or_a_device_is_gone(folder: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place in (tmp_path / "pipe", Path("/dev/zero"), tmp_path):
        assert found_input(folder, "0" * 64, place) is None


async def test_a_link_in_a_run_that_others_wrote_is_not_followed(folder: Path, keeper: Keeper, tmp_path: Path) -> None:
    await keeper.begin()
    made = await keeper.made("a.csv", b"a")
    await keeper.take(made, *happened())
    await keeper.end()
    kept = find_run("last", folder)
    (tmp_path / "secret").write_text("secret")
    content = kept.folder / "content"
    (content / made.sha256).unlink()
    (content / made.sha256).symlink_to(tmp_path / "secret")
    with pytest.raises(UsageError):
        kept.result().files["a.csv"].bytes()
    (content / made.sha256).unlink()
    content.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / made.sha256).write_text("secret")
    content.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(UsageError):
        kept.result().files["a.csv"].bytes()


async def test_a_run_from_elsewhere_says_not_what_is_installed_and_allowed(folder: Path, keeper: Keeper, tmp_path: Path) -> None:
    first = await keeper.begin("One?")
    await keeper.take(SandboxOpened(sandbox="docker", id="x", packages=("left-pad",)), *happened())
    await keeper.end()
    second = await keeper.keep("Two?")
    before = past(find_run(second, folder), folder)
    assert [run.id for run in before.runs] == [first, second]
    assert (before.own, before.packages, before.missing) == (True, ("left-pad",), "")
    foreign = past(find_run(second, folder), tmp_path)
    assert (foreign.own, foreign.packages) == (False, None)
    remove_run(folder, first)
    alone = past(find_run(second, folder), folder)
    assert ([run.id for run in alone.runs], alone.missing) == ([second], first)
    assert len(alone.notes()) == 1


@pytest.mark.parametrize("before", ["..", "../../etc", "20260101-000000-aaaaaa", "x" * 5000, ""])
def test_a_run_can_name_no_folder_but_a_run_before_it(folder: Path, before: str) -> None:
    run = folder / "20260101-000000-aaaaaa"
    run.mkdir(parents=True)
    (run / EVENTS).write_text("".join(lines(sample())))
    (run / RUN).write_text(json.dumps({"status": "answered", "previous": before, "at": "0001-01-01T00:00:00+23:00"}))
    assert len(past(open_run(run), folder).runs) == 1
