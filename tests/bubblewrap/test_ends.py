"""However a session ends, nothing of it is left: processes, descriptors, files."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import anyio
import pytest

from docker_runs import SMALL, Open, run, says
from sandloop.errors import SandboxLost
from sandloop.options import SandboxOptions
from sandloop.ports import SandboxSession
from sandloop_sandbox.bubblewrap import open_bubblewrap
from sandloop_sandbox.bubblewrap_held import found
from sandloop_sandbox.bubblewrap_program import Program


def inside(session: str) -> set[str]:
    """The namespaces of processes of a sandbox, as this machine names them; the outer process itself is in ours."""
    pids = [one.pid for one in found() if one.held.id == session]
    children = [child for pid in pids for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return {str(Path(f"/proc/{child}/ns/pid").readlink()) for child in children}


def living(namespaces: set[str]) -> list[int]:
    """The processes of this machine in these namespaces."""
    there: list[int] = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if str((folder / "ns" / "pid").readlink()) in namespaces:
                    there.append(int(folder.name))
            except OSError:
                continue
    return there


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"it did not come true in {seconds} s"
        time.sleep(0.02)


async def opened() -> SandboxSession:
    return await open_bubblewrap(SMALL, SandboxOptions(engine="bubblewrap"), lambda line: None).open()


async def test_close_is_quick_and_leaves_nothing(bubblewrap: Program) -> None:
    session = await opened()
    await says(session, "import subprocess; subprocess.Popen(['setsid', 'sleep', '600']);")
    namespaces = inside(session.opened.id)
    assert namespaces
    started = time.perf_counter()
    await session.close()
    await session.close()

    assert time.perf_counter() - started < 0.1
    wait_until(lambda: not living(namespaces))
    with pytest.raises(SandboxLost, match="closed"):
        await run(session, "1")


async def test_a_forgotten_session_leaves_nothing(bubblewrap: Program) -> None:
    session = await opened()
    namespaces = inside(session.opened.id)
    del session
    gc.collect()

    wait_until(lambda: not living(namespaces))


async def test_a_cancelled_run_leaves_nothing(bubblewrap: Program) -> None:
    session = await opened()
    namespaces = inside(session.opened.id)
    with anyio.move_on_after(0.3):
        await run(session, "while True:\n    try: __import__('time').sleep(60)\n    except BaseException: pass")

    wait_until(lambda: not living(namespaces))
    with pytest.raises(SandboxLost):
        await run(session, "1")


@pytest.mark.parametrize("after", [0.0, 0.005, 0.02, 0.05, 0.1])
async def test_a_cancelled_open_leaves_nothing(bubblewrap: Program, after: float) -> None:
    with anyio.move_on_after(after):
        await (await opened()).close()
    mine = f"process {os.getpid()} "
    wait_until(lambda: not [one for one in found() if one.held.owner.startswith(mine)], 20)


async def test_twenty_sessions_leave_no_descriptor_and_no_child(bubblewrap: Program) -> None:
    await (await opened()).close()
    wait_until(lambda: not [one for one in found() if one.held.owner.startswith(f"process {os.getpid()} ")])
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        session = await opened()
        await session.close()
        del session
    gc.collect()

    wait_until(lambda: len(list(Path("/proc/self/fd").iterdir())) <= before)


async def test_a_supervisor_that_is_killed_in_mid_run_is_a_lost_sandbox(open_session: Open) -> None:
    session = await open_session(SMALL)
    namespaces = inside(session.opened.id)

    def kill(stream: str, text: str) -> None:
        for pid in living(namespaces):
            with suppress(ProcessLookupError):  # the first one's end is the end of the others
                os.kill(pid, signal.SIGKILL)

    with pytest.raises(SandboxLost, match=r"ended by itself|line broke"):
        await session.run("code", "print('go', flush=True)\nwhile True: pass", "python", kill)


@pytest.mark.parametrize("stage", ["idle", "step", "flood", "bash"])
def test_a_client_killed_at_any_stage_leaves_nothing(bubblewrap: Program, stage: str) -> None:
    source = {
        "idle": "await anyio.sleep(60)",
        "step": "await session.run('a', 'while True: pass', 'python', print)",
        "flood": "await session.run('a', 'while True: print(1)', 'python', lambda *a: None)",
        "bash": "await session.run('a', 'trap : INT TERM; while :; do sleep 1; done', 'bash', print)",
    }[stage]
    program = f"""
    import anyio
    from docker_runs import SMALL
    from sandloop.options import SandboxOptions
    from sandloop_sandbox.bubblewrap import open_bubblewrap
    async def main():
        session = await open_bubblewrap(SMALL, SandboxOptions(engine="bubblewrap"), lambda line: None).open()
        await session.run('w', '1', 'python', lambda *a: None)
        print(session.opened.id, flush=True)
        {source}
    anyio.run(main)
    """
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(["tests", os.environ.get("PYTHONPATH", "")])}
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(program)], stdout=subprocess.PIPE, text=True, env=env) as client:
        assert client.stdout is not None
        namespaces = inside(client.stdout.readline().strip())
        assert namespaces
        client.send_signal(signal.SIGKILL)

    wait_until(lambda: not living(namespaces), 5)


async def test_a_session_outlives_the_thread_that_opened_it(open_session: Open) -> None:
    # The kernel ends a sandbox with the thread that started it; worker threads come and go.
    import threading

    sessions: list[SandboxSession] = []

    async def use() -> None:
        sessions.append(await opened())

    thread = threading.Thread(target=anyio.run, args=(use,))
    thread.start()
    thread.join()
    namespaces = inside(sessions[0].opened.id)
    time.sleep(0.2)
    assert living(namespaces)
    await sessions[0].close()
