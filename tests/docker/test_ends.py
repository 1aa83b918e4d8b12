"""However a step, a session or its client ends: it is told, and nothing is left."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import replace

import anyio
import pytest

from docker_runs import SMALL, Open, fetched, run, says
from sandloop.errors import SandboxLost
from sandloop.options import SandboxOptions
from sandloop.ports import SandboxSession
from sandloop_sandbox import owner
from sandloop_sandbox.container import LABEL, Container
from sandloop_sandbox.docker import DockerSandbox, open_docker
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import ensure_image
from sandloop_sandbox.session import LineSession
from sandloop_sandbox.sweep import sweep

pytestmark = pytest.mark.alone

Ours = Callable[[], set[str]]


def container_of(engine: Engine, session: SandboxSession) -> str:
    """The id of a session's container, found by its label."""
    assert isinstance(session, LineSession)
    (container,) = engine.labelled(f"{LABEL}.session={session.opened.id}")
    return container


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("import os; os._exit(5)", 5),
        ("import os; os._exit(0)", 0),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", 137),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", 143),
        ("import ctypes; ctypes.string_at(0)", 139),
        ("import os; os.abort()", 134),
        ("import os; os.execv('/bin/sh', ['sh', '-c', 'echo other; exit 9'])", 9),
        ("import os; os.closerange(3, 5000); os._exit(6)", 6),
    ],
)
async def test_a_kernel_that_ends_is_told_by_its_exit_and_replaced(shared: SandboxSession, source: str, code: int) -> None:
    await says(shared, "gone = 1")
    ran = await run(shared, f"print('before', flush=True)\n{source}")

    assert (ran.exit_code, ran.state, ran.stopped_by, ran.error) == (code, "lost", "itself", None)
    assert ran.stdout.startswith("before\n")
    after = await run(shared, "'gone' in globals()")
    assert (after.stdout.strip(), after.state) == ("False", "kept")


async def test_a_crash_in_c_code_names_the_users_line(shared: SandboxSession) -> None:
    ran = await run(shared, "import ctypes\nctypes.string_at(0)")

    assert "Segmentation fault" in ran.stderr
    assert '"<step' in ran.stderr


async def test_daemons_are_gone_after_the_step(session: SandboxSession) -> None:
    source = """
import os, subprocess, time
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True: time.sleep(60)
        os._exit(0)
subprocess.Popen('while :; do sleep 60; done', shell=True, start_new_session=True)
time.sleep(0.2)
"""
    started = time.monotonic()
    await says(session, source)

    assert time.monotonic() - started < 2
    # The supervisor, the kernel, and the zygote once there was a quiet moment to start it.
    assert await says(
        session, "sum(name.isdigit() and open(f'/proc/{name}/stat').read().split()[2] != 'Z' for name in os.listdir('/proc'))"
    ) in ("2", "3")


async def test_a_zygote_that_the_code_killed_costs_a_restart_only(session: SandboxSession) -> None:
    await says(session, "import pandas\nkept = 1")
    source = """
import os, signal
for n in os.listdir('/proc'):
    if n.isdigit() and int(n) not in (1, os.getpid()): os.kill(int(n), signal.SIGKILL)
"""
    await says(session, source)
    assert await says(session, "kept") == "1"
    ran = await run(session, "os._exit(1)")
    assert ran.state == "lost"

    assert await says(session, "import pandas; pandas.DataFrame({'a': [1]}).a.sum()") in ("1", "np.int64(1)")


async def test_sessions_know_nothing_of_each_other(open_session: Open) -> None:
    one, other = await open_session(SMALL), await open_session(SMALL)
    results: dict[str, str] = {}

    async def use(name: str, session: SandboxSession) -> None:
        await says(session, f"name = {name!r}; open('{name}.txt', 'w').write(name)")
        results[name] = await says(session, "import os, time; time.sleep(0.3); (name, os.listdir(), os.getuid())")

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(use, "one", one)
        tasks.start_soon(use, "other", other)
    assert results["one"].startswith("('one', ['one.txt'], ")
    assert results["other"].startswith("('other', ['other.txt'], ")
    assert results["one"].split()[-1] != results["other"].split()[-1]


