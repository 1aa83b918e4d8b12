"""The command on the local route: signals at any moment, and what is left behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sandloop_sandbox.container import LABEL
from sandloop_sandbox.engine import Engine
from wire.chat_server import ChatServer, call, say

SANDLOOP = str(Path(sys.executable).with_name("sandloop"))
ENDLESS = "print('running', flush=True)\nwhile True: pass"


@pytest.fixture
def folder(tmp_path: Path, engine: Engine) -> Path:
    (tmp_path / "a.csv").write_text("a\n1\n")
    return tmp_path


@pytest.fixture
def started(folder: Path) -> Iterator[Callable[[ChatServer], subprocess.Popen[bytes]]]:
    """Starts a question of the command line; ends it after the test."""
    running: list[subprocess.Popen[bytes]] = []
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "HOME", "LANG", "DOCKER_HOST")}

    def start(server: ChatServer) -> subprocess.Popen[bytes]:
        command = [SANDLOOP, "analyze", "?", "a.csv", "-m", "compatible:m", "--base-url", server.url, "-o", "out"]
        environ = kept | {"SANDLOOP_CONFIG": "/dev/null", "SANDLOOP_WARM": "off", "SANDLOOP_RUNS": "off"}
        process = subprocess.Popen(command, cwd=folder, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def containers_of(engine: Engine, pid: int) -> set[str]:
    found = engine.labelled(f"{LABEL}.session")
    return {container for container, labels in found.items() if f" {pid} " in labels[f"{LABEL}.owner"]}


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"it did not come true in {seconds} s"
        time.sleep(0.05)


def read_until(process: subprocess.Popen[bytes], word: bytes) -> None:
    assert process.stderr is not None
    while word not in (line := process.stderr.readline()):
        assert line, "it ended too soon"


def test_kill_9_leaves_no_container(engine: Engine, folder: Path, started: Callable[[ChatServer], subprocess.Popen[bytes]]) -> None:
    with ChatServer([call(ENDLESS)]) as server:
        process = started(server)
        read_until(process, b"running")
        assert len(containers_of(engine, process.pid)) == 1
        process.kill()
        process.wait()
        wait_until(lambda: not containers_of(engine, process.pid), 10)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_in_mid_run_ends_it_in_two_seconds_with_one_line_and_what_was_made(
    engine: Engine,
    folder: Path,
    started: Callable[[ChatServer], subprocess.Popen[bytes]],
    number: signal.Signals,
    code: int,
) -> None:
    with ChatServer([call("open('made.txt', 'w').write('x')"), call(ENDLESS)]) as server:
        process = started(server)
        read_until(process, b"running")
        began = time.monotonic()
        process.send_signal(number)
        _, stderr = process.communicate(timeout=10)
        assert time.monotonic() - began < 2
    assert process.returncode == code
    assert b"Traceback" not in stderr
    assert (folder / "out/made.txt").read_text() == "x"
    wait_until(lambda: not containers_of(engine, process.pid), 5)


@pytest.mark.parametrize("after", [0.05, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3])
def test_ctrl_c_at_any_moment_leaves_nothing(
    engine: Engine, folder: Path, started: Callable[[ChatServer], subprocess.Popen[bytes]], after: float
) -> None:
    with ChatServer([call("print(1)")] * 50 + [say("1")]) as server:
        process = started(server)
        time.sleep(after)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=10)
    # At first the signal just ends it; before that Python itself is still starting, and says so in its own way.
    starting = process.returncode in (1, -signal.SIGINT) and b"sandloop/cli" not in stderr
    assert starting or process.returncode in (130, 5, 0), stderr
    assert starting or b"Traceback" not in stderr
    wait_until(lambda: not containers_of(engine, process.pid), 5)


def test_a_whole_run_prints_its_answer_alone_on_stdout(
    folder: Path, started: Callable[[ChatServer], subprocess.Popen[bytes]]
) -> None:
    chart = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nprint('drawn')"
    with ChatServer([call(chart), say("It is drawn.")]) as server:
        stdout, stderr = started(server).communicate(timeout=60)
    assert stdout == b"It is drawn.\n"
    assert b"figure-1.png" in stderr
    assert (folder / "out/figure-1.png").read_bytes().startswith(b"\x89PNG")


def test_json_of_a_local_run_is_whole(folder: Path) -> None:
    with ChatServer([call("print(42)"), say("42")]) as server:
        command = [SANDLOOP, "analyze", "?", "a.csv", "-m", "compatible:m", "--base-url", server.url, "--json"]
        done = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=True)
    result = json.loads(done.stdout)
    assert [e["stdout"] for e in result["events"] if e["kind"] == "code_ran"] == ["42\n"]


def test_a_second_ctrl_c_leaves_nothing_either(
    engine: Engine, folder: Path, started: Callable[[ChatServer], subprocess.Popen[bytes]]
) -> None:
    with ChatServer([call(ENDLESS)]) as server:
        process = started(server)
        read_until(process, b"running")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=5)
        assert process.returncode == 130
        assert b"Traceback" not in stderr
        wait_until(lambda: not containers_of(engine, process.pid), 10)
