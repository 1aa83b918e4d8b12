"""The command at a terminal on the local route: code that is asked about before it runs, and a chat whose variables stay."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from sandloop_sandbox.engine import Engine
from terminals import CTRL_C, CTRL_D, Terminal
from wire.chat_server import ChatServer, call, say

SANDLOOP = str(Path(sys.executable).with_name("sandloop"))
PROMPT = "\n>"
ASK = "Run it? [y]es, [n]o, [a]ll, [q]uit:"


@pytest.fixture
def folder(tmp_path: Path, engine: Engine) -> Path:
    (tmp_path / "a.csv").write_text("a\n1\n")
    return tmp_path


def terminal(folder: Path, server: ChatServer, *arguments: str) -> Terminal:
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "DOCKER_HOST")}
    environ = kept | {"HOME": str(folder), "SANDLOOP_CONFIG": "/dev/null", "SANDLOOP_WARM": "off", "SANDLOOP_RUNS": "off"}
    command = [SANDLOOP, *arguments, "a.csv", "-m", "compatible:m", "--base-url", server.url]
    return Terminal(command, cwd=folder, env=environ)


def test_code_runs_when_it_is_allowed_and_not_when_it_is_not(folder: Path) -> None:
    made = "open('made.txt', 'w').write('x')"
    script = [call("print('one')"), call(made, call_id="call00002"), call("print('two')"), call("print('three')"), say("Done.")]
    with ChatServer(script) as server, terminal(folder, server, "analyze", "?", "--confirm", "-o", "out") as person:
        for answer, code in (("what\r", "print('one')"), ("y\r", "print('one')"), ("n\r", made), ("a\r", "print('two')")):
            shown = person.until(code, last=ASK)
            assert "three" not in shown
            person.type(answer)
        assert person.end() == 0
    told = [m["content"] for m in server.requests[2].json["messages"] if m["role"] == "tool"]
    assert "one" in told[0]
    assert "not allow" in told[1]
    assert "✗ not run: you did not allow it" in person.shown()
    assert "three" in person.shown()
    assert not (folder / "out").exists()


def test_quitting_at_the_question_ends_the_run_and_nothing_ran(folder: Path) -> None:
    with ChatServer([call("print('one')")]) as server, terminal(folder, server, "analyze", "?", "--confirm") as person:
        person.until(last=ASK)
        person.type("q\r")
        assert person.end() == 130
    assert "\none\n" not in person.shown()


def test_ctrl_c_at_the_question_ends_the_run_too(folder: Path) -> None:
    with ChatServer([call("print('one')")]) as server, terminal(folder, server, "analyze", "?", "--confirm") as person:
        person.until(last=ASK)
        person.type(CTRL_C)
        assert person.end() == 130
    assert "Traceback" not in person.shown()


def test_a_chat_keeps_variables_when_the_model_changes_and_goes_on_after_a_stop(folder: Path) -> None:
    script = [
        call("x = 41"),
        say("Set."),
        call("print(x + 1)"),
        say("42."),
        call("while True: pass"),
        call("print(x + 2)"),
        say("Over."),
    ]
    with ChatServer(script) as server, terminal(folder, server, "chat", "--max-cost", "1") as person:
        person.until(last=PROMPT)
        person.type("Set x\r")
        person.until("Set.", last=PROMPT)
        person.type("/model compatible:other\r")
        person.until("questions go to compatible:other", last=PROMPT)
        person.type("Add 1\r")
        person.until("\n42\n", "\n42.\n", last=PROMPT)
        assert server.requests[-1].json["model"] == "other"
        person.type("Loop\r")
        person.until("running code … 1 s")
        person.type(CTRL_C)
        person.until("stopped; the chat goes on", last=PROMPT)
        person.type("Go on\r")
        person.until("\n43\n", "Over.", last=PROMPT)
        person.type(CTRL_D)
        assert person.end() == 0
    assert person.shown().count("is not known, so the limit of cost does not hold") == 1
    told = [m["content"] for m in server.requests[5].json["messages"] if m["role"] == "tool"]
    assert "interrupted by the user" in told[-1]
    assert "gone" not in told[-1]


def test_a_stop_that_the_code_will_not_hear_loses_the_variables_and_says_so(folder: Path) -> None:
    deaf = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('deaf', flush=True)\nwhile True: pass"
    with ChatServer([call(deaf), say("Over.")]) as server, terminal(folder, server, "chat") as person:
        person.until(last=PROMPT)
        person.type("Loop\r")
        person.until("\ndeaf\n", "running code …")
        person.type(CTRL_C)
        person.until("stopped; the chat goes on, and the variables were lost", last=PROMPT)
        person.type("Go on\r")
        person.until("Over.", last=PROMPT)
        person.type(CTRL_D)
        assert person.end() == 0
    told = [m["content"] for m in server.requests[1].json["messages"] if m["role"] == "tool"]
    assert "All variables are gone" in told[-1]
