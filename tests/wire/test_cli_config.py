"""`sandloop config` and `sandloop keys` as a user runs them: streams, exit codes, files, and no key anywhere."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from typer.testing import CliRunner

from sandloop.cli import app
from wire.anthropic_script import Reply, python, text
from wire.anthropic_server import AnthropicServer

SANDLOOP = str(Path(sys.executable).with_name("sandloop"))
ANSWERED = Reply([*python("print(1)", "1\n"), text("It is 1.")])
KEY = "s3cret-of-the-user-42"


class Done(NamedTuple):
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


class Home:
    """A user with a home of their own and nothing in the environment."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.work, self._patch = folder, folder / "work", monkeypatch
        self.work.mkdir()
        kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "PYTHONPATH")}
        backend = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
        self.environ = kept | backend | {"HOME": str(folder), "SANDLOOP_RUNS": "off", "COLUMNS": "200"}

    def run(self, *arguments: str, stdin: str = "", **more: str) -> Done:
        """The command in this process, which is quicker."""
        with self._patch.context() as patch:
            for name in os.environ:
                patch.delenv(name)
            for name, value in (self.environ | more).items():
                patch.setenv(name, value)
            patch.chdir(self.work)
            done = CliRunner().invoke(app, arguments, input=stdin)
        return self._clean(Done(done.exit_code, done.stdout, done.stderr))

    def process(self, *arguments: str, stdin: str = "", **more: str) -> Done:
        """The command as it is started from a shell."""
        command, environ = [SANDLOOP, *arguments], self.environ | more
        done = subprocess.run(
            command, cwd=self.work, env=environ, input=stdin, capture_output=True, text=True, timeout=60, check=False
        )
        return self._clean(Done(done.returncode, done.stdout, done.stderr))

    def _clean(self, done: Done) -> Done:
        assert KEY not in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert "internal error" not in done.stderr
        return done

    def with_ring(self) -> Home:
        """From now on with a keyring that works."""
        self.environ |= {"PYTHON_KEYRING_BACKEND": "fake_keyring.FakeKeyring", "FAKE_KEYRING": str(self.folder / "ring.json")}
        return self

    @property
    def keys(self) -> Path:
        return self.folder / ".config/sandloop/keys/keys.json"


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    return Home(tmp_path, monkeypatch)


def test_config_shows_each_value_and_its_layer(home: Home) -> None:
    (home.work / "sandloop.toml").write_text('route = "local"\n[limits]\nturns = 7\n')
    done = home.process("config", SANDLOOP_MODEL="openai", OPENAI_API_KEY=KEY)
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]

    assert done.code == 0
    for line in (
        "model openai SANDLOOP_MODEL",
        "route local sandloop.toml",
        "limits.turns 7 sandloop.toml",
        "preview true default",
    ):
        assert line in lines
    assert any(line.startswith("OPENAI_API_KEY environment") for line in lines)
    assert not any(line.startswith("limits.tokens") for line in lines)
    assert home.run("config", "show", SANDLOOP_MODEL="openai", OPENAI_API_KEY=KEY).stdout == done.stdout
    everything = home.run("config", "--all", OPENAI_API_KEY=KEY).stdout
    assert "limits.session_seconds" in everything
    assert "GROQ_API_KEY" in everything


def test_config_as_json_is_whole_and_clean(home: Home) -> None:
    found = json.loads(home.run("config", "--json", SANDLOOP_BASE_URL=f"https://me:{KEY}@mine.example/v1").stdout)
    rows = {row["setting"]: row for row in found["settings"]}
    assert rows["base_url"] == {
        "setting": "base_url",
        "value": "https://…@mine.example/v1",
        "layer": "environment",
        "source": "SANDLOOP_BASE_URL",
    }
    assert rows["limits.turns"]["layer"] == "default"
    assert {row["name"]: row["where"] for row in found["keys"]}["ANTHROPIC_API_KEY"] == "missing"
    assert found["files"] == {"project": None, "user": f"{home.folder}/.config/sandloop/config.toml", "user_is_there": False}


def test_what_is_wrong_is_on_stderr_and_the_rest_is_shown(home: Home) -> None:
    (home.work / "sandloop.toml").write_text('modle = "x"\nroute = "local"\n')
    done = home.run("config")
    assert done.code == 2
    assert done.stderr == f"sandloop: {home.work}/sandloop.toml:1: modle does not exist. Did you mean 'model'?\n"
    assert "local" in done.stdout


