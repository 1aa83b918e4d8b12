"""The command at a real terminal, against a loopback Claude: what a person sees meanwhile, and in which terminal."""

from __future__ import annotations

import base64
import re
import subprocess
from pathlib import Path

import pytest

from terminals import CTRL_C, CTRL_D, TAB, Terminal
from wire.anthropic_script import Hold, Made, Reply, python, text
from wire.anthropic_server import AnthropicServer
from wire.test_cli import SANDLOOP, environment, with_server

PNG = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
ANALYZE = [SANDLOOP, "analyze", "How many?", "a.csv", "-m", "claude", "-o", "out"]
PROMPT = "\n>"
CHAT = [SANDLOOP, "chat", "a.csv", "-m", "claude"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "a.csv").write_text("a\n1\n")
    return tmp_path


def drawn() -> Reply:
    return Reply([*python("draw()", "drawn\n", made=[Made("chart.png", PNG)]), text("It is drawn.")])


def test_a_terminal_says_what_is_waited_for_and_keeps_nothing_of_it(folder: Path) -> None:
    hold = Hold()
    with (
        AnthropicServer([Reply([hold, *python("print(3)", "3\n"), text("It is 3.")])]) as server,
        Terminal(ANALYZE, cwd=folder, env=environment(folder, **with_server(server))) as terminal,
    ):
        terminal.until("waiting for claude … 1 s")
        hold.go.set()
        assert terminal.end() == 0
    assert "waiting" not in terminal.shown()
    assert re.search("[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏] waiting for claude …", terminal.raw.decode())
    assert "│ print(3)\n3\n" in terminal.shown()
    assert "\nIt is 3.\n" in terminal.shown()


