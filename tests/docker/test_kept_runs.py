"""Kept runs with real code: run again, gone on after, killed in the middle, asked about cell by cell, given to another model."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from docker_runs import SMALL
from recorded_runs import recording
from sandloop import AsyncSession, Session, analyze
from sandloop.codec import lines
from sandloop.errors import BadFile, UsageError
from sandloop.events import CodeRan, CodeWritten, Event, Noted, ReplyEnded, Resumed, RouteChosen, RunStarted
from sandloop.runs import find_run, list_runs, replay_run
from sandloop.settings import Profile, Settings
from sandloop_sandbox.engine import Engine
from wire import anthropic_script as claude
from wire import chat_server as chat
from wire.anthropic_server import AnthropicServer
from wire.families import ANSWER, FAMILIES, KEY, SAYS, Family

SANDLOOP = str(Path(sys.executable).with_name("sandloop"))
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: Engine) -> Path:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("SANDLOOP_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("KEY_OF_TEST", KEY)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "runs"


def conversation(folder: Path, *questions: Sequence[str]) -> str:
    """A recording of several questions, each of some cells and an answer."""
    events: list[Event] = []
    for asked, sources in enumerate(questions):
        events.append(RunStarted(id=str(asked), question="?", model="m"))
        for number, source in enumerate(sources):
            name = f"q{asked}c{number}"
            events += [
                ReplyEnded(stop="end"),
                CodeWritten(code_id=name, language="python", source=source, origin="fenced"),
                CodeRan(code_id=name, exit_code=0),
            ]
        events.append(ReplyEnded(stop="end", text=f"Done {asked}."))
    folder.mkdir()
    (folder / "events.jsonl").write_text("".join(lines(events)))
    return f"replay:{folder}"


def both(native: Family, far: AnthropicServer, near: chat.ChatServer) -> dict[str, Profile]:
    """A provider that runs code itself, and a model that does not."""
    there = (native.settings(far).models or {})["p"]
    return {"far": there, "near": Profile(provider="compatible", model="m", base_url=near.url)}


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SANDLOOP, *arguments], capture_output=True, text=True, timeout=120, check=False)


def printed(events: Sequence[Event]) -> list[str]:
    return [e.stdout.strip() for e in events if isinstance(e, CodeRan)]


def test_a_recorded_run_runs_again_without_a_model_and_is_the_same(runs: Path) -> None:
    analyze("Which month is warmest?", [EXAMPLES / "seattle-weather.csv"], model=f"replay:{EXAMPLES}/recordings/csv.jsonl")

    again = command("replay", "last", "--json")
    told = json.loads(again.stdout)
    assert again.returncode == 0, again.stderr
    assert told["same"]
    assert [f["change"] for f in told["files"]] == ["same"]
    assert told["environment"] == []
    assert told["cells"][0]["now"]["stdout"] == "The warmest month is 8 with a mean of 26.11.\n"
    shown = command("runs", "show", "last").stdout
    for part in ("Which month is warmest?", "df = pd.read_csv", "a mean of 26.11", "mean_temp_max_by_month.png", "image sha256:"):
        assert part in shown


def test_what_differs_is_said_for_output_and_for_files(runs: Path, tmp_path: Path) -> None:
    code = "import time\nnow = time.time_ns()\nprint('kept')\nprint(now)\nopen('n.txt', 'w').write(f'a\\n{now}\\n')\nNone"
    analyze("?", model=recording(tmp_path / "rec", code))

    again = command("replay", "last")
    assert again.returncode == 1
    assert "c1: differs\n  stdout differs:\n" in again.stdout
    assert "n.txt: differs\n" in again.stdout
    assert "2 of 2 differ." in again.stdout


def test_a_workbook_and_parquet_with_the_same_cells_are_the_same_whatever_their_bytes(runs: Path, tmp_path: Path) -> None:
    code = """
import datetime, time, openpyxl, pyarrow as pa, pyarrow.parquet as pq
wb = openpyxl.Workbook()
wb.properties.title = str(time.time_ns())
day = datetime.datetime(2024, 1, 1, 12, 0, 0, 5000)
for row in (["Made once"], ["day", "mean", "half"], [day, 12.4, "=B3/2"], ["x" * 9999, 1, None]):
    wb.active.append(row)
