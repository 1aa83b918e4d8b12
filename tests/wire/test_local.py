"""The embedded model: what is taken and why, the server of our own, and that it ends when we do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import anyio
import pytest

from sandloop.errors import BadFile, BadSetting, LocalModelFailed, UnknownModel
from sandloop.events import Event, Noted, ReplyEnded, RunStarted
from sandloop.limits import Limits
from sandloop.ports import ModelChoice, Turn
from sandloop_providers.llama_server import LlamaServer, Program, arguments, environment, find_program
from sandloop_providers.local import local, make_plan
from sandloop_providers.weights import KNOWN, SMALL, STANDARD, cache_folder, kept
from wire.chat_server import ChatServer, say
from wire.test_chat import Sink

ASKED = RunStarted(id="1", question="What is 17 * 23?", model="local")
TURN = Turn(native=False, files=(), sink=Sink(Path("none")), limits=Limits())
FAKE = Path(__file__).with_name("llama_fake.py")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with a `llama-server`, and no server that already runs."""
    program = tmp_path / "llama-server"
    program.write_text(f"#!{sys.executable}\n" + FAKE.read_text("utf-8").partition("\n")[2])
    program.chmod(0o755)
    (tmp_path / "model.gguf").write_bytes(b"GGUF....")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    monkeypatch.setenv("SANDLOOP_WEIGHTS", str(tmp_path / "model.gguf"))
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-openai")
    monkeypatch.setenv("HOST", "0.0.0.0")
    return tmp_path


