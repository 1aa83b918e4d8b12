"""The command as a user runs it: what comes out on which stream, and with which exit code. No test here needs an engine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from wire.anthropic_script import Hold, Made, Reply, python, text
from wire.anthropic_server import AnthropicServer

SANDLOOP = str(Path(sys.executable).with_name("sandloop"))
ANSWERED = Reply([*python("print(3)", "3\n", made=[Made("chart.png", b"\x89PNG\r\n\x1a\n")]), text("It is 3.")])


def environment(folder: Path, **more: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "SYSTEMROOT", "SANDLOOP_RUNS", "SANDLOOP_KEYS")}
    return kept | {"HOME": str(folder), "SANDLOOP_CONFIG": "/dev/null", "DOCKER_HOST": f"unix://{folder}/none.sock"} | more


def sandloop(folder: Path, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SANDLOOP, *arguments], cwd=folder, env=environment(folder, **more), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text("a\n1\n")
    (tmp_path / "empty.csv").write_text("")
    (tmp_path / "dir").mkdir()
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(2_000_000_000)
    return tmp_path


def with_server(server: AnthropicServer) -> dict[str, str]:
    return {"ANTHROPIC_BASE_URL": server.url, "ANTHROPIC_API_KEY": server.key}


@pytest.mark.parametrize(
    ("arguments", "more", "code", "says"),
    [
        (["?", "none.csv"], {}, 2, "'none.csv' does not exist"),
        (["?", "dir"], {}, 2, "is a folder"),
        (["?", "empty.csv"], {}, 2, "is empty (0 bytes)"),
        (["?", "huge.csv"], {}, 2, "'huge.csv' is 2.0 GB, over the limit of 1.0 GB"),
        (["", "a.csv"], {}, 2, "question is empty"),
        (["?", "a.csv", "-m", "nobody:model"], {}, 2, "no model or provider 'nobody:model'"),
        (["?", "a.csv", "-m", "replay:none.jsonl"], {}, 2, "No such file"),
        (["?", "a.csv", "--route", "sideways"], {}, 2, "sideways"),
        (["?", "a.csv", "-o", "a.csv"], {}, 2, "is not a folder"),
        (["?", "a.csv"], {"SANDLOOP_TURNS": "many"}, 2, "must be a number"),
        (["?", "a.csv"], {"ANTHROPIC_API_KEY": ""}, 3, "ANTHROPIC_API_KEY"),
        (["?", "a.csv", "-m", "compatible:x", "--base-url", "http://127.0.0.1:9/v1"], {}, 4, "Docker does not answer"),
    ],
)
def test_bad_input_is_a_sentence_an_exit_code_and_nothing_left_behind(
    folder: Path, arguments: list[str], more: dict[str, str], code: int, says: str
) -> None:
    before = sorted(folder.iterdir())
    done = sandloop(folder, "analyze", *arguments, **({"ANTHROPIC_API_KEY": "x"} | more))
    assert (done.returncode, done.stdout) == (code, "")
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert sorted(folder.iterdir()) == before


def test_the_answer_is_on_stdout_progress_on_stderr_and_files_are_saved(folder: Path) -> None:
    with AnthropicServer([ANSWERED]) as server:
        done = sandloop(folder, "analyze", "How many?", "a.csv", "-m", "claude", "-o", "out", **with_server(server))
    assert (done.returncode, done.stdout) == (0, "It is 3.\n")
    for part in ("native · anthropic", "print(3)", "chart.png", "saved out/chart.png"):
        assert part in done.stderr
    assert (folder / "out/chart.png").exists()
    assert server.files == {}


def test_json_is_clean_and_whole(folder: Path) -> None:
    with AnthropicServer([ANSWERED]) as server:
        done = sandloop(folder, "analyze", "How many?", "a.csv", "--json", **with_server(server))
    result = json.loads(done.stdout)
    assert (result["text"], result["answered"]) == ("It is 3.", True)
    assert [f["name"] for f in result["files"]] == ["chart.png"]
    assert server.key not in done.stdout


def test_a_recording_of_json_is_a_model_until_it_needs_the_sandbox(folder: Path) -> None:
    with AnthropicServer([ANSWERED]) as server:
        done = sandloop(folder, "analyze", "How many?", "a.csv", "--json", **with_server(server))
    (folder / "run.json").write_text(done.stdout)
    again = sandloop(folder, "analyze", "How many?", "a.csv", "-m", "replay:run.json")
    assert again.returncode == 4
    assert "Docker does not answer" in again.stderr


def test_a_wrong_key_is_exit_code_3_and_is_not_shown(folder: Path) -> None:
    with AnthropicServer([ANSWERED]) as server:
        wrong = with_server(server) | {"ANTHROPIC_API_KEY": "sk-wrong-secret"}
        done = sandloop(folder, "analyze", "?", "a.csv", **wrong)
    assert done.returncode == 3
    assert "refused the key" in done.stderr
    assert "sk-wrong-secret" not in done.stderr


def test_a_limit_is_exit_code_5_with_what_was_made(folder: Path) -> None:
    paused = Reply([*python("print(1)", "1\n", made=[Made("part.png", b"\x89PNG\r\n\x1a\n")])], stop="pause_turn")
    with AnthropicServer([paused, paused]) as server:
        done = sandloop(folder, "analyze", "?", "a.csv", "-o", "out", **with_server(server), SANDLOOP_TURNS="1")
    assert done.returncode == 5
    assert "limit of turns = 1" in done.stderr
    assert (folder / "out/part.png").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_it_soon_and_uploads_are_deleted(folder: Path, number: signal.Signals, code: int) -> None:
    hold = Hold()
    with AnthropicServer([Reply([text("Wait"), hold, text(".")])]) as server:
        command = [SANDLOOP, "analyze", "?", "a.csv"]
        process = subprocess.Popen(
            command, cwd=folder, env=environment(folder, **with_server(server)), stderr=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert hold.reached.wait(20)
        process.send_signal(number)
        _, stderr = process.communicate(timeout=5)
        hold.go.set()
        assert server.files == {}
        assert len(server.deleted) == 1
    assert process.returncode == code
    assert b"Traceback" not in stderr


def test_help_names_the_exit_codes_and_version_the_version(folder: Path) -> None:
    assert "130 interrupted" in " ".join(sandloop(folder, "--help").stdout.split())
    assert sandloop(folder, "--version").stdout.startswith("sandloop 0.")


def test_files_that_cannot_be_saved_where_they_should_are_saved_elsewhere(folder: Path) -> None:
    with AnthropicServer([ANSWERED]) as server:
        done = sandloop(folder, "analyze", "?", "a.csv", "-o", "a.csv/out", **with_server(server), TMPDIR=str(folder))
    assert (done.returncode, done.stdout) == (0, "It is 3.\n")
    assert "could not be saved in a.csv/out" in done.stderr
    saved = Path(done.stderr.partition("\nsaved ")[2].splitlines()[0])
    assert saved.read_bytes().startswith(b"\x89PNG")


def test_output_that_cannot_be_written_is_a_sentence(folder: Path) -> None:
    with AnthropicServer([ANSWERED]) as server, Path("/dev/full").open("w") as full:
        command = [SANDLOOP, "analyze", "?", "a.csv", "--json", "-o", "out"]
        environ = environment(folder, **with_server(server))
        done = subprocess.run(command, cwd=folder, env=environ, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.endswith(
        "sandloop: The output can't be written: No space left on device. Made files are saved; send the output elsewhere.\n"
    )


def test_progress_that_cannot_be_written_costs_no_answer(folder: Path) -> None:
    with AnthropicServer([ANSWERED]) as server, Path("/dev/full").open("w") as full:
        command = [SANDLOOP, "analyze", "?", "a.csv", "-o", "out"]
        environ = environment(folder, **with_server(server))
        done = subprocess.run(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=full, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "It is 3.\n")


def test_an_error_goes_to_no_other_stream_where_there_is_no_stderr(folder: Path) -> None:
    command = ["/bin/sh", "-c", f"exec {SANDLOOP} extract none.md 2>&-"]
    done = subprocess.run(command, cwd=folder, env=environment(folder), stdout=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")


def test_an_error_that_nobody_reads_ends_with_its_own_exit_code(folder: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([SANDLOOP, "extract", "none.md"], cwd=folder, env=environment(folder), stderr=writer, check=False)
    os.close(writer)
    assert done.returncode == 2


def test_the_doctor_works_with_its_output_closed(folder: Path) -> None:
    command = ["/bin/sh", "-c", f"exec {SANDLOOP} doctor >&-"]
    done = subprocess.run(command, cwd=folder, env=environment(folder), stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (4, "")


@pytest.mark.parametrize("arguments", [(), ("--json",)])
def test_a_proof_without_an_engine_says_so(folder: Path, arguments: tuple[str, ...]) -> None:
    ran = sandloop(folder, "doctor", "--prove", *arguments)

    assert (ran.returncode, ran.stdout) == (4, "")
    assert "there is no such socket" in ran.stderr
    assert "Install Docker" in ran.stderr
    assert "Traceback" not in ran.stderr
