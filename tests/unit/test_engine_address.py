"""Where the engine is looked for, and what is said when there is none."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sandloop.errors import EngineUnavailable
from sandloop_sandbox import address as module
from sandloop_sandbox.address import DEFAULT, address, current_context, is_local, usual_sockets, which_listener
from sandloop_sandbox.unreachable import translated


@pytest.mark.parametrize(
    ("address", "local"),
    [
        ("unix:///var/run/docker.sock", True),
        ("tcp://127.0.0.1:2375", True),
        ("tcp://localhost:2375", True),
        ("tcp://[::1]:2375", True),
        ("tcp://10.0.0.5:2375", False),
        ("ssh://me@localhost", False),
        ("tcp://docker.example:2376", False),
        ("https://1.2.3.4", False),
    ],
)
def test_an_engine_elsewhere_is_known_by_its_address(address: str, local: bool) -> None:
    assert is_local(address) is local


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a user without any engine."""
    for name in ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    usual = [path for path in usual_sockets(os.environ) if tmp_path in path.parents]

    def of_this_user(environ: Mapping[str, str]) -> list[Path]:
        return usual

    monkeypatch.setattr(module, "usual_sockets", of_this_user)
    return tmp_path


@pytest.mark.parametrize("where", ["run/docker.sock", ".docker/run/docker.sock", "run/podman/podman.sock"])
def test_the_first_usual_socket_that_is_there_is_taken(home: Path, where: str) -> None:
    assert address() == DEFAULT
    (home / where).parent.mkdir(parents=True, exist_ok=True)
    (home / where).touch()

    assert address() == f"unix://{home / where}"


def test_docker_host_wins_over_the_context_and_the_context_over_the_usual_sockets(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "run").mkdir()
    (home / "run/docker.sock").touch()
    use_context(home, "colima", "unix:///colima.sock")
    assert address() == "unix:///colima.sock"
    assert current_context(os.environ) == "colima"

    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert address() == "tcp://127.0.0.1:1"
    assert current_context(os.environ) is None


def test_docker_context_names_a_context_too(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use_context(home, "colima", "unix:///colima.sock")
    (home / ".docker/config.json").write_text("{}")
    assert address() == DEFAULT
    monkeypatch.setenv("DOCKER_CONTEXT", "colima")
    assert address() == "unix:///colima.sock"


def test_a_context_that_is_not_there_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_CONTEXT", "nowhere")
    with pytest.raises(EngineUnavailable, match=r"there is no context 'nowhere'.*docker context use"):
        address()


@pytest.mark.parametrize(
    "content", ["", "[]", "{", '{"currentContext": "default"}', '{"currentContext": 3}', '{"currentContext": ""}']
)
def test_a_configuration_without_a_context_changes_nothing(home: Path, content: str) -> None:
    (home / ".docker").mkdir()
    (home / ".docker/config.json").write_text(content)
    assert address() == DEFAULT


def use_context(home: Path, name: str, host: str) -> None:
    """As `docker context create` and `docker context use` write it."""
    import hashlib

    meta = home / ".docker/contexts/meta" / hashlib.sha256(name.encode()).hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Metadata": {}, "Endpoints": {"docker": {"Host": host}}}))
    (home / ".docker/config.json").write_text(json.dumps({"currentContext": name}))


def test_without_any_engine_the_error_names_where_it_was_looked_for() -> None:
    with (
        pytest.raises(EngineUnavailable, match=r"no such socket.*nor is there .*docker\.sock, .*podman\.sock"),
        translated(DEFAULT),
    ):
        raise FileNotFoundError(2, "No such file or directory")


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[str]:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s"))
        yield f"unix://{tmp_path}/s"


def test_a_socket_made_anew_is_another_listener(listening: str, tmp_path: Path) -> None:
    before = which_listener(listening)
    assert before == which_listener(listening) != ()
    (tmp_path / "s").unlink()
    assert which_listener(listening) == ()
    with socket.socket(socket.AF_UNIX) as again:
        again.bind(str(tmp_path / "s"))
        assert which_listener(listening) not in ((), before)


@pytest.mark.parametrize(
    ("error", "part"),
    [
        (TimeoutError("timed out"), "did not answer in time"),
        (ConnectionResetError(104, "Connection reset by peer"), "in the middle of a request"),
        (OSError("Install paramiko package to enable ssh:// support"), "docker[ssh]"),
        (OSError("what \x1b[31mthis is"), "what"),
    ],
)
def test_each_way_of_losing_an_engine_has_its_own_sentence(error: OSError, part: str) -> None:
    with pytest.raises(EngineUnavailable) as lost, translated("unix:///x.sock"):
        raise error
    assert part in str(lost.value)
    assert "\x1b" not in str(lost.value)
