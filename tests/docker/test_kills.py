"""Callers and containers that are killed at any moment, and folders that are full: told, nothing is left, the next run works."""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from docker_runs import SMALL, Open, local_file, run, says
from recorded_runs import recording
from sandloop import Settings, analyze
from sandloop.errors import SandboxLost, StorageFailed
from sandloop.limits import MB
from sandloop.ports import SandboxSession
from sandloop_sandbox.container import LABEL
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.line import Line
from sandloop_sandbox.session import LineSession

pytestmark = pytest.mark.alone

SETTINGS = Settings(limits=SMALL)
CALLER = """
import sys
from docker_runs import SMALL
from sandloop import Session, Settings
def say(what):
    print(what, flush=True)
say("begin")
with Session(sys.argv[1], settings=Settings(limits=SMALL)) as session:
    for event in session.stream("?", sys.argv[2:]):
        say(event.kind)
    say("close")
say("end")
"""
PHASES = {
    "run_started": 0.4,  # opening
    "sandbox_opened": 0.2,  # putting the files in, and their previews
    "code_written": 0.3,  # running
    "output": 0.2,  # bringing files back
    "close": 0.05,
}
"""The event after which a caller is killed, and within how many seconds."""
MOMENTS = [(phase, seconds * i / 3) for phase, seconds in PHASES.items() for i in range(4)]


class Callers:
    """Runs callers with a temporary folder of their own."""

    def __init__(self, folder: Path) -> None:
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        self.data = folder / "data.csv"
        self.data.write_text("a,b\n" + "1,2\n" * 2_000_000)
        work = "print('on', flush=True)\nopen('big', 'wb').write(bytes(9_000_000))"
        self.model = recording(folder / "recording", work, "import time; time.sleep(0.3); print(2)")
        self.env = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(["tests", os.environ.get("PYTHONPATH", "")]),
            "TMPDIR": str(self.temporary),
            "SANDLOOP_CONFIG": "/dev/null",
        }

    def start(self) -> subprocess.Popen[str]:
        argv = [sys.executable, "-c", CALLER, self.model, str(self.data)]
        return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=self.env)

    def killed(self, phase: str, seconds: float) -> int:
        """The id of a process that was killed so long after it said that."""
        with self.start() as caller:
            assert caller.stdout is not None
            assert caller.stderr is not None
            for line in caller.stdout:
                if line.strip() == phase:
                    break
            else:
                pytest.fail(f"it never said {phase}: {caller.stderr.read()}")
            time.sleep(seconds)
            caller.kill()
            return caller.pid

    def whole(self) -> str:
        """What a run to its end said last."""
        with self.start() as caller:
            out, err = caller.communicate(timeout=120)
            assert caller.returncode == 0, err
            return out.split()[-1]


def test_a_caller_killed_at_twenty_random_moments_leaves_nothing_that_the_next_run_does_not_remove(
    engine: Engine, tmp_path: Path
) -> None:
    dice, callers = random.Random(14), Callers(tmp_path)
    moments = [(phase, seconds * dice.uniform(0.7, 1.3)) for phase, seconds in MOMENTS]
    with ThreadPoolExecutor(4) as pool:
        pids = list(pool.map(callers.killed, *zip(*moments, strict=True)))
    assert len(pids) == 20

    def left() -> list[str]:
        found = engine.labelled(f"{LABEL}.session").values()
        return [labels[f"{LABEL}.owner"] for labels in found if int(labels[f"{LABEL}.owner"].split()[1]) in pids]

    assert callers.whole() == "end"
    until = time.monotonic() + 20
    while left() and time.monotonic() < until:
        time.sleep(0.05)
    assert left() == []
    assert list(callers.temporary.iterdir()) == []


def container_of(engine: Engine, session: SandboxSession) -> str:
    (container,) = engine.labelled(f"{LABEL}.session={session.opened.id}")
    return container


@pytest.fixture(params=["kill", "rm", "host"])
def end_it(request: pytest.FixtureRequest, engine: Engine) -> Callable[[str], object]:
    """Ways to end a container from outside."""

    def from_the_host(container: str) -> None:
        state = engine.state(container)
        assert state is not None
        os.kill(state["Pid"], signal.SIGKILL)

    if request.param == "host" and os.geteuid() != 0:
        pytest.skip("killing a container's process from the host takes root")
    ways: dict[str, Callable[[str], object]] = {"kill": engine.client.kill, "rm": engine.remove, "host": from_the_host}
    return ways[request.param]


