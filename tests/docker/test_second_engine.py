"""Engines that end, stand still, are full, or are elsewhere: each is told, nothing is left, and the next run works."""

from __future__ import annotations

import contextlib
import gc
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from docker_runs import SMALL, local_file, run, says
from recorded_runs import recording
from sandloop import Session, Settings, analyze
from sandloop.errors import EngineUnavailable, SandboxLost, Unsafe
from sandloop.events import Output, SandboxOpened
from sandloop.options import SandboxOptions
from sandloop.ports import SandboxSession
from sandloop_sandbox import operations
from sandloop_sandbox.docker import open_docker
from sandloop_sandbox.engine import engine as find_engine
from sandloop_sandbox.sweep import sweep
from second_engine import RUNTIME, SecondEngine

ENDLESS = "print('on', flush=True)\nimport time\nwhile True: time.sleep(60)"
SETTINGS = Settings(limits=SMALL)
# The SDK leaves a socket that could not connect to the garbage collector.
pytestmark = [
    pytest.mark.alone,
    pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket:pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(autouse=True)
def on_the_second(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, second: SecondEngine) -> Iterator[None]:
    """Use it, and see that nothing is left on it; where it was killed, once the next run was there."""
    second.was_killed = False
    monkeypatch.setenv("DOCKER_HOST", second.unix)
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.chdir(tmp_path)
    others = files_of_results()
    yield
    if not second.answers():
        second.start()
    if second.was_killed:
        monkeypatch.setenv("DOCKER_HOST", second.unix)
        assert analyze("?", model=recording(tmp_path / "next", "print(1)"), settings=SETTINGS).text == "Done."
    wait_until(lambda: not second.containers() and not second.shims(), second.left)
    wait_until(lambda: files_of_results() <= others, lambda: str(files_of_results() - others))


def files_of_results() -> set[Path]:
    gc.collect()  # an error and its traceback hold the result, and with it the files
    return set(Path(tempfile.gettempdir()).glob(f"sandloop-*-{os.getpid()}-*"))


def wait_until(true: Callable[[], bool], left: Callable[[], str], seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, left()
        time.sleep(0.02)


async def opened(options: SandboxOptions | None = None) -> SandboxSession:
    return await open_docker(SMALL, options or SandboxOptions(), lambda line: None).open()


@pytest.mark.parametrize("kind", ["unix", "tcp"])
async def test_a_session_works_on_the_engine_that_docker_host_names(
    kind: str, second: SecondEngine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DOCKER_HOST", getattr(second, kind))
    (tmp_path / "a.csv").write_text("a,b\n1,10\n2,32\n")
    session = await opened()
    try:
        assert len(second.containers()) == 1
        await session.put([local_file(tmp_path / "a.csv")])
        assert "b" in await session.preview("a.csv")
        await says(session, "import pandas as pd; df = pd.read_csv('a.csv')")
        assert await says(session, "print(df.b.sum())") == "42"
        assert await says(session, "cat a.csv | wc -l", "bash") == "3"
        await says(session, "import os; open('big', 'wb').write(os.urandom(3_000_000))")
        assert [file.name for file in (await session.files()).files] == ["big"]
        assert len(b"".join([piece async for piece in session.get("big")])) == 3_000_000
        ran = await run(session, "1/0")
        assert ran.error is not None
        assert session.opened.engine.startswith("Docker 2")
    finally:
        await session.close()


def test_an_engine_killed_in_mid_run_is_told_with_all_that_was_done_and_the_session_goes_on_after_its_restart(
    second: SecondEngine, tmp_path: Path
) -> None:
    model = recording(tmp_path / "r", "open('a', 'w').write('a'); print(1)", ENDLESS, "print(3)")
    with Session(model, settings=SETTINGS) as session:
        with pytest.raises(SandboxLost, match=r"the engine at .* went away") as lost:  # noqa: PT012 - killed in the middle
            for event in session.stream("?"):
                if isinstance(event, Output) and "on" in event.text:
                    second.kill()
        assert lost.value.result is not None
        assert [s.ran.stdout for s in lost.value.result.steps if s.ran] == ["1\n"]
        assert [file.name for file in lost.value.result.files] == ["a"]
        assert "on" in "".join(event.text for event in lost.value.result.events if isinstance(event, Output))
        second.start()
        assert session.ask("Again?").text == "Done."


async def test_an_engine_killed_under_a_bare_session_is_a_lost_sandbox_and_the_next_one_opens_after_its_restart(
    second: SecondEngine,
) -> None:
    session = await opened()
    with pytest.raises(SandboxLost, match="went away"):
        await session.run("c", ENDLESS, "python", lambda stream, text: second.kill())
    await session.close()
    with pytest.raises(EngineUnavailable, match="not running"):
        await opened()
    second.start()
    again = await opened()
    assert await says(again, "1 + 1") == "2"
    await again.close()


async def test_an_idle_session_whose_engine_was_restarted_is_told_so(second: SecondEngine) -> None:
    session = await opened()
    second.stop()
    second.start()
    with pytest.raises(SandboxLost, match="restart of the engine"):
        await run(session, "1")
    await session.close()


def test_an_engine_stopped_between_runs_is_told_and_its_restart_is_noticed(second: SecondEngine, tmp_path: Path) -> None:
    model = recording(tmp_path / "r", "print(1)")
    assert analyze("?", model=model, settings=SETTINGS).text == "Done."
    before = find_engine()
    second.stop()
    with pytest.raises(EngineUnavailable, match="not running") as refused:
        analyze("?", model=model, settings=SETTINGS)
    assert refused.value.result is not None
    second.start()
    assert analyze("?", model=model, settings=SETTINGS).text == "Done."
    assert find_engine() is not before


def test_an_engine_killed_between_runs_is_told(second: SecondEngine, tmp_path: Path) -> None:
    model = recording(tmp_path / "r", "print(1)")
    assert analyze("?", model=model, settings=SETTINGS).text == "Done."
    second.kill()
    with pytest.raises(EngineUnavailable, match="not running"):
        analyze("?", model=model, settings=SETTINGS)
    second.start()
    assert analyze("?", model=model, settings=SETTINGS).text == "Done."


def test_an_engine_that_can_apply_no_limits_is_refused_and_nothing_is_run(second: SecondEngine, tmp_path: Path) -> None:
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        pytest.skip("this machine has control groups of version 2 alone: their controllers can't be hidden from an engine")
    model = recording(tmp_path / "r", "print(1)")
    second.stop()
    second.start(limits=False)
    with pytest.raises(Unsafe, match="the engine's MemoryLimit, found False"):
        analyze("?", model=model, settings=SETTINGS)
    assert second.containers() == []
    second.stop()
    second.start()
    assert analyze("?", model=model, settings=SETTINGS).text == "Done."


def test_the_current_context_of_docker_is_used_when_docker_host_is_not_set(
    second: SecondEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from docker.context import ContextAPI

    monkeypatch.delenv("DOCKER_HOST")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
    (tmp_path / "config").mkdir()
    (tmp_path / "config/config.json").write_text("{}")
    ContextAPI.create_context("second", host=second.unix)
    ContextAPI.set_current_context("second")
    assert find_engine().address == second.unix
    assert analyze("?", model=recording(tmp_path / "r", "print(1)"), settings=SETTINGS).text == "Done."


def test_an_engine_restarted_while_nobody_looked_is_used_again_without_a_word(second: SecondEngine, tmp_path: Path) -> None:
    model = recording(tmp_path / "r", "print(1)")
    assert analyze("?", model=model, settings=SETTINGS).text == "Done."
    second.stop()
    second.start()
    assert analyze("?", model=model, settings=SETTINGS).text == "Done."


async def test_a_session_is_told_or_lives_on_when_containerd_is_killed_and_the_next_one_opens(second: SecondEngine) -> None:
    session = await opened()
    second.kill_containerd()
    with contextlib.suppress(SandboxLost):
        await says(session, "1 + 1")
    await session.close()
    second.kill()  # ending in order it would wait for containerd
    second.start()
    again = await opened()
    assert await says(again, "1 + 1") == "2"
    await again.close()


async def test_an_engine_that_stands_still_is_told_in_time(second: SecondEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "LATE_SECONDS", 1.0)
    session = await open_docker(replace(SMALL, step_seconds=1), SandboxOptions(), lambda line: None).open()
    second.signal(signal.SIGSTOP)
    try:
        began = time.monotonic()
        with pytest.raises(SandboxLost, match=r"the engine at .* did not answer in time"):
            await run(session, "1")
        assert time.monotonic() - began < 15
    finally:
        second.signal(signal.SIGCONT)
    await session.close()


async def test_a_container_that_is_paused_ends_at_the_deadline(second: SecondEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "LATE_SECONDS", 1.0)
    session = await open_docker(replace(SMALL, step_seconds=1), SandboxOptions(), lambda line: None).open()
    (container,) = second.containers()
    began = time.monotonic()
    with pytest.raises(SandboxLost, match="paused from outside"):
        await session.run("c", ENDLESS, "python", lambda stream, text: find_engine().client.pause(container))
    assert time.monotonic() - began < 15
    await session.close()


async def test_a_runtime_of_the_engine_is_used_and_reported(second: SecondEngine) -> None:
    second.runtime_used.unlink(missing_ok=True)
    session = await opened(SandboxOptions(runtime=RUNTIME))
    assert await says(session, "1 + 1") == "2"
    assert session.opened.runtime == RUNTIME
    await session.close()
    assert "used" in second.runtime_used.read_text()


def test_a_runtime_that_the_engine_has_not_is_told_with_those_it_has(tmp_path: Path) -> None:
    settings = replace(SETTINGS, sandbox=SandboxOptions(runtime="runsc"))
    with pytest.raises(EngineUnavailable, match=rf"no runtime 'runsc', only .*runc, {RUNTIME}.*--add-runtime"):
        analyze("?", model=recording(tmp_path / "r", "print(1)"), settings=settings)


def test_the_runtime_stands_in_the_result(tmp_path: Path) -> None:
    settings = replace(SETTINGS, sandbox=SandboxOptions(runtime=RUNTIME))
    result = analyze("?", model=recording(tmp_path / "r", "print(1)"), settings=settings)
    assert [event.runtime for event in result.events if isinstance(event, SandboxOpened)] == [RUNTIME]


def test_an_engine_whose_disk_is_full_says_so_and_works_again_with_room(second: SecondEngine, tmp_path: Path) -> None:
    model, place = recording(tmp_path / "r", "print(1)"), second.data / "containers"
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(place)], check=True)
    try:
        (place / "full").write_bytes(bytes(64 * 1024))
        with pytest.raises(EngineUnavailable, match=r"(?i)no space left on device.*Make room"):
            analyze("?", model=model, settings=SETTINGS)
        (place / "full").unlink()
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert analyze("?", model=model, settings=SETTINGS).text == "Done."


def test_an_engine_and_its_caller_killed_together_leave_nothing_once_the_next_run_was_there(second: SecondEngine) -> None:
    program = """
    import anyio
    from docker_runs import SMALL
    from sandloop.options import SandboxOptions
    from sandloop_sandbox.docker import open_docker
    async def main():
        session = await open_docker(SMALL, SandboxOptions(), print).open()
        source = "print('on', flush=True); import time; time.sleep(60)"
        await session.run("c", source, "python", lambda *said: print("on", flush=True))
    anyio.run(main)
    """
    here = Path(__file__).parents[1]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(here), os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, env=env) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == b"on\n"
        second.kill()
        caller.kill()
    second.start()
    sweep(find_engine())
    wait_until(lambda: not second.containers(), lambda: str(second.containers()))


@pytest.mark.parametrize("phase", ["create", "attach", "start"])
async def test_a_container_removed_while_it_is_made_is_told(phase: str, monkeypatch: pytest.MonkeyPatch) -> None:
    found = find_engine()
    original = getattr(found, phase)

    def then_removed(*arguments: object) -> object:
        result = original(*arguments)
        found.remove(str(result if phase == "create" else arguments[0]))
        return result

    monkeypatch.setattr(found, phase, then_removed)
    with pytest.raises(SandboxLost, match="removed"):
        await run(await opened(), "1")
    monkeypatch.undo()


def test_podman_is_found_named_and_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if shutil.which("podman") is None:
        pytest.skip("needs podman")
    with tempfile.TemporaryDirectory(prefix="sl-") as folder:
        address = f"unix://{folder}/podman.sock"
        places = [f"--root={folder}/root", f"--runroot={folder}/run", "--storage-driver=vfs"]
        argv = ["podman", *places, "system", "service", "--time=60", address]
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as service:
            try:
                wait_until(Path(folder, "podman.sock").exists, lambda: "podman does not listen")
                monkeypatch.setenv("DOCKER_HOST", address)
                with pytest.raises(Unsafe, match=r"number of files in a scratch folder, found 'Podman \d"):
                    analyze("?", model=recording(tmp_path / "r", "print(1)"), settings=SETTINGS)
            finally:
                service.terminate()