@pytest.fixture
def ollama(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    with ChatServer([say("hello")], models=("llama3:8b", "qwen2.5-coder:7b", "qwen2.5-coder:1.5b")) as server:
        monkeypatch.setenv("OLLAMA_HOST", server.url.removesuffix("/v1"))
        yield server


async def replied(provider: Any) -> list[Event]:
    async with aclosing(provider.reply([ASKED], TURN)) as events:
        return [e async for e in events]


def opened(model: str | None = None, **facts: Any) -> Any:
    return local(ModelChoice(provider="local", model=model, **facts))


def started(folder: Path) -> Any:
    return json.loads((folder / "started.json").read_text())


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z" if sys.platform == "linux" else True


async def gone(pid: int) -> bool:
    with anyio.move_on_after(10):
        while alive(pid):
            await anyio.sleep(0.02)
    return not alive(pid)


async def test_llama_server_on_the_path_is_started_on_loopback_with_a_key_and_nothing_of_our_environment(folder: Path) -> None:
    provider = opened()
    try:
        can = await provider.capabilities()
        assert not (folder / "started.json").exists()
        events = await replied(provider)
        given = started(folder)
    finally:
        await provider.close()
    assert "llama-server is on PATH" in can.runs_code_why
    assert [type(e) for e in events[:1]] == [Noted]
    assert isinstance(events[-1], ReplyEnded)
    assert events[-1].text == "hello"
    options = dict(zip(given["argv"], given["argv"][1:], strict=False))
    assert options["--host"] == "127.0.0.1"
    assert options["--model"] == str(folder / "model.gguf")
    assert given["environ"]["OMP_WAIT_POLICY"] == "PASSIVE"
    assert len(given["environ"]["LLAMA_API_KEY"]) >= 30
    assert given["environ"]["LLAMA_API_KEY"] not in given["argv"]
    assert "OPENAI_API_KEY" not in given["environ"]
    assert "HOST" not in given["environ"]
    assert await gone(given["pid"])


async def test_replies_are_short_and_cool(folder: Path) -> None:
    provider = opened(parameters={"temperature": 0.3})
    await replied(provider)
    await provider.close()
    sent = json.loads((folder / "request.json").read_text())
    assert (sent["max_tokens"], sent["temperature"], sent["model"]) == (2048, 0.3, "model")


@pytest.mark.parametrize(("model", "offered"), [(None, True), ("small", False)])
async def test_only_the_larger_model_is_offered_tools(folder: Path, model: str | None, offered: bool) -> None:
    provider = opened(model)
    await replied(provider)
    await provider.close()
    sent = json.loads((folder / "request.json").read_text())
    assert (("tools" in sent), sent["temperature"]) == (offered, 0)


async def test_a_server_that_ends_while_it_starts_is_told_at_once_with_its_log_and_without_its_key(folder: Path) -> None:
    (folder / "fail").touch()
    provider = opened()
    with pytest.raises(LocalModelFailed) as caught:
        await replied(provider)
    await provider.close()
    assert "exit code 3" in caught.value.said
    assert "failed to load model, key [key]" in caught.value.said


async def test_a_server_that_dies_in_a_reply_is_told_with_its_log(folder: Path) -> None:
    provider = opened()
    await replied(provider)
    (folder / "die").touch()
    with pytest.raises(LocalModelFailed, match="out of memory"):
        await replied(provider)
    await provider.close()


async def test_a_server_that_never_gets_ready_is_given_up(folder: Path) -> None:
    sleeper = Program("llama-server", (sys.executable, "-c", "import time; time.sleep(60)"))
    server = LlamaServer(sleeper, folder / "model.gguf", alias="x")
    with pytest.raises(LocalModelFailed, match="within 0 s"):
        await server.ready(seconds=0.2)
    await server.close()
    assert await gone(server.pid)


async def test_the_server_ends_when_we_are_killed(folder: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path\n"
        "from sandloop_providers.llama_server import LlamaServer, find_program\n"
        "s = LlamaServer(find_program(), Path('model.gguf'), alias='x'); print(s.pid, flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, cwd=folder) as ours:
        assert ours.stdout is not None
        watcher = int(ours.stdout.readline())
        pid = await _started_pid(folder)
        ours.send_signal(signal.SIGKILL)
        ours.wait()
    assert await gone(pid)
    assert await gone(watcher)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's help is Linux's")
async def test_the_server_ends_when_its_watcher_is_killed(folder: Path) -> None:
    program = find_program()
    assert program is not None
    server = LlamaServer(program, folder / "model.gguf", alias="x")
    pid = await _started_pid(folder)
    os.kill(server.pid, signal.SIGKILL)
    assert await gone(pid)
    await server.close()


async def _started_pid(folder: Path) -> int:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            return int(started(folder)["pid"])
        except (OSError, ValueError):
            await anyio.sleep(0.02)
    raise AssertionError("it did not start")


async def test_an_ollama_that_runs_is_taken_with_the_closest_model_and_stays(ollama: ChatServer) -> None:
    provider = opened()
    can = await provider.capabilities()
    events = await replied(provider)
    await provider.close()
    assert "Ollama runs here and has qwen2.5-coder:1.5b" in can.runs_code_why
    assert provider.model == "qwen2.5-coder:1.5b"
    assert isinstance(events[-1], ReplyEnded)
    assert ollama.requests[0].json["model"] == "qwen2.5-coder:1.5b"


async def test_the_small_model_is_not_replaced_by_a_larger_one(ollama: ChatServer, folder: Path) -> None:
    plan = await make_plan(SMALL, own=False, base_url=None)
    assert plan.running is None


async def test_a_file_the_user_named_is_used_whatever_runs(ollama: ChatServer, folder: Path) -> None:
    plan = await make_plan(STANDARD, own=True, base_url=None)
    assert plan.program is not None
    assert plan.program.kind == "llama-server"


async def test_a_server_the_user_named_is_used(ollama: ChatServer) -> None:
    provider = opened(base_url=ollama.url)
    await replied(provider)
    await provider.close()
    assert ollama.requests[0].json["model"] == "llama3:8b"


def test_the_python_servers_command_leaves_the_users_folder_off_the_path() -> None:
    program = Program("llama-cpp-python", (sys.executable, "-P", "-m", "llama_cpp.server"))
    command = arguments(program, Path("/w.gguf"), alias="a", port=1, threads=2)
    assert command[1] == "-P"
    assert command[command.index("--logits_all") + 1] == "false"
    assert command[command.index("--host") + 1] == "127.0.0.1"


def test_the_childs_environment_has_its_key_and_no_settings_of_other_programs() -> None:
    kept_names = environment({"PATH": "/bin", "PORT": "1", "MODEL": "x", "MISTRAL_API_KEY": "x", "CUDA_VISIBLE_DEVICES": "0"}, "k")
    assert set(kept_names) == {"PATH", "CUDA_VISIBLE_DEVICES", "OMP_WAIT_POLICY", "API_KEY", "LLAMA_API_KEY"}


@pytest.mark.parametrize(
    ("model", "parameters", "kind"),
    [
        ("large", {}, UnknownModel),
        (None, {"weights": 1}, BadSetting),
        (None, {"weights": "/no/such.gguf"}, BadFile),
        ("/no/x.gguf", {}, BadFile),
    ],
)
def test_what_cannot_be_opened_is_refused_before_anything_starts(
    model: str | None, parameters: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        opened(model, parameters=parameters)


def _cached_small() -> bool:
    try:
        return kept(KNOWN["small"], cache_folder()) is not None
    except LocalModelFailed:
        return False


async def test_the_real_small_model_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    if not _cached_small() or find_program() is None:
        pytest.skip("the small model's weights are not in the cache, or no llama.cpp is installed")
    monkeypatch.setenv("OLLAMA_HOST", "127.0.0.1:1")
    provider = opened("small", parameters={"max_tokens": 12})
    events = await replied(provider)
    await provider.close()
    assert isinstance(events[-1], ReplyEnded)
    assert events[-1].text