async def test_close_is_quick_and_leaves_nothing(engine: Engine, ours: Ours) -> None:
    session = await open_docker(SMALL, SandboxOptions(), lambda line: None).open()
    await says(session, "import subprocess; subprocess.Popen(['sleep', '600'])")
    container = container_of(engine, session)
    started = time.perf_counter()
    await session.close()
    took = time.perf_counter() - started
    await session.close()

    assert took < 0.05
    assert engine.wait_removed(container, 10)
    assert container not in ours()
    with pytest.raises(SandboxLost, match="closed"):
        await run(session, "1")


async def test_a_forgotten_session_leaves_nothing(engine: Engine) -> None:
    session = await open_docker(SMALL, SandboxOptions(), lambda line: None).open()
    container = container_of(engine, session)
    del session

    assert engine.wait_removed(container, 10)


async def test_a_cancelled_run_returns_at_once_and_leaves_nothing(engine: Engine) -> None:
    session = await open_docker(SMALL, SandboxOptions(), lambda line: None).open()
    container = container_of(engine, session)
    started = time.monotonic()
    with anyio.move_on_after(0.3):
        await run(session, "import time\nwhile True:\n    try: time.sleep(60)\n    except BaseException: pass")

    assert time.monotonic() - started < 1.3
    assert engine.wait_removed(container, 10)
    with pytest.raises(SandboxLost):
        await run(session, "1")


@pytest.mark.parametrize("after", [0.0, 0.005, 0.02, 0.05, 0.1, 0.15])
async def test_a_cancelled_open_leaves_nothing(ours: Ours, after: float) -> None:
    before = ours()
    with anyio.move_on_after(after):
        session = await open_docker(SMALL, SandboxOptions(), lambda line: None).open()
        await session.close()
    with anyio.fail_after(30):
        while is_starting():
            await anyio.sleep(0.02)
        while ours() - before:
            await anyio.sleep(0.02)


def is_starting() -> bool:
    """Whether a thread of this process is in the middle of starting a container."""
    code = {Container.start.__code__, DockerSandbox._start.__code__}  # pyright: ignore[reportPrivateUsage]
    stacks = (traceback.walk_stack(frame) for frame in sys._current_frames().values())  # pyright: ignore[reportPrivateUsage]
    return any(frame.f_code in code for stack in stacks for frame, _ in stack)


async def test_an_engine_that_goes_away_in_mid_run_is_a_lost_sandbox(engine: Engine, open_session: Open) -> None:
    session = await open_session(SMALL)
    container = container_of(engine, session)

    with pytest.raises(SandboxLost, match="killed or removed"):
        await session.run(
            "code", "print('go', flush=True)\nwhile True: pass", "python", lambda stream, text: engine.remove(container)
        )
    with pytest.raises(SandboxLost):
        await run(session, "1")


