"""Kept runs of a provider that runs the code itself, and the commands about kept runs: no key in them, nothing lost."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kept_runs import Keeper, happened, input_file
from sandloop import AsyncSession, Session, analyze
from sandloop.errors import BadFile, SandloopError
from sandloop.events import CodeWritten, Noted, Resumed
from sandloop.result import Result
from sandloop.runs import find_run, list_runs
from sandloop.settings import Settings
from wire.anthropic_script import Made, Reply, python, text
from wire.anthropic_server import AnthropicServer

SANDLOOP = str(Path(sys.executable).with_name("sandloop"))
KEY = "sk-secret-of-the-user"
MADE = Made("chart.csv", b"a\n3\n")
ANSWERED = Reply([text("I look. "), *python("print(3)", "3\n", made=[MADE]), text("It is 3.")])


@pytest.fixture(autouse=True)
def runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("SANDLOOP_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("a\n1\n2\n")
    return tmp_path / "runs"


@pytest.fixture
def claude(monkeypatch: pytest.MonkeyPatch) -> Iterator[AnthropicServer]:
    with AnthropicServer() as server:
        server.key = KEY
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
        yield server


def command(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run([SANDLOOP, *arguments], capture_output=True, text=True, timeout=60, check=False, input=stdin)


def test_a_native_run_is_kept_whole_without_a_key(claude: AnthropicServer, runs: Path) -> None:
    claude.script.append(ANSWERED)
    result = analyze("How many?", ["a.csv"], model="claude")

    kept = find_run("last", runs)
    assert kept.id == result.id
    assert kept.result().events == result.events
    assert kept.result().files["chart.csv"].bytes() == MADE.content
    assert kept.summary.route == "native"
    assert kept.summary.input_tokens == 100
    assert kept.environment["sandbox"] is None
    assert [KEY in p.read_text("utf-8", "replace") for p in runs.rglob("*") if p.is_file()].count(True) == 0


def test_a_refused_key_is_kept_as_a_failure_without_the_key(
    claude: AnthropicServer, runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-wrong-secret")
    with pytest.raises(SandloopError):
        analyze("How many?", ["a.csv"], model="claude")
    assert [(run.status, run.error) for run in list_runs(runs)] == [("failed", "KeyRefused")]
    assert not any("sk-wrong-secret" in p.read_text("utf-8", "replace") for p in runs.rglob("*") if p.is_file())


def test_nothing_is_kept_when_runs_are_off_and_nothing_of_a_call_that_never_began(claude: AnthropicServer, runs: Path) -> None:
    claude.script.append(ANSWERED)
    analyze("How many?", ["a.csv"], model="claude", settings=Settings(runs="off"))
    with pytest.raises(SandloopError):
        analyze("How many?", ["none.csv"], model="claude")
    assert not runs.exists()


def test_a_place_that_cannot_be_written_ends_no_run(claude: AnthropicServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    claude.script.append(ANSWERED)
    result = analyze("How many?", ["a.csv"], model="claude", settings=Settings(runs=str(tmp_path / "file/runs")))
    assert result.text == "It is 3."
    assert [e.about for e in result.events if isinstance(e, Noted)] == ["run"]


async def test_a_question_that_is_left_is_interrupted_and_the_next_one_follows_it(claude: AnthropicServer, runs: Path) -> None:
    claude.script += [ANSWERED, ANSWERED]
    async with AsyncSession("claude") as session:
        events = session.stream("How many?", ["a.csv"])
        async for event in events:
            if isinstance(event, CodeWritten):
                break
        await events.aclose()
        await session.ask("Again?")
    assert [(run.status, run.position) for run in list_runs(runs)] == [("answered", 2), ("interrupted", 1)]


def test_a_native_conversation_goes_on_in_a_new_container_with_all_that_was_said(claude: AnthropicServer, runs: Path) -> None:
    claude.script += [ANSWERED, Reply([text("Still 3.")])]
    with Session("claude") as session:
        session.ask("How many?", ["a.csv"])
    (runs.parent / "a.csv").unlink()
    with Session.resume() as session:
        assert session.model == "claude"
        result = session.ask("And now?")
    body = claude.asked("POST", "/v1/messages")[-1].json
    said = json.dumps(body)
    assert "container" not in body
    assert "server_tool_use" not in said
    for part in ("How many?", "print(3)", "It is 3.", "And now?", "goes on after a break", "the files it made (chart.csv)"):
        assert part in said, part
    assert "container_upload" in said
    assert [e.run for e in result.events if isinstance(e, Resumed)] == [list_runs(runs)[1].id]
    assert len(session.history) > len(result.events)


def test_a_file_that_cant_be_taken_leaves_the_next_question_the_first_one_after_the_break(
    claude: AnthropicServer, runs: Path
) -> None:
    claude.script += [ANSWERED, Reply([text("Still 3.")])]
    with Session("claude") as session:
        session.ask("How many?", ["a.csv"])
    with Session.resume() as session:
        with pytest.raises(BadFile):
            session.ask("And now?", ["none.csv"])
        result = session.ask("And now?")
    assert [e.run for e in result.events if isinstance(e, Resumed)] == [list_runs(runs)[1].id]


async def test_runs_are_listed_shown_and_written_for_other_programs(runs: Path, tmp_path: Path) -> None:
    keeper = Keeper(runs)
    first = await keeper.keep("How many\x1b[2J\u202e rows?", [input_file(tmp_path / "in.csv")], run="20260101-000000-aaaaaa")
    await keeper.begin("And now?")
    await keeper.take(await keeper.made("out.csv", b"1"), *happened("And now?", "print(2)", "Two."))
    await keeper.end()

    listed = command("runs")
    assert listed.stderr == ""
    assert [line.split()[0] for line in listed.stdout.splitlines()][1] == first
    assert "\x1b" not in listed.stdout
    assert "\u202e" not in listed.stdout
    assert [run["status"] for run in json.loads(command("runs", "list", "--json", "-n", "1").stdout)] == ["answered"]
    shown = command("runs", "show", "last").stdout
    for part in ("And now?", "local: r", "print(2)", "Two.", "out.csv", f"{first}, as question 2 of its conversation"):
        assert part in shown, part
    assert command("runs", "open", first[:15]).stdout == f"{runs / first}\n"

    written = command("runs", "export", "last", "--ipynb")
    notebook = json.loads(Path(written.stdout.strip()).read_text())
    assert sum(cell["cell_type"] == "code" for cell in notebook["cells"]) == 2
    assert command("runs", "export", "last", "--py", "-o", "-").stdout.count("# Output:") == 2
    result = Result.from_json(command("runs", "export", "last", "--json", "-o", "-").stdout)
    assert result.files["out.csv"].bytes() == b"1"
    page = command("runs", "export", first, "--html", "-o", "page.html")
    assert page.returncode == 0, page.stderr
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert "<dt>Time</dt>" in (tmp_path / "page.html").read_text()
    assert (tmp_path / "page.html").stat().st_mode & 0o777 == 0o600


async def test_runs_are_removed_after_asking(runs: Path) -> None:
    now = datetime.now(UTC)
    for hours in (72, 48, 25):
        at = now - timedelta(hours=hours)
        await Keeper(runs).keep(run=f"{at:%Y%m%d-%H%M%S}-aaaaaa", at=at)
    young = await Keeper(runs).keep(run=f"{now - timedelta(hours=23):%Y%m%d-%H%M%S}-bbbbbb", at=now - timedelta(hours=23))
    newest = await Keeper(runs).keep(at=now)
    oldest = list_runs(runs)[-1].id

    refused = command("runs", "rm", oldest, stdin="")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    assert len(list_runs(runs)) == 5
    assert "Removed 1 run." in command("runs", "rm", oldest, "--yes").stderr
    assert "Removed 2 runs." in command("runs", "rm", "--older-than", "1d", "-y").stderr
    assert [run.id for run in list_runs(runs)] == [newest, young]
    assert command("runs", "rm", "--all", "-y").returncode == 0
    assert list_runs(runs) == []
    assert command("runs").stderr == f"No run is kept in {runs}.\n"
    assert command("runs", "--json").stdout == "[]\n"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["runs", "show", "nope"], "There is no run"),
        (["runs", "show", "last"], "No run is kept"),
        (["runs", "rm"], "Give ids, or --all, or --older-than"),
        (["runs", "rm", "--older-than", "soon"], "30d"),
        (["runs", "export", "last"], "one of --ipynb, --py, --html and --json"),
        (["replay", "last"], "No run is kept"),
        (["analyze", "?", "-m", "replay:last"], "No run is kept"),
    ],
)
def test_a_wrong_call_is_a_sentence_and_exit_code_2(arguments: list[str], says: str) -> None:
    done = command(*arguments)
    assert done.returncode == 2, done.stderr
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_runs_that_are_off_are_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDLOOP_RUNS", "off")
    assert "Runs are off" in command("runs").stderr
    assert "runs are off" in command("runs", "show", "last").stderr
    assert os.environ["SANDLOOP_RUNS"] == "off"


async def test_a_run_that_ran_no_code_has_nothing_to_run_again(runs: Path) -> None:
    keeper = Keeper(runs)
    await keeper.begin()
    await keeper.take(happened()[-1])
    await keeper.end()
    assert "ran no code" in command("replay", "last").stderr
