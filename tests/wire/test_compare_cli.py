"""`sandloop compare` as a user runs it: what comes out on which stream, what is saved, and the exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from wire.anthropic_script import Failure, Hold, Made, Reply, Scripted, python, text
from wire.anthropic_server import AnthropicServer

SANDLOOP = str(Path(sys.executable).with_name("sandloop"))
KEY = "a-secret-key-of-the-user"


def answer(number: str) -> Reply:
    return Reply([*python("print(3)", "3\n", made=[Made("chart.png", b"\x89PNG\r\n\x1a\n")]), text(f"The mean is {number} °C.")])


def claude(*script: Scripted) -> AnthropicServer:
    return AnthropicServer(script, key=KEY, models={"test-model": True})


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "SYSTEMROOT", "PYTHONPATH")}
    apart = {"HOME": str(folder), "SANDLOOP_CONFIG": str(folder / "config.toml"), "SANDLOOP_RUNS": "off", "KEY_OF_TEST": KEY}
    return kept | apart | {"DOCKER_HOST": f"unix://{folder}/none.sock"} | more


def write_profiles(folder: Path, servers: Mapping[str, AnthropicServer]) -> None:
    """A profile for each server, in the user's own file."""
    tables = [
        f'[models.{name}]\nprovider = "claude"\nmodel = "test-model"\nbase_url = "{server.url}"\nkey_variable = "KEY_OF_TEST"\n'
        for name, server in servers.items()
    ]
    (folder / "config.toml").write_text("\n".join(tables))


def compare(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SANDLOOP, "compare", *arguments],
        cwd=folder,
        env=environment(folder, **more),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "config.toml").write_text("")
    return tmp_path


def test_the_verdict_and_answers_are_on_stdout_progress_on_stderr_and_everything_is_saved(folder: Path) -> None:
    with claude(answer("12.4")) as first, claude(answer("11.9")) as second:
        write_profiles(folder, {"one": first, "two": second})
        arguments = ["-m", "one,two", "-o", "out", "--html", "page.html", "--fail-on-disagreement"]
        done = compare(folder, "What is the mean?", "a.csv", *arguments)
    assert done.returncode == 1, done.stderr
    verdict, *rest = done.stdout.splitlines()
    assert verdict == "one says 12.4 °C, two 11.9 °C"
    for part in ("The mean is 12.4 °C.", "The mean is 11.9 °C.", "native", "Where they differ"):
        assert part in "\n".join(rest)
    for part in ("one: native · anthropic", "two: step 1 ran", "one: answered in", "saved out: report.html", "saved page.html"):
        assert part in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    for name in ("comparison.json", "report.html", "one/chart.png", "one/events.jsonl", "two/chart.png"):
        assert (folder / "out" / name).stat().st_size > 0
    assert (folder / "page.html").read_text() == (folder / "out/report.html").read_text()
    assert first.files == second.files == {}


