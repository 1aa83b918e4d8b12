"""The user's holder: quick for whoever asks, nothing to anybody else, and no session depends on it."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from docker.errors import APIError

from docker_runs import SMALL, run
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.ports import SandboxSession
from sandloop_sandbox import ahead, handover, holder_client
from sandloop_sandbox.container import LABEL
from sandloop_sandbox.docker import open_docker
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import ensure_image
from sandloop_sandbox.request import Request
from sandloop_sandbox.sweep import sweep
from wire.chat_server import ChatServer, call, say

pytestmark = pytest.mark.alone

SHARED = SandboxOptions(warm="shared")
REQUEST = Request.of(SMALL, SHARED)
SCRIPT = """
    import asyncio, os, sys, time
    from docker_runs import SMALL, run
    from sandloop.options import SandboxOptions
    from sandloop_sandbox.docker import open_docker

    async def main():
        session = await open_docker(SMALL, SandboxOptions(warm="shared"), print).open()
        out = (await run(session, "print(6 * 7)")).stdout.strip()
        print(session.opened.id, session.opened.warm, out, session.opened.seconds, "docker" in sys.modules, flush=True)
        if sys.argv[1:] == ["stay"]:
            sys.stdin.read()
            print((await run(session, "print('still here')")).stdout, end="", flush=True)
        await session.close()

    asyncio.run(main())
"""


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A runtime folder of its own for each test: no other holder is met. Whoever was started here is ended."""
    folder = Path(tempfile.mkdtemp(dir="/tmp"))
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(filter(None, sys.path)))  # where children find the other tests
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-not-for-a-holder")
    monkeypatch.setattr(holder_client, "SECONDS", 5.0)  # a busy machine is not what is tested
    yield folder
    for pid in holders(folder):
        with contextlib.suppress(ProcessLookupError):  # it ends by itself
            os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not holders(folder))
    shutil.rmtree(folder)


def holders(folder: Path) -> list[int]:
    """The processes that hold the lock of a holder in that folder."""
    there = f"{folder}/"
    return [int(place.name) for place in Path("/proc").glob("[0-9]*") if any(name.startswith(there) for name in open_files(place))]


def open_files(process: Path) -> Iterator[str]:
    """What its descriptors are of, which come and go while they are read."""
    with contextlib.suppress(OSError):
        for link in (process / "fd").iterdir():
            with contextlib.suppress(OSError):
                yield str(link.readlink())