def test_check_tells_all_and_ends_with_2(home: Home) -> None:
    (home.work / "other.toml").write_text('modle = "x"\n[models.x]\nprovider = "opnai"\n')
    done = home.run("config", "check", "other.toml")
    assert (done.code, done.stdout.splitlines()) == (
        2,
        [
            "other.toml:1: modle does not exist. Did you mean 'model'?",
            "other.toml:3: models.x.provider is 'opnai', which is no provider. Did you mean 'openai'?",
        ],
    )
    assert [row["line"] for row in json.loads(home.run("config", "check", "other.toml", "--json").stdout)] == [1, 3]
    assert (home.run("config", "check").code, home.run("config", "check", "none.toml").code) == (0, 2)
    assert home.run("config", "check", SANDLOOP_ROUTE="lokal").stdout.startswith("the environment: SANDLOOP_ROUTE is 'lokal'")


def test_a_first_file_is_written_once_and_is_right(home: Home) -> None:
    mine = home.folder / ".config/sandloop/config.toml"
    for arguments, path in (((), home.work / "sandloop.toml"), (("--user",), mine)):
        done = home.run("config", "init", *arguments)
        assert (done.code, done.stdout) == (0, f"{path}\n")
        text = path.read_text()
        path.write_text("# mine\n")
        again = home.run("config", "init", *arguments)
        assert (again.code, path.read_text()) == (2, "# mine\n")
        assert "is there already" in again.stderr
        assert home.run("config", "init", "--force", *arguments).code == 0
        assert path.read_text() == text
        assert list(path.parent.glob(".*.toml-*")) == []
    assert (mine.stat().st_mode & 0o777, mine.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert home.run("config", "check").code == 0


def test_a_first_file_is_never_written_through_a_link(home: Home) -> None:
    (home.folder / "target").write_text("mine")
    (home.work / "sandloop.toml").symlink_to(home.folder / "target")
    assert home.run("config", "init").code == 2
    assert home.run("config", "init", "--force").code == 0
    assert (home.folder / "target").read_text() == "mine"
    assert not (home.work / "sandloop.toml").is_symlink()


def test_the_schema_is_json(home: Home) -> None:
    assert json.loads(home.run("config", "schema").stdout)["properties"]["limits"]["properties"]["turns"]["default"] == 30


def test_a_key_goes_into_a_file_where_no_keyring_works(home: Home) -> None:
    done = home.process("keys", "set", "openai", stdin=KEY + "\n")
    assert (done.code, done.stdout) == (0, f"OPENAI_API_KEY is kept in the file {home.keys}\n")
    assert "no keyring works here" in done.stderr
    assert json.loads(home.keys.read_text())["keys"] == {"OPENAI_API_KEY": {"value": KEY}}
    assert home.keys.stat().st_mode & 0o777 == 0o600

    (row,) = json.loads(home.run("keys", "list", "--json").stdout)
    assert (row["name"], row["where"]) == ("OPENAI_API_KEY", "file")
    assert "openai" in row["used_by"]
    assert home.run("keys", "list").stdout.splitlines()[1].split()[:2] == ["OPENAI_API_KEY", "file"]
    assert {row["name"]: row["where"] for row in json.loads(home.run("models", "--json").stdout)}["openai"] == "file"
    assert "OPENAI_API_KEY is kept in the file (not tried)" in " ".join(home.run("doctor").stdout.split())
    assert home.run("keys", "rm", "openai").stdout == "OPENAI_API_KEY was removed from the file\n"
    gone = home.run("keys", "rm", "openai")
    assert (gone.code, home.run("keys", "list").stdout) == (2, "no keys\n")


def test_a_key_goes_into_the_keyring_that_works_and_a_model_is_reached_with_it(home: Home) -> None:
    home.with_ring()
    (home.work / "a.csv").write_text("a\n1\n")
    done = home.process("keys", "set", "ANTHROPIC_API_KEY", stdin=KEY)
    assert done.stdout == "ANTHROPIC_API_KEY is kept in the keyring Fake Keyring\n"
    assert KEY not in home.keys.read_text()
    assert json.loads((home.folder / "ring.json").read_text()) == {"sandloop/ANTHROPIC_API_KEY": KEY}

    with AnthropicServer([ANSWERED], key=KEY) as server:
        answered = home.process("analyze", "?", "a.csv", "-m", "claude", "--json", ANTHROPIC_BASE_URL=server.url)
        wrong = home.process("analyze", "?", "a.csv", ANTHROPIC_BASE_URL=server.url, ANTHROPIC_API_KEY="nearer")
    assert (answered.code, json.loads(answered.stdout)["text"]) == (0, "It is 1.")
    assert wrong.code == 3
    assert home.process("keys", "rm", "claude").stdout == "ANTHROPIC_API_KEY was removed from the keyring\n"
    missing = home.process("analyze", "?", "a.csv")
    assert (missing.code, "sandloop keys set ANTHROPIC_API_KEY" in missing.stderr) == (3, True)


def test_a_locked_keyring_is_a_sentence(home: Home) -> None:
    home.with_ring().process("keys", "set", "claude", stdin=KEY)
    (home.work / "a.csv").write_text("a\n1\n")
    done = home.process("analyze", "?", "a.csv", FAKE_KEYRING_DOES="locked")
    assert done.code == 3
    assert "it is locked. Unlock it, or set ANTHROPIC_API_KEY in the environment." in done.stderr


@pytest.mark.parametrize(
    "arguments", [("openai", KEY), (f"OPENAI_API_KEY={KEY}",), (KEY,), ("openai", "--", KEY), ("openai", f"--value={KEY}")]
)
def test_a_key_is_not_taken_from_an_argument_nor_repeated(home: Home, arguments: tuple[str, ...]) -> None:
    done = home.run("keys", "set", *arguments)
    assert (done.code, done.stdout) == (2, "")
    assert not home.keys.exists()


@pytest.mark.parametrize(
    ("stdin", "says"),
    [
        ("", "No key was given"),
        (" \n", "No key was given"),
        (f"{KEY}\n{KEY}\n", "several lines"),
        (f"export A={KEY}", "has a blank"),
        ("x" * 20_000, "longer than"),
        ("schlüssel", "a letter that no key has"),
    ],
)
def test_what_is_no_key_is_refused_and_not_shown(home: Home, stdin: str, says: str) -> None:
    done = home.run("keys", "set", "openai", stdin=stdin)
    assert (done.code, says in done.stderr, home.keys.exists()) == (2, True, False)
    assert len(done.stderr) < 300


@pytest.mark.parametrize(
    ("name", "code", "says"),
    [
        ("opnai", 2, "Did you mean 'openai'?"),
        ("ollama", 2, "takes no key"),
        ("ANTHROPIC_AUTH_TOKEN", 2, "works only in the environment"),
        ("OPENAI_API_KEYS", 0, "did you mean OPENAI_API_KEY?"),
        ("MY_SERVER_KEY", 0, "name it as 'key_variable' in a profile"),
    ],
)
def test_a_name_that_nobody_looks_for_is_told(home: Home, name: str, code: int, says: str) -> None:
    done = home.run("keys", "set", name, stdin=KEY)
    assert (done.code, says in done.stderr) == (code, True)


def test_the_environment_wins_and_it_is_said(home: Home) -> None:
    assert "which wins" in home.run("keys", "set", "openai", stdin=KEY, OPENAI_API_KEY="x").stderr
    assert "environment" in home.run("keys", "list", OPENAI_API_KEY="x").stdout
    assert "still set in the environment" in home.run("keys", "rm", "OPENAI_API_KEY", OPENAI_API_KEY="x").stderr


def test_a_store_open_to_others_is_refused_and_nobody_falls_over_it(home: Home) -> None:
    home.run("keys", "set", "openai", stdin=KEY)
    home.keys.chmod(0o644)
    for arguments in (("keys", "list"), ("keys", "rm", "openai"), ("keys", "set", "openai")):
        done = home.run(*arguments, stdin=KEY)
        assert (done.code, f"chmod 600 {home.keys}" in done.stderr) == (3, True)
    for name in ("config", "models", "doctor"):
        home.run(name)


def test_a_person_is_asked_and_does_not_see_the_key(home: Home) -> None:
    ours, theirs = pty.openpty()
    command = [SANDLOOP, "keys", "set", "openai"]
    process = subprocess.Popen(
        command, cwd=home.work, env=home.environ, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True
    )
    os.close(theirs)
    shown = b""
    while b"(not shown): " not in shown:
        shown += os.read(ours, 1_000)
    os.write(ours, KEY.encode() + b"\n")
    while b"is kept in" not in shown:
        shown += os.read(ours, 1_000)
    assert process.wait(20) == 0
    os.close(ours)
    assert KEY.encode() not in shown
    assert KEY in home.keys.read_text()
