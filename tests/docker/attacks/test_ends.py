"""Every end of a step is told as what it is; the next step works; what was lost is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import anyio
import pytest

from docker_runs import SMALL, Open, run, says
from sandloop.events import StoppedBy
from sandloop.feedback import describe_run
from sandloop.limits import MB
from sandloop.ports import SandboxSession
from sandloop_sandbox import policy

pytestmark = pytest.mark.alone

LIMITS = replace(SMALL, step_seconds=60, output_total=2 * MB)
SHORT = replace(LIMITS, step_seconds=2)
HOG = "hold = []\nwhile True: hold.append(bytearray(10_000_000))"


@pytest.mark.parametrize(
    ("language", "source", "stopped_by", "state", "exit_code", "out_of_memory"),
    [
        ("python", "1 / 0", "itself", "kept", 1, None),
        ("python", "import sys; sys.exit(3)", "itself", "kept", 3, None),
        ("python", "await asyncio.sleep(0); raise SystemExit(4)", "itself", "kept", 4, None),
        ("python", "import os; os._exit(5)", "itself", "lost", 5, None),
        ("python", "import ctypes; ctypes.string_at(0)", "itself", "lost", 139, None),
        ("python", "import os; os.abort()", "itself", "lost", 134, None),
        ("python", "import os; os.kill(os.getpid(), 9)", "itself", "lost", 137, None),
        ("python", "import ctypes; ctypes.CDLL(None).syscall(0x40000000 + 41, 40, 1, 0)", "itself", "lost", 159, None),
        ("python", "class A:\n    def __getattr__(s, n): return getattr(s, n)\nimport sys; sys.setrecursionlimit(10**9); A().x", "itself", "lost", 139, None),
        ("python", "while True: pass", "time", "kept", 130, None),
        ("python", "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass", "time", "lost", 137, None),
        ("python", HOG, "memory", "lost", 137, "kernel"),
        ("python", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOG!r}], check=True)", "memory", "kept", 1, "child"),
        ("python", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {HOG!r}])", "itself", "kept", 0, "child"),
        ("python", "while True: print('x' * 1000)", "output", "kept", 130, None),
        ("python", "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(60)", "processes", "kept", 1, None),
        ("python", "with open('big', 'wb') as f:\n    while True: f.write(bytes(1_000_000))", "disk", "kept", 1, None),
        ("bash", "exit 3", "itself", "kept", 3, None),
        ("bash", "false", "itself", "kept", 1, None),
        ("bash", "kill -9 $$", "itself", "kept", 137, None),
        ("bash", "kill -SEGV $$", "itself", "kept", 139, None),
        ("bash", "sleep 60", "time", "kept", 130, None),
        ("bash", "trap '' INT; while :; do :; done", "time", "kept", 137, None),
        ("bash", "tail /dev/zero", "memory", "kept", 137, "child"),
        ("bash", "tail /dev/zero; exit 0", "itself", "kept", 0, "child"),
        ("bash", "yes", "output", "kept", 130, None),
        ("bash", "python3 -c 'import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(60)'", "processes", "kept", 1, None),
        ("bash", "cat /dev/zero > big", "disk", "kept", 1, None),
    ],
)  # fmt: skip
async def test_a_result_says_what_stopped_it_and_the_session_goes_on(
    open_session: Open,
    language: Literal["python", "bash"],
    source: str,
    stopped_by: StoppedBy,
    state: str,
    exit_code: int | None,
    out_of_memory: str | None,
) -> None:
    session = await open_session(SHORT if stopped_by == "time" else LIMITS)
    await says(session, "import asyncio\nkept = 1; open('stays', 'w').write('x')")
    ran = await run(session, source, language)

    assert (ran.stopped_by, ran.state, ran.out_of_memory) == (stopped_by, state, out_of_memory), ran
    assert exit_code in (None, ran.exit_code)
    told = describe_run(ran, [])
    assert ("All variables are gone" in told) == (state == "lost")
    assert ("killed for memory" in told) == (out_of_memory is not None)
    assert (await run(session, "rm -f big; cat stays", "bash")).stdout == "x"
    after = await run(session, "'kept' in globals(), open('stays').read()")
    assert (after.stdout.strip(), after.state, after.out_of_memory) == (f"({state == 'kept'}, 'x')", "kept", None)


@pytest.mark.parametrize(("language", "source"), [("python", "while True: pass"), ("bash", "sleep 60")])
async def test_an_interrupted_step_says_so(open_session: Open, language: Literal["python", "bash"], source: str) -> None:
    session = await open_session(LIMITS)
    await says(session, "kept = 1")
    started = {"python": "print('go', flush=True)\n", "bash": "echo go\n"}[language]
    ran = await session.run("i", started + source, language, lambda stream, text: anyio.from_thread.run(session.interrupt))

    assert (ran.stopped_by, ran.state) == ("interrupt", "kept")
    assert await says(session, "kept") == "1"


async def test_a_script_that_gets_the_frozen_kernel_killed_says_that_the_variables_are_gone(open_session: Open) -> None:
    session = await open_session(replace(SMALL, memory=600 * MB, input_bytes=1 * MB))
    # The largest of all, so the first to go.
    await says(session, "hold = bytearray(800_000_000)\nfor at in range(0, len(hold), 4096): hold[at] = 1")
    ran = await run(session, "tail /dev/zero; exit 0", "bash")

    assert (ran.out_of_memory, ran.state) == ("kernel", "lost"), ran
    assert await says(session, "1 + 1") == "2"


async def test_folders_larger_than_the_memory_cost_steps_and_not_the_session(
    open_session: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As on a machine that has not got more.
    monkeypatch.setattr(policy, "OURS", -500 * MB)
    session = await open_session(SMALL)
    fill = """
import os
for place in ('/tmp', '/dev/shm'):
    for number in range(6):
        with open(f'{place}/{number}', 'wb', buffering=0) as file:
            try:
                while file.write(bytes(1 << 20)): pass
            except OSError: pass
"""
    assert {(await run(session, fill)).stopped_by for _ in range(3)} == {"memory"}
    # There is no memory left for any program, but the supervisor answers.
    assert (await session.files()).files == ()


async def test_a_step_right_after_every_kind_of_end_starts_fresh(session: SandboxSession) -> None:
    for source in ("os._exit(0)", "os.kill(os.getpid(), 9)", "os.execv('/bin/true', ['true'])", "os.closerange(3, 5000)"):
        await says(session, "import os\nkept = 1")
        ran = await run(session, source)
        assert ran.state == "lost" or (await run(session, "1")).state == "lost"
        assert await says(session, "'kept' in globals()") == "False"
