"""The options of `sandloop analyze`: what stands on stdout, and which exclude each other. No test needs an engine."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from sandloop.codec import from_json
from sandloop.result import Result
from wire.anthropic_script import Hold, Made, Reply, python, text
from wire.anthropic_server import AnthropicServer
from wire.test_cli import SANDLOOP, environment, with_server

DRAWN = [*python("print('é')", "é\n", made=[Made("chart.png", b"\x89PNG\r\n\x1a\n")]), text("It is"), text(" 3 →.")]
WORDS = "It is 3 →."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    for name in ("a", "b"):
        (tmp_path / f"data/{name}.csv").write_text(f"{name}\n1\n")
    return tmp_path


def analyze(folder: Path, more: Mapping[str, str], *arguments: str, piped: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    command = [SANDLOOP, "analyze", *arguments]
    environ = environment(folder, **more)
    return subprocess.run(command, cwd=folder, env=environ, input=piped, capture_output=True, timeout=60, check=False)


def test_the_question_comes_from_stdin_and_files_by_patterns(folder: Path) -> None:
    with AnthropicServer([Reply(DRAWN)]) as server:
        done = analyze(folder, with_server(server), "-", "--file-glob", "data/*.csv", piped="Where → now?\n".encode())
    assert (done.returncode, done.stdout.decode()) == (0, f"{WORDS}\n")
    assert "? Where → now?  [a.csv (4 bytes), b.csv (4 bytes)]" in done.stderr.decode()


def test_events_are_lines_of_json_as_they_happen(folder: Path) -> None:
    hold = Hold()
    with AnthropicServer([Reply([*DRAWN[:-1], hold, DRAWN[-1]])]) as server:
        command = [SANDLOOP, "analyze", "?", "data/a.csv", "--jsonl", "-o", "out"]
        environ = environment(folder, **with_server(server))
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        assert process.stdout is not None
        seen = list[str]()
        while "text" not in seen:
            seen.append(from_json(process.stdout.readline()).kind)
        assert not hold.go.is_set()
        hold.go.set()
        rest = [from_json(line) for line in process.stdout]
        process.stdout.close()
        assert process.wait(20) == 0
    assert seen[:2] == ["run_started", "route_chosen"]
    assert rest[-1].kind == "answered"
    assert (folder / "out/chart.png").exists()


def test_code_output_and_answer_are_markdown_for_a_pipe_and_a_report_for_a_browser(folder: Path) -> None:
    with AnthropicServer([Reply(DRAWN)]) as server:
        done = analyze(folder, with_server(server), "How many?", "data/a.csv", "--show-code", "--html", "report.html")
    assert done.stdout.decode() == f"```python\nprint('é')\n```\n\n```text\né\n```\n\n{WORDS}\n"
    report = (folder / "report.html").read_text("utf-8")
    assert "How many?" in report
    assert "<dt>Time</dt>" in report


def test_a_streamed_answer_is_the_answer(folder: Path) -> None:
    with AnthropicServer([Reply([text("First. "), *DRAWN])]) as server:
        done = analyze(folder, with_server(server), "?", "data/a.csv", "--stream")
    assert (done.returncode, done.stdout.decode()) == (0, f"{WORDS}\n")
    assert b"First." in done.stderr


def test_json_stays_json_where_the_stream_is_ascii(folder: Path) -> None:
    ascii_only = {"LC_ALL": "C", "PYTHONIOENCODING": "ascii"}
    with AnthropicServer([Reply(DRAWN)] * 2) as server:
        whole = analyze(folder, with_server(server) | ascii_only, "?", "data/a.csv", "--json")
        words = analyze(folder, with_server(server) | ascii_only, "?", "data/a.csv")
    assert whole.stdout.isascii()
    assert Result.from_json(whole.stdout).text == WORDS
    assert words.stdout == b"It is 3 ->.\n"
    assert b"-> native - anthropic" in words.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["?", "--json", "--jsonl"], "--json and --jsonl can't be used together: each says what stdout holds. Choose one."),
        (["?", "--stream", "--show-code"], "--stream and --show-code can't be used together"),
        (["?", "--continue", "--continue-from", "x"], "--continue goes on after the last run, --continue-from after the one"),
        (["?", "--confirm", "--route", "native"], "--confirm can't be used with --route native"),
        (["?", "--confirm"], "--confirm asks at the terminal"),
        (["?", "--html", "data"], "data can't be the report's file"),
        (["?", "--html", "none/report.html"], "none/report.html can't be the report's file"),
        (["?", "--max-cost", "0"], "'cost' in --max-cost is 0.0, but must be above 0"),
        (["?", "--timeout", "-1"], "'seconds' in --timeout is -1.0"),
        (["?", "--file-glob", "data/*.xlsx"], "'data/*.xlsx' matches no file"),
        (["-"], "The question on stdin is empty"),
        (["?", "--continue"], "No run is kept in"),
    ],
)
def test_what_can_not_be_is_one_sentence_before_anything_is_asked(folder: Path, arguments: list[str], says: str) -> None:
    done = analyze(folder, {"ANTHROPIC_API_KEY": "x", "SANDLOOP_RUNS": str(folder / "runs")}, *arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert says in " ".join(done.stderr.decode().split())
    assert b"Traceback" not in done.stderr


def test_a_question_goes_on_after_the_last_one(folder: Path) -> None:
    kept = {"SANDLOOP_RUNS": str(folder / "runs")}
    with AnthropicServer([Reply(DRAWN), Reply([text("Still 3.")])]) as server:
        first = analyze(folder, with_server(server) | kept, "How many?", "data/a.csv")
        again = analyze(folder, with_server(server) | kept, "And now?", "--continue")
        sent = json.dumps([r.json for r in server.requests if "messages" in (r.json or {})][-1])
    assert (first.returncode, again.returncode, again.stdout) == (0, 0, b"Still 3.\n")
    assert "How many?" in sent
    assert "And now?" in sent
    assert b"? And now?  [a.csv (4 bytes)]" in again.stderr


def test_a_reader_that_goes_away_ends_it_quietly(folder: Path) -> None:
    with AnthropicServer([Reply(DRAWN)]) as server:
        command = ["/bin/sh", "-c", f"{SANDLOOP} analyze '?' data/a.csv --jsonl -o out | head -n 1"]
        environ = environment(folder, **with_server(server))
        done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, timeout=60, check=False)
        assert server.files == {}
    assert done.stdout.count(b"\n") == 1
    assert b"Traceback" not in done.stderr
    assert b"internal error" not in done.stderr