wb.create_sheet("Empty")
wb.save("book.xlsx")
table = pa.table({"a": [1, None], "b": [[0.1], [float("nan")]]})
pq.write_table(table.replace_schema_metadata({"made": str(time.time_ns())}), "t.parquet")
"""
    analyze("?", model=recording(tmp_path / "rec", code))

    again = command("replay", "last")
    assert again.returncode == 0, again.stdout + again.stderr
    assert again.stdout.splitlines() == [
        "c1: same",
        "book.xlsx: same cells, other bytes",
        "t.parquet: same cells, other bytes",
        "All the same.",
    ]
    replayed = replay_run("last")
    assert replayed.same
    assert [(f["change"], f["same_cells"], f["differs"]) for f in replayed.to_plain()["files"]] == [("same", True, "")] * 2


def test_cells_that_differ_are_said_and_what_cannot_be_opened_stays_different(runs: Path, tmp_path: Path) -> None:
    code = """
import random, time, zipfile, openpyxl
wb = openpyxl.Workbook()
for row in ([f"Made at {time.time_ns()}"], ["name", "mean"], ["a", random.random()], ["b", 2]):
    wb.active.append(row)
wb.save("book.xlsx")
for name in ("broken.xlsx", "letter.docx"):
    with zipfile.ZipFile(name, "w") as made:
        made.writestr("a.txt", str(time.time_ns()))