@pytest.mark.parametrize("stage", ["idle", "step", "flood", "bash"])
def test_a_client_killed_at_any_stage_leaves_no_container(engine: Engine, stage: str) -> None:
    source = {
        "idle": "await anyio.sleep(60)",
        "step": "await session.run('a', 'while True: pass', 'python', print)",
        "flood": "await session.run('a', 'while True: print(1)', 'python', lambda *a: None)",
        "bash": "await session.run('a', 'trap : INT TERM; while :; do sleep 1; done', 'bash', print)",
    }[stage]
    program = f"""
    import anyio, sys
    from docker_runs import SMALL
    from sandloop.options import SandboxOptions
    from sandloop_sandbox.docker import open_docker
    async def main():
        session = await open_docker(SMALL, SandboxOptions(), lambda line: None).open()
        await session.run('w', '1', 'python', lambda *a: None)
        print(session.opened.id, flush=True)
        {source}
    anyio.run(main)
    """
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(["tests", os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, env=env) as client:
        assert client.stdout is not None
        label = client.stdout.readline().strip()
        (container,) = engine.labelled(f"{LABEL}.session={label}")
        time.sleep(0.3)  # until it is in the middle of it
        client.send_signal(signal.SIGKILL)

    started = time.monotonic()
    assert engine.wait_removed(container, 10)
    assert time.monotonic() - started < 5


async def test_the_sweep_takes_what_a_dead_owner_left_and_nothing_else(engine: Engine, open_session: Open) -> None:
    neighbour = await open_session(SMALL)
    image = ensure_image(engine.client, print)
    dead = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True, check=True)

    def make(labels: dict[str, str]) -> str:
        return engine.create(
            {"Image": image, "Labels": labels, "HostConfig": {"NetworkMode": "none"}}, f"test-{secrets.token_hex(8)}"
        )

    soon = str(int(time.time()) + 1000)
    left = make({f"{LABEL}.session": "x", f"{LABEL}.owner": f"{owner.host_id()} {int(dead.stdout)} 1", f"{LABEL}.deadline": soon})
    late = make({f"{LABEL}.session": "x", f"{LABEL}.owner": "elsewhere 1 1", f"{LABEL}.deadline": "1"})
    foreign = make({"somebody": "else"})
    remote = make({f"{LABEL}.session": "x", f"{LABEL}.owner": "elsewhere 1 1", f"{LABEL}.deadline": soon})
    try:
        assert set(sweep(engine)) == {left, late}
        assert await says(neighbour, "1 + 1") == "2"
        assert foreign in engine.labelled("somebody")
        assert remote in engine.labelled(f"{LABEL}.session")
    finally:
        for container in (foreign, remote):
            engine.remove(container)


async def test_eight_sessions_open_at_once(open_session: Open) -> None:
    results: list[str] = []

    async def use() -> None:
        session = await open_session(replace(SMALL, memory=200_000_000))
        results.extend([await says(session, "print(1 + 1)") for _ in range(5)])

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(use)
    assert results == ["2"] * 40


async def test_an_engine_on_this_machine_is_asked_whatever_another_thread_does_to_the_environment(engine: Engine) -> None:
    over = threading.Event()

    def change() -> None:
        while not over.is_set():
            for number in range(200):
                os.environ[f"OF_TEST_{number}"] = "1"
            for number in range(200):
                del os.environ[f"OF_TEST_{number}"]

    changing, interval = threading.Thread(target=change), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    changing.start()
    try:
        for _ in range(50):
            engine.labelled("sandloop.nobody")
    finally:
        over.set()
        changing.join()
        sys.setswitchinterval(interval)


async def test_a_script_that_closes_all_its_pipes_and_goes_on_costs_the_supervisor_nothing(session: SandboxSession) -> None:
    source = """
ticks() { awk '{print $14 + $15}' /proc/1/stat; }
before=$(ticks)
exec 97>&- 1>&- 2>&-
sleep 2
echo $(($(ticks) - before)) > cost.txt
"""
    ran = await run(session, source, "bash")
    assert ran.stopped_by == "itself"
    assert int(await fetched(session, "cost.txt")) < 30  # hundredths of a second


async def test_output_of_a_step_that_drains_its_own_pipe_still_comes(session: SandboxSession) -> None:
    source = """
import os, time
reader = os.open('/proc/self/fd/1', os.O_RDONLY | os.O_NONBLOCK)
end = time.monotonic() + 1
while time.monotonic() < end:
    os.write(1, b'x')
    try: os.read(reader, 9)
    except BlockingIOError: pass
os.close(reader)
print('y' * 200_000)
"""
    ran = await run(session, source)
    assert (ran.stopped_by, ran.exit_code) == ("itself", 0)
    assert ran.stdout.rstrip().endswith("yyy")