def test_json_is_clean_and_whole_and_no_key_is_in_anything(folder: Path) -> None:
    with claude(answer("12.4"), answer("12.4")) as server, claude(Failure(401, "authentication_error", "bad key")) as refusing:
        write_profiles(folder, {"one": server, "two": refusing})
        done = compare(
            folder, "What is the mean?", "a.csv", "-m", "one,two", "-m", "one", "--json", "-o", "out", "--fail-on-disagreement"
        )
    assert done.returncode == 0, done.stderr  # those that answered agree
    plain = json.loads(done.stdout)
    assert [(entry["label"], entry["answered"], entry["error"]) for entry in plain["entries"]] == [
        ("one #1", True, ""),
        ("two", False, "KeyRefused"),
        ("one #2", True, ""),
    ]
    assert json.loads((folder / "out/comparison.json").read_text()) == plain
    everything = [done.stdout, done.stderr, *(p.read_text("latin-1") for p in (folder / "out").rglob("*") if p.is_file())]
    assert not any(KEY in one for one in everything)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["?", "-m", "one"], 2, "Only 'one' is named"),
        ([], 2, "There is no question"),
        (["?", "-m", "a,b", "--max-cost", "-1"], 2, "--max-cost"),
        (["?", "-m", "a,b", "--html", "."], 2, "is a folder"),
        (["?", "-m", "a,b", "-f", "none.yaml"], 2, "none.yaml"),
    ],
)
def test_bad_input_is_a_sentence_and_nothing_is_left_behind(folder: Path, arguments: list[str], code: int, says: str) -> None:
    before = sorted(folder.iterdir())
    done = compare(folder, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert sorted(folder.iterdir()) == before


@pytest.mark.parametrize(
    ("models", "code", "says"),
    [
        ("claude,gpt", 3, "OPENAI_API_KEY"),
        ("replay:run.jsonl,replay:run.jsonl", 4, "Docker does not answer"),
    ],
)
def test_when_none_answers_the_exit_code_is_that_of_the_error_they_share(folder: Path, models: str, code: int, says: str) -> None:
    recorded = Path(__file__).parents[2] / "examples/recordings/csv.jsonl"
    (folder / "run.jsonl").write_bytes(recorded.read_bytes())
    done = compare(folder, "?", "a.csv", "-m", models)
    assert done.returncode == code, done.stderr
    assert says in " ".join(done.stdout.split())
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_soon_prints_and_saves_what_is_done_and_uploads_are_deleted(
    folder: Path, number: signal.Signals, code: int
) -> None:
    hold = Hold()
    with claude(answer("12.4")) as quick, claude(Reply([*python("print(3)", "3\n"), text("Half."), hold, text(".")])) as slow:
        write_profiles(folder, {"one": quick, "two": slow})
        command = [SANDLOOP, "compare", "?", "a.csv", "-m", "one,two", "-o", "out"]
        with subprocess.Popen(
            command, cwd=folder, env=environment(folder), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            assert process.stderr is not None
            assert any("one: answered" in line for line in process.stderr)
            assert hold.reached.wait(20)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=10)
        hold.go.set()
        assert quick.files == slow.files == {}
    assert process.returncode == code
    assert "Traceback" not in stderr
    assert "stopped before the answers were compared" in stdout.splitlines()[0]
    assert "The mean is 12.4 °C." in stdout
    assert "Cancelled: Stopped before it had answered." in stdout
    entries = json.loads((folder / "out/comparison.json").read_text())["entries"]
    assert [(entry["error"], entry["result"]["answered"]) for entry in entries] == [("", True), ("Cancelled", False)]
    assert (folder / "out/one/chart.png").exists()
    assert (folder / "out/two/events.jsonl").exists()


def test_what_cannot_be_saved_where_it_should_is_saved_elsewhere(folder: Path) -> None:
    with claude(answer("12.4"), answer("12.4")) as server:
        write_profiles(folder, {"one": server})
        done = compare(folder, "?", "a.csv", "-m", "one", "--repeat", "2", "-o", "a.csv/out", TMPDIR=str(folder))
    assert done.returncode == 0, done.stderr
    assert "can't be saved in a.csv/out" in done.stderr
    saved = Path(done.stderr.partition("\nsaved ")[2].partition(":")[0])
    assert (saved / "one-2/chart.png").exists()


def test_a_closed_pipe_ends_it_without_a_word_and_everything_is_saved(folder: Path) -> None:
    with claude(answer("12.4"), answer("12.4")) as server:
        write_profiles(folder, {"one": server})
        command = f"{SANDLOOP} compare '?' a.csv -m one --repeat 2 -o out --json | true"
        done = subprocess.run(
            ["/bin/sh", "-c", command], cwd=folder, env=environment(folder), capture_output=True, text=True, check=False, timeout=60
        )
    assert "Traceback" not in done.stderr
    assert (folder / "out/report.html").exists()