def wait_for(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it does not happen"
        time.sleep(0.02)


@asynccontextmanager
async def opened(limits: Limits = SMALL, options: SandboxOptions = SHARED) -> AsyncGenerator[SandboxSession]:
    session = await open_docker(limits, options, lambda line: None).open()
    try:
        yield session
    finally:
        await session.close()


def made_by(engine: Engine, pid: int) -> set[str]:
    found = engine.labelled(f"{LABEL}.shared")
    return {labels[f"{LABEL}.session"] for labels in found.values() if f" {pid} " in labels[f"{LABEL}.owner"]}


@pytest.fixture
def holder(engine: Engine, runtime: Path) -> int:
    """The pid of one that has a container ready."""
    holder_client.tell_or_start(REQUEST, ensure_image(engine.client, print), 1, idle=120)
    wait_for(lambda: len(holders(runtime)) == 1)
    (pid,) = holders(runtime)
    wait_until_ready(engine, pid)
    return pid


def wait_until_ready(engine: Engine, pid: int, without: str = "") -> None:
    """Until a container of its has all that it waits with: supervisor, zygote, kernel; and a moment for the word about it."""

    def ready() -> bool:
        waiting = made_by(engine, pid) - {without}
        try:
            return any(len(cast("Any", engine.client).top(f"sandloop-{name}")["Processes"]) == 3 for name in waiting)
        except APIError:
            return False  # it is only just starting

    wait_for(ready)
    time.sleep(0.3)


def client(*arguments: str) -> subprocess.Popen[str]:
    script = textwrap.dedent(SCRIPT)
    return subprocess.Popen([sys.executable, "-c", script, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def first_line(process: subprocess.Popen[str]) -> list[str]:
    assert process.stdout is not None
    return process.stdout.readline().split()


async def warm_session() -> list[str]:
    """One process after the other, until one gets a container made ahead."""
    for _ in range(40):
        with client() as process:
            told = first_line(process)
        if told[1] == "True":
            return told
        await anyio.sleep(0.5)
    raise AssertionError("no session came ready")


async def test_the_first_process_starts_it_and_the_next_opens_in_milliseconds(engine: Engine, runtime: Path) -> None:
    with client() as process:
        first = first_line(process)
    wait_for(lambda: len(holders(runtime)) == 1)
    told = await warm_session()

    assert (first[1], first[2], told[2]) == ("False", "42", "42")
    assert float(told[3]) < float(first[3]) / 2
    assert told[4] == "False", "the Docker SDK is not even imported"


async def test_a_session_outlives_the_holder_and_the_sweep_of_a_third_process(engine: Engine, runtime: Path, holder: int) -> None:
    with client("stay") as process:
        session, warm, *_ = first_line(process)
        assert warm == "True"
        wait_until_ready(engine, holder, without=session)
        os.kill(holder, signal.SIGKILL)
        wait_for(lambda: made_by(engine, holder) <= {session}, 10)  # those that it still held are gone
        sweep(engine)
        assert made_by(engine, holder) == {session}
        told, _ = process.communicate("")
    assert told == "still here\n"
    wait_for(lambda: not made_by(engine, holder), 10)


async def test_a_client_that_is_killed_takes_its_container_with_it_and_the_holder_goes_on(
    engine: Engine, runtime: Path, holder: int
) -> None:
    with client("stay") as process:
        session, warm, *_ = first_line(process)
        assert warm == "True"
        process.kill()
    wait_for(lambda: session not in made_by(engine, holder), 10)
    assert holders(runtime) == [holder]
    assert (await warm_session())[2] == "42"


async def test_its_end_takes_its_containers_with_it(engine: Engine, runtime: Path, holder: int) -> None:
    os.kill(holder, signal.SIGTERM)

    wait_for(lambda: not made_by(engine, holder), 10)
    wait_for(lambda: not holders(runtime), 5)


async def test_it_ends_when_nobody_asks(engine: Engine, runtime: Path) -> None:
    holder_client.tell_or_start(REQUEST, ensure_image(engine.client, print), 1, idle=2.0)
    wait_for(lambda: len(holders(runtime)) == 1)
    (pid,) = holders(runtime)
    wait_for(lambda: not holders(runtime), 30)
    wait_for(lambda: not made_by(engine, pid), 10)
    assert [path.suffix for path in (runtime / "sandloop").iterdir()] == [".lock"], "its socket is gone, too"


async def test_there_is_one_however_many_start_it(engine: Engine, runtime: Path) -> None:
    image = ensure_image(engine.client, print)
    async with anyio.create_task_group() as group:
        for _ in range(6):
            group.start_soon(lambda: anyio.to_thread.run_sync(lambda: holder_client.start(REQUEST, image, 1, 60)))
    wait_for(lambda: len(holders(runtime)) == 1)
    await anyio.sleep(1)
    assert len(holders(runtime)) == 1


async def test_another_kind_and_another_version_get_none(
    engine: Engine, runtime: Path, holder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert holder_client.ask(Request.of(replace(SMALL, memory=SMALL.memory // 2), SHARED), 1) is None
    assert holder_client.ask(Request.of(SMALL, SandboxOptions(runtime="runsc")), 1) is None
    newer = replace(REQUEST, programs="0" * 64)
    assert holder_client.ask(newer, 1) is None
    # Also when asked in person.
    place = handover.meeting_place(f"holder-{REQUEST.place}")
    message = json.dumps({"request": newer.to_json(), "image": "", "size": 1}).encode()
    answer, given = handover.call(place, message, 5)
    assert (answer, given) == (b"", None)


@pytest.mark.parametrize("message", [b"", b"x", b"[]", b"{}", b'{"request": 1, "image": "", "size": 1}', b"[" * 60_000])
async def test_what_is_no_request_gets_nothing_and_does_no_harm(holder: int, runtime: Path, message: bytes) -> None:
    place = handover.meeting_place(f"holder-{REQUEST.place}")
    with contextlib.suppress(OSError):  # hung up on
        assert handover.call(place, message, 5) == (b"", None)
    container = holder_client.ask(REQUEST, 1)
    assert container is not None
    container.end()


async def test_one_that_says_nothing_keeps_nobody_else_waiting(holder: int, runtime: Path) -> None:
    import socket

    place = handover.meeting_place(f"holder-{REQUEST.place}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as mute:
        mute.connect(str(place))
        container = holder_client.ask(REQUEST, 1)
    assert container is not None
    container.end()


async def test_a_holder_that_hangs_costs_a_session_next_to_nothing(
    engine: Engine, runtime: Path, holder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(holder_client, "SECONDS", 0.05)
    os.kill(holder, signal.SIGSTOP)
    try:
        began = time.monotonic()
        assert holder_client.ask(REQUEST, 1) is None
        assert time.monotonic() - began < 1
        async with opened() as session:
            assert not session.opened.warm
            assert (await run(session, "print(1)")).stdout == "1\n"
    finally:
        os.kill(holder, signal.SIGCONT)


async def test_it_has_no_keys_no_terminal_no_folder_and_no_descriptors_of_ours(engine: Engine, runtime: Path, holder: int) -> None:
    about = Path(f"/proc/{holder}")
    environment = dict(pair.split("=", 1) for pair in (about / "environ").read_text().rstrip("\0").split("\0"))
    with (about / "stat").open() as file:
        fields = file.read().rpartition(")")[2].split()

    assert set(environment) <= {*holder_client.KEPT, "DOCKER_HOST", "HOME"}
    assert "sk-not-for-a-holder" not in str(environment)
    assert (about / "cwd").readlink() == Path("/")
    assert fields[4] == "0", "no controlling terminal"
    assert int(fields[3]) != os.getsid(0)
    kinds = [name.partition(":")[0] for name in open_files(about)]
    assert set(kinds) <= {"/dev/null", "pipe", "socket", str(next((runtime / "sandloop").glob("*.lock")))}


async def test_on_an_engine_over_a_network_the_process_has_its_own_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(ahead.source(SMALL, SHARED), ahead.Shared)
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    assert isinstance(ahead.source(SMALL, SHARED), ahead.InProcess)


async def test_where_no_folder_is_the_users_alone_the_process_has_its_own_pool(
    runtime: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (runtime / "sandloop").write_text("")
    monkeypatch.setattr(tempfile, "tempdir", str(runtime / "nowhere"))

    assert isinstance(ahead.source(SMALL, SHARED), ahead.InProcess)


def test_the_second_question_of_the_command_line_opens_in_milliseconds(
    engine: Engine, runtime: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SANDLOOP_WARM")
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    command = [sys.executable, "-c", "from sandloop.cli import main; main()", "analyze", "?", "--route", "local", "--json"]

    def ask() -> tuple[bool, float, str]:
        with ChatServer([call("print(6 * 7)"), say("It is 42.")]) as server:
            model = ["-m", "compatible:m", "--base-url", server.url]
            done = subprocess.run([*command, *model], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True)
        events = {event["kind"]: event for event in json.loads(done.stdout)["events"]}
        return events["sandbox_opened"]["warm"], events["sandbox_opened"]["seconds"], events["code_ran"]["stdout"]

    first = ask()
    wait_for(lambda: len(holders(runtime)) == 1)
    (pid,) = holders(runtime)
    wait_until_ready(engine, pid)
    second = ask()

    assert (first[0], first[2], second[0], second[2]) == (False, "42\n", True, "42\n")
    assert second[1] < first[1]