"""
    analyze("?", model=recording(tmp_path / "rec", code))

    again = command("replay", "last", "--json")
    assert again.returncode == 1
    book, broken, letter = json.loads(again.stdout)["files"]
    assert (book["change"], book["same_cells"]) == ("changed", False)
    title, mean = book["differs"].splitlines()
    assert re.fullmatch(r"Sheet!A1 is Made at \d+, then Made at \d+", title)
    assert re.fullmatch(r"Sheet!B3 is 0\.\d+, then 0\.\d+", mean)
    assert (broken["change"], broken["same_cells"]) == ("changed", None)
    assert "\nits cells were not compared: " in broken["differs"]
    assert (letter["change"], letter["same_cells"]) == ("changed", None)
    assert "not compared" not in letter["differs"]


def test_another_image_is_told_and_counts_for_nothing_by_itself(runs: Path, tmp_path: Path) -> None:
    analyze("?", model=recording(tmp_path / "rec", "print(1)"))
    kept = find_run("last", runs)
    environment = kept.environment
    environment["sandbox"]["image"] = "sha256:of-then"
    (kept.folder / "environment.json").write_text(json.dumps(environment))

    replayed = replay_run("last")
    assert replayed.same
    assert [told for told in replayed.environment if told.startswith("image: sha256:of-then then, sha256:")]


def test_an_input_that_is_gone_or_changed_is_a_clear_error_before_anything_runs(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    analyze("?", ["a.csv"], model=recording(tmp_path / "rec", "print(open('a.csv').read())"))
    (tmp_path / "a.csv").write_text("a\n2\n")
    assert replay_run("last").same
    next((runs / "inputs").iterdir()).write_text("damaged")

    with pytest.raises(BadFile, match=r"'a.csv' can't be had as it was: .* is gone or was changed"):
        replay_run("last")
    assert command("replay", "last").returncode == 2


def test_a_later_question_runs_again_on_what_the_ones_before_it_made(runs: Path, tmp_path: Path) -> None:
    with Session(conversation(tmp_path / "rec", ["x = 20"], ["print(x + 1)"])) as session:
        session.ask("One?")
        assert printed(session.ask("Two?").events) == ["21"]

    replayed = replay_run("last")
    assert replayed.same
    assert len(replayed.cells) == 2


def test_a_kept_run_answers_again_as_a_model(runs: Path, tmp_path: Path) -> None:
    analyze("What is it?", model=recording(tmp_path / "rec", "print(6 * 7)"))
    run = list_runs(runs)[0].id
    for model in ("replay:last", f"replay:{run}", f"replay:{run[:18]}", f"replay:{runs / run}"):
        again = analyze("What is it?", model=model)
        assert again.text == "Done."
        assert printed(again.events) == ["42"]


def test_kill_9_in_mid_run_leaves_a_readable_run(runs: Path, tmp_path: Path) -> None:
    model = recording(
        tmp_path / "rec", "print('made'); open('made.txt', 'w').write('x');", "print('run' + 'ning', flush=True)\nwhile True: pass"
    )
    environ = os.environ | {"SANDLOOP_WARM": "off"}
    with subprocess.Popen([SANDLOOP, "analyze", "?", "-m", model], env=environ, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "running" not in (line := process.stderr.readline()):
            assert line
        assert [run.status for run in list_runs(runs)] == ["running"]
        process.kill()
    kept = find_run("last", runs)
    assert kept.summary.status == "interrupted"
    assert kept.broken == ""
    assert [step.ran.stdout for step in kept.result().steps if step.ran] == ["made\n"]
    assert kept.result().files["made.txt"].bytes() == b"x"
    listed = command("runs", "--json")
    assert [run["status"] for run in json.loads(listed.stdout)] == ["interrupted"]


def test_ctrl_c_leaves_an_interrupted_run(runs: Path, tmp_path: Path) -> None:
    model = recording(tmp_path / "rec", "print('run' + 'ning', flush=True)\nwhile True: pass")
    with subprocess.Popen([SANDLOOP, "analyze", "?", "-m", model], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        while "running" not in process.stderr.readline():
            pass
        process.send_signal(signal.SIGINT)
    assert [(run.status, run.seconds is not None) for run in list_runs(runs)] == [("interrupted", True)]


def test_a_cell_that_is_not_allowed_does_not_run_and_the_rest_of_its_reply_neither(tmp_path: Path) -> None:
    asked: list[tuple[str, threading.Thread]] = []

    def confirm(cell: CodeWritten) -> bool:
        asked.append((cell.source, threading.current_thread()))
        return "remove" not in cell.source

    bad = "import os\nos.remove('a.csv')"
    model = recording(tmp_path / "rec", "print(1)", bad, "import os; print(os.listdir())")
    (tmp_path / "a.csv").write_text("a\n1\n")
    with Session(model, confirm=confirm) as session:
        result = session.ask("?", ["a.csv"])
    assert [source for source, _ in asked] == ["print(1)", bad, "import os; print(os.listdir())"]
    assert {thread for _, thread in asked} == {threading.current_thread()}
    ran = [e for e in result.events if isinstance(e, CodeRan)]
    assert [(e.stopped_by, e.exit_code) for e in ran] == [("itself", 0), ("declined", None), ("itself", 0)]
    assert "a.csv" in ran[2].stdout
    assert result.answered
    assert result.route is not None
    assert (result.route.route, result.route.reason) == ("local", "you are asked before code runs")


async def test_a_person_who_is_asked_may_think_longer_than_the_run_may_take(tmp_path: Path) -> None:
    import anyio

    async def confirm(cell: CodeWritten) -> bool:
        await anyio.sleep(5.2)
        return True

    model = recording(tmp_path / "rec", "print(1)")
    async with AsyncSession(model, confirm=confirm, limits=replace(SMALL, seconds=5)) as session:
        assert (await session.ask("?")).answered


def test_a_native_route_that_asks_nobody_is_refused_with_confirm() -> None:
    with pytest.raises(UsageError, match="nobody can be asked"):
        Session("replay:last", route="native", confirm=lambda cell: True)


def test_another_model_goes_on_with_conversation_files_and_variables(tmp_path: Path) -> None:
    first, second = (
        recording(tmp_path / "one", "x = 41", "open('f.txt', 'w').write('f')"),
        recording(tmp_path / "two", "print(x + 1, open('f.txt').read())"),
    )
    with Session(first) as session:
        session.ask("One?")
        session.change_model(second)
        assert session.model == second
        result = session.ask("Two?")
        with pytest.raises(UsageError):
            session.change_model("nobody:nothing")
        assert session.model == second
    assert printed(result.events) == ["42 f"]
    assert not [e for e in result.events if isinstance(e, Noted) and e.about == "sandbox" and "variables" in e.text]


def test_from_a_provider_to_the_local_sandbox_and_back_by_changing_the_model() -> None:
    native = next(f for f in FAMILIES if f.name == "claude-native")
    with native.server() as far, chat.ChatServer() as near:
        far.script += native.scenario()
        near.script += [
            chat.call("x = 1; open('here.txt', 'w').write('h'); print(open('made.csv').read().split())"),
            chat.say("Local."),
        ]
        far.script += [claude.Reply([claude.text("Native again.")])]
        profiles = both(native, far, near)
        with Session("far", settings=Settings(models=profiles), limits=SMALL) as session:
            session.ask("What is the sum of b?")
            session.change_model("near")
            second = session.ask("And what is in the file?")
            session.change_model("far")
            third = session.ask("And now?")
        asked_near = json.dumps(near.requests[0].json)
        asked_far = json.dumps(far.asked("POST", "/v1/messages")[-1].json)
        assert "code_execution" in asked_far
    assert [e.route for e in session.history if isinstance(e, RouteChosen)] == ["native", "local", "native"]
    assert printed(second.events) == ["['b', '42']"]
    for kept in ("What is the sum of b?", SAYS, "print(42)", ANSWER, "made.csv", "the variables of that are gone"):
        assert kept in asked_near, kept
    for kept in ("And what is in the file?", "x = 1; open", "Local.", "so are the files it made (here.txt)"):
        assert kept in asked_far, kept
    assert third.text == "Native again."
    assert [e.text for e in third.events if isinstance(e, Noted)] == [
        "The code now runs at anthropic: the variables of the code so far are gone, and so are the files it made: here.txt."
    ]


def test_a_conversation_goes_on_after_a_kept_run_with_its_files_and_without_its_variables(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    with Session(recording(tmp_path / "one", "x = 1; open('out.txt', 'w').write('made'); None")) as session:
        session.ask("Make it", ["a.csv"])
    (tmp_path / "a.csv").write_text("changed")

    look = "print(open('a.csv').read().split(), open('out.txt').read(), 'x' in globals())"
    with Session.resume(model=recording(tmp_path / "two", look)) as session:
        assert session.history[0] == find_run("last", runs).events[0]
        result = session.ask("Look at it")
    assert printed(result.events) == ["['a', '1'] made False"]
    assert [type(e) for e in result.events[:2]] == [RunStarted, Resumed]
    assert [f.name for e in result.events if isinstance(e, RouteChosen) for f in e.carried] == ["out.txt"]
    assert [e.text for e in result.events if isinstance(e, Noted)][:1] == [
        "The code now runs in the local sandbox: the variables of the code so far are gone."
    ]
    newest = list_runs(runs)[0]
    assert (newest.position, newest.previous, newest.session) == (2, list_runs(runs)[1].id, list_runs(runs)[1].id)
    assert replay_run("last").same


def test_a_recording_goes_on_where_the_kept_run_left_it(runs: Path, tmp_path: Path) -> None:
    model = conversation(tmp_path / "rec", ["print(1)"], ["print(2)"], ["print(3)"])
    with Session(model) as session:
        session.ask("One?")
    for number in ("2", "3"):
        with Session.resume() as session:
            assert printed(session.ask("More?").events) == [number]
    assert [run.position for run in list_runs(runs)] == [3, 2, 1]
    assert [run.model for run in list_runs(runs)] == [model] * 3


def test_going_on_after_a_kept_run_that_answered_means_that_run(runs: Path, tmp_path: Path) -> None:
    model = conversation(tmp_path / "rec", ["print(1)"], ["print(2)"])
    analyze("?", model=model)
    (first,) = [run.id for run in list_runs(runs)]
    analyze("?", model="replay:last")
    with Session.resume() as session:
        assert session.model == f"replay:{first}"


def test_going_on_keeps_what_was_to_stay_here_here(runs: Path, tmp_path: Path) -> None:
    native = next(f for f in FAMILIES if f.name == "claude-native")
    with chat.ChatServer() as near, native.server() as far:
        near.script += [chat.call("print(1)"), chat.say("One.")]
        far.script += [
            claude.Reply([claude.call("python", {"code": "print(2)"}, "t")], stop="tool_use"),
            claude.Reply([claude.text("2")]),
        ]
        profiles = both(native, far, near)
        (tmp_path / "a.csv").write_text("a\n1\n")
        with Session("near", route="local", settings=Settings(models=profiles)) as session:
            session.ask("?", ["a.csv"])
        with Session.resume(model="far", settings=Settings(models=profiles)) as session:
            result = session.ask("And now?")
    assert result.route is not None
    assert result.route.route == "local"
    assert not far.files


def test_a_question_that_an_input_is_missing_for_fails_before_it_begins(runs: Path, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    analyze("?", ["a.csv"], model=recording(tmp_path / "rec", "print(1)"))
    (tmp_path / "a.csv").unlink()
    next((runs / "inputs").iterdir()).unlink()
    with Session.resume() as session, pytest.raises(BadFile, match=r"a\.csv"):
        session.ask("?")
    assert len(list_runs(runs)) == 1