@pytest.mark.parametrize("more", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_no_colour_where_none_is_wanted(folder: Path, more: dict[str, str]) -> None:
    with (
        AnthropicServer([drawn()]) as server,
        Terminal(ANALYZE, cwd=folder, env=environment(folder, **with_server(server), **more)) as terminal,
    ):
        assert terminal.end() == 0
    assert not re.search(rb"\x1b\[[0-9;]*[34]\dm", terminal.raw)
    assert "It is drawn." in terminal.shown()
    if more == {"TERM": "dumb"}:
        assert b"\x1b" not in terminal.raw


def test_forty_columns_are_enough(folder: Path) -> None:
    with (
        AnthropicServer([drawn()]) as server,
        Terminal(ANALYZE, cwd=folder, env=environment(folder, **with_server(server)), columns=40) as terminal,
    ):
        assert terminal.end() == 0
    assert "→ native · anthropic ·" in terminal.shown()
    assert not re.search(r"\w\n  \w\w\w?\n", terminal.shown())


def test_a_terminal_of_ascii_gets_ascii(folder: Path) -> None:
    with AnthropicServer([drawn()]) as server:
        environ = environment(folder, **with_server(server), LC_ALL="C", PYTHONIOENCODING="ascii")
        with Terminal(ANALYZE, cwd=folder, env=environ) as terminal:
            assert terminal.end() == 0
    assert terminal.raw.isascii()
    assert "-> native - anthropic" in terminal.shown()
    assert "| draw()" in terminal.shown()
    assert "ok ran" in terminal.shown()


@pytest.mark.parametrize(
    ("more", "arguments", "begins"),
    [
        ({"TERM_PROGRAM": "iTerm.app"}, [], b"\x1b]1337;File=inline=1;"),
        ({"KITTY_WINDOW_ID": "1"}, [], b"\x1b_Ga=T,f=100,q=2,m=0;"),
        ({"KITTY_WINDOW_ID": "1"}, ["--no-pictures"], None),
    ],
)
def test_a_made_picture_shows_where_the_terminal_can(
    folder: Path, more: dict[str, str], arguments: list[str], begins: bytes | None
) -> None:
    with AnthropicServer([drawn()]) as server:
        environ = environment(folder, **with_server(server), **more)
        with Terminal([*ANALYZE, *arguments], cwd=folder, env=environ) as terminal:
            assert terminal.end() == 0
    assert (base64.b64encode(PNG) in terminal.raw) is (begins is not None)
    assert begins is None or begins in terminal.raw
    assert b" out/chart.png" in terminal.raw


def test_a_pipe_gets_neither_pictures_nor_the_waiting_line(folder: Path) -> None:
    with AnthropicServer([drawn()]) as server:
        environ = environment(folder, **with_server(server), KITTY_WINDOW_ID="1", TERM="xterm-kitty")
        done = subprocess.run(ANALYZE, cwd=folder, env=environ, capture_output=True, timeout=60, check=True)
    assert done.stdout == b"It is drawn.\n"
    assert b"\x1b" not in done.stderr


def test_an_answer_streams_below_what_ran_while_the_line_waits(folder: Path) -> None:
    hold = Hold()
    parts = [*python("print(3)", "3\n"), text("It is"), hold, text(" 3.")]
    with (
        AnthropicServer([Reply(parts)]) as server,
        Terminal([*ANALYZE, "--stream"], cwd=folder, env=environment(folder, **with_server(server))) as terminal,
    ):
        assert "It is" in terminal.until("It is", "claude is writing … 1 s")
        hold.go.set()
        assert terminal.end() == 0
    assert "\nIt is 3.\n" in terminal.shown()
    assert "writing" not in terminal.shown()


def test_confirm_needs_the_local_route_and_a_terminal(folder: Path) -> None:
    environ = environment(folder, ANTHROPIC_API_KEY="x")
    for arguments, says in (([], "asks at the terminal"), (["--route", "native"], "--confirm can't be used with --route native")):
        done = subprocess.run([*ANALYZE, "--confirm", *arguments], cwd=folder, env=environ, capture_output=True, check=False)
        assert (done.returncode, done.stdout) == (2, b"")
        assert says in done.stderr.decode()


def test_a_chat_keeps_the_conversation_and_ctrl_c_stops_one_question(folder: Path) -> None:
    hold = Hold()
    replies = [
        Reply([*python("x = 3", ""), text("x is 3.")]),
        Reply([text("Let me see"), hold]),
        Reply([*python("print(x)", "3\n"), text("Still 3.")]),
    ]
    with AnthropicServer(replies) as server:
        with Terminal(CHAT, cwd=folder, env=environment(folder, **with_server(server))) as terminal:
            terminal.until("claude; /help", last=PROMPT)
            terminal.type("What is x?\r")
            terminal.until("x is 3.", "100 tokens in, 20 out", last=PROMPT)
            terminal.type("Think long\r")
            assert hold.reached.wait(20)
            terminal.until("claude is writing")
            terminal.type(CTRL_C)
            terminal.until("stopped; the chat goes on", last=PROMPT)
            hold.go.set()
            terminal.type("And now?\r")
            terminal.until("Still 3.", last=PROMPT)
            terminal.type(CTRL_C)
            terminal.until("· Ctrl-D ends the chat", last=PROMPT)
            terminal.type(CTRL_D)
            assert terminal.end() == 0
        assert server.files == {}
    assert "Traceback" not in terminal.shown()


def complete(terminal: Terminal, typed: str, wanted: str) -> None:
    """Type the beginning and Tab; once the rest is there, Enter."""
    terminal.type(f"{typed}{TAB}")
    terminal.until(f"> {wanted}")
    terminal.type("\r")


def test_tab_completes_commands_models_and_files_and_the_history_is_private(folder: Path) -> None:
    (folder / "other.csv").write_text("b\n2\n")
    with AnthropicServer([drawn(), Reply([text("Seen.")])]) as server:
        environ = environment(folder, **with_server(server), SANDLOOP_RUNS=str(folder / "runs"))
        with Terminal(CHAT, cwd=folder, env=environ) as terminal:
            terminal.until(last=PROMPT)
            complete(terminal, "/fi", "/files")
            terminal.until("a.csv (4 bytes, text/csv, goes with the next question)", last=PROMPT)
            complete(terminal, "/add oth", "/add other.csv")
            terminal.until("other.csv (4 bytes, text/csv) goes with the next question", last=PROMPT)
            complete(terminal, "/model openr", "/model openrouter")
            terminal.until("OpenRouter needs the name of a model", last=PROMPT)
            terminal.type("/model\r")
            terminal.until("questions go to claude", last=PROMPT)
            terminal.type("Draw\r")
            terminal.until("It is drawn.", last=PROMPT)
            complete(terminal, "Look at ch", "Look at chart.png")
            terminal.until("Seen.", "Look at chart.png", last=PROMPT)
            terminal.type("/quit\r")
            assert terminal.end() == 0
    assert "saved sandloop-output/" in terminal.shown()
    (history,) = folder.glob("**/chat-history")
    assert history.stat().st_mode & 0o777 == 0o600
    assert "+Look at chart.png" in history.read_text()


def test_no_history_is_kept_where_no_runs_are(folder: Path) -> None:
    with (
        AnthropicServer([]) as server,
        Terminal(CHAT, cwd=folder, env=environment(folder, **with_server(server), SANDLOOP_RUNS="off")) as terminal,
    ):
        terminal.until(last=PROMPT)
        terminal.type("/code off\r")
        terminal.until("code is not shown", last=PROMPT)
        terminal.type(CTRL_D)
        assert terminal.end() == 0
    assert list(folder.glob("**/chat-history")) == []


def chat(folder: Path, server: AnthropicServer, lines: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = environment(folder, **with_server(server))
    command = [*CHAT, *arguments]
    return subprocess.run(command, input=lines, cwd=folder, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_a_chat_over_a_pipe_is_a_question_a_line_and_an_error_leaves_it_open(folder: Path) -> None:
    with AnthropicServer([drawn(), Reply([text("I won't.")], stop="refusal"), Reply([text("Third.")])]) as server:
        done = chat(folder, server, "Draw\n\n/files\n/save out\n/bogus\nSecond\n/model nobody\nThird\n/quit\nNever\n")
    assert (done.returncode, done.stdout) == (2, "It is drawn.\nThird.\n")
    for said in ("+ chart.png (70 bytes, image/png)", "saved out/chart.png", "no command /bogus", "declined to answer", "nobody"):
        assert said in done.stderr
    assert "sandloop-output" not in done.stderr
    assert (folder / "out/chart.png").read_bytes() == PNG


def test_a_chat_that_can_not_begin_says_why(folder: Path) -> None:
    with AnthropicServer([]) as server:
        missing = chat(folder, server, "", "none.csv")
        route = chat(folder, server, "x\n" + "y" * 1_000_001)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert "'none.csv' does not exist" in missing.stderr
    assert "over 1000000 bytes" in route.stderr


def test_completion_in_a_shell_knows_models_and_says_nothing_else(folder: Path) -> None:
    (folder / "sandloop.toml").write_text("[models.mine]\nprovider = 'ollama'\n")
    for words, wanted in (("sandloop analyze -m m", "mine\nmistral"), ("sandloop chat -m mi", "mine\nmistral")):
        environ = environment(folder, _SANDLOOP_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD="3")
        done = subprocess.run([SANDLOOP], cwd=folder, env=environ, capture_output=True, text=True, check=False)
        assert (done.stdout.strip(), done.stderr) == (wanted, "")
    (folder / "sandloop.toml").write_text("[models")
    environ = environment(folder, _SANDLOOP_COMPLETE="complete_bash", COMP_WORDS="sandloop analyze -m mis", COMP_CWORD="3")
    done = subprocess.run([SANDLOOP], cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert (done.stdout.strip(), done.stderr) == ("mistral", "")