@pytest.mark.parametrize("phase", ["idle", "put", "preview", "run", "files", "get", "close"])
async def test_a_container_ended_from_outside_in_any_phase_is_told_and_the_next_one_works(
    phase: str,
    end_it: Callable[[str], object],
    engine: Engine,
    open_session: Open,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = await open_session(SMALL)
    container = container_of(engine, session)
    (tmp_path / "big.csv").write_bytes(b"a,b\n" + b"1,2\n" * 5_000_000)
    work: Awaitable[object]
    match phase:
        case "put":
            command = Line.command

            def then_ended(line: Line, *data: bytes, **fields: str | int | float) -> None:
                command(line, *data, **fields)
                if fields["op"] == "put":
                    end_it(container)

            monkeypatch.setattr(Line, "command", then_ended)
            work = session.put([local_file(tmp_path / "big.csv")])
        case "preview":
            await session.put([local_file(tmp_path / "big.csv")])
            end_it(container)
            work = session.preview("big.csv")
        case "run":

            def heard(stream: str, text: str) -> None:
                end_it(container)

            work = session.run("c", "print(1, flush=True)\nwhile True: pass", "python", heard)
        case "files":
            end_it(container)
            work = session.files()
        case "get":
            await says(session, "open('big', 'wb').write(bytes(9_000_000))")

            async def fetch() -> None:
                # Not waited for: an engine that kills a container first waits until somebody reads what it said.
                killer = threading.Thread(target=end_it, args=(container,))
                try:
                    while True:
                        async for _ in session.get("big"):
                            if killer.ident is None:
                                killer.start()
                finally:
                    killer.join()

            work = fetch()
        case _:
            end_it(container)
            work = session.close() if phase == "close" else run(session, "1")
    if phase == "close":
        await work
    else:
        with pytest.raises(SandboxLost, match=r"killed or removed|main process was killed from outside"):
            await work
    monkeypatch.undo()
    assert engine.wait_removed(container, 10)
    assert isinstance(session, LineSession)
    with pytest.raises(SandboxLost, match="closed"):
        await run(session, "1")
    assert await says(await open_session(SMALL), "1 + 1") == "2"


@pytest.fixture
def small_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Path]]:
    """Makes a folder of a bounded size the one for temporary files."""
    if os.geteuid() != 0:
        pytest.skip("a folder of a bounded size takes root to mount")
    mounted: list[Path] = []

    def mount(bound: str) -> Path:
        folder = tmp_path / "small"
        folder.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", bound, "tmpfs", str(folder)], check=True)
        mounted.append(folder)
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        return folder

    yield mount
    monkeypatch.undo()
    gc.collect()
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize(
    ("bound", "said"), [("size=2m", "no space left on device"), ("nr_inodes=4", "no space left on device")], ids=["bytes", "inodes"]
)
def test_a_folder_for_files_that_is_full_is_told_with_all_that_was_done_and_the_next_run_works(
    bound: str, said: str, small_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, engine: Engine,
    ours: Callable[[], set[str]],
) -> None:  # fmt: skip
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    made = "open('small', 'w').write('kept'); print('one')"
    many = "print('two')\nfor n in range(6): open(f'{n}', 'wb').write(bytes([n]) * 900_000)"
    model = recording(tmp_path / "recording", made, many)
    folder = small_folder(bound)
    with pytest.raises(StorageFailed, match=said) as full:
        analyze("?", model=model, settings=SETTINGS)
    result = full.value.result
    assert result is not None
    assert [step.ran.stdout for step in result.steps if step.ran] == ["one\n", "two\n"]
    assert result.files["small"].path.read_bytes() == b"kept"
    until = time.monotonic() + 10
    while ours() and time.monotonic() < until:
        time.sleep(0.05)
    assert ours() == set()
    del full, result
    gc.collect()
    assert list(folder.iterdir()) == []
    monkeypatch.setattr(tempfile, "tempdir", None)
    assert analyze("?", model=model, settings=SETTINGS).text == "Done."


def test_a_folder_for_files_that_is_full_from_the_start_is_told(
    small_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    model = recording(tmp_path / "recording", "print(1)")
    folder = small_folder("nr_inodes=1")
    with pytest.raises(StorageFailed, match=r"no space left.*TMPDIR"):
        analyze("?", model=model, settings=SETTINGS)
    assert list(folder.iterdir()) == []


def test_input_given_as_bytes_that_finds_no_room_is_told(
    small_folder: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    model = recording(tmp_path / "recording", "print(1)")
    folder = small_folder("size=1m")
    with pytest.raises(StorageFailed, match="no space left"):
        analyze("?", [("a.csv", bytes(3 * MB))], model=model, settings=replace(SETTINGS))
    gc.collect()
    assert list(folder.iterdir()) == []
