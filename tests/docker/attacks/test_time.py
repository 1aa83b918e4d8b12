"""A step ends at its time, whatever it does about it; what it started ends with it."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest

from docker_runs import SMALL, Open, fetched, run, says
from sandloop.ports import SandboxSession

pytestmark = pytest.mark.alone

SHORT = replace(SMALL, step_seconds=1.0)


@pytest.mark.parametrize(
    ("source", "language"),
    [
        ("import signal, time\nfor n in range(1, 65):\n    try: signal.signal(n, signal.SIG_IGN)\n    except (OSError, ValueError): pass\ntime.sleep(60)", "python"),
        ("import signal, time; signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65)); time.sleep(60)", "python"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSTOP)", "python"),
        ("import os, signal\nif os.fork() == 0:\n    while True: os.kill(os.getppid(), signal.SIGSTOP)\nimport time; time.sleep(60)", "python"),
        ("import os; os.execv('/bin/bash', ['bash', '-c', 'trap \"\" INT TERM; while :; do sleep 1; done'])", "python"),
        ("import os\nos.setsid() if os.fork() == 0 else None\nos.setpgid(0, 0) if os.getpid() == 0 else None\nimport time\nwhile True:\n    try: time.sleep(60)\n    except BaseException: pass", "python"),
        ("import os, sys, time\nsys.stdout.close(); sys.stderr.close(); os.closerange(1, 10); time.sleep(60)", "python"),
        ("import threading, time\nt = threading.Thread(target=time.sleep, args=(60,)); t.start()\nwhile True:\n    try: t.join()\n    except BaseException: pass", "python"),
        ("import re; re.match(r'(a+)+$', 'a' * 50 + 'b')", "python"),
        ("10 ** 10 ** 9", "python"),
        ("class F:\n    def __del__(self):\n        while True: pass\nF(); 1", "python"),
        ("import asyncio\nasync def f():\n    while True:\n        try: await asyncio.sleep(60)\n        except BaseException: pass\nawait f()", "python"),
        ("import faulthandler, os, signal, time; faulthandler.register(signal.SIGINT, chain=False)\nwhile True:\n    try: time.sleep(60)\n    except BaseException: pass", "python"),
        ("import sys\ndef t(*a): return t\nsys.settrace(t)\nwhile True: pass", "python"),
        ("open('/tmp/fifo', 'w') if __import__('os').mkfifo('/tmp/fifo') is None else 0", "python"),
        ("import ctypes; ctypes.CDLL(None).pause()", "python"),
        ("trap '' INT TERM HUP QUIT; while :; do sleep 1; done", "bash"),
        ("exec >&- 2>&-; sleep 60", "bash"),
        ("exec python3 -c 'import signal, time; signal.signal(2, signal.SIG_IGN); time.sleep(60)'", "bash"),
        ("kill -STOP $$", "bash"),
        ("(setsid bash -c 'while :; do kill -STOP '$$'; done' &) ; sleep 60", "bash"),
        ("trap 'while :; do :; done' EXIT INT; sleep 60", "bash"),
        ("yes", "bash"),
        ("mkfifo /tmp/f; cat /tmp/f", "bash"),
        ("wait; read line < <(sleep 60)", "bash"),
    ],
)  # fmt: skip
async def test_a_step_ends_at_its_time(open_session: Open, source: str, language: str) -> None:
    session = await open_session(replace(SHORT, output_total=10**13))
    await says(session, "open('stays', 'w').write('x')")
    started = time.monotonic()
    ran = await run(session, source, "bash" if language == "bash" else "python")

    assert time.monotonic() - started < 6
    assert ran.stopped_by == "time", ran
    assert ran.exit_code != 0
    assert await says(session, "open('stays').read()") == "'x'"
    assert await says(session, "echo here", "bash") == "here"


@pytest.mark.parametrize(
    "source",
    [
        "subprocess.Popen(beat, shell=True)",
        "subprocess.Popen(beat, shell=True, start_new_session=True)",
        "subprocess.Popen(['setsid', '-f', 'bash', '-c', beat])",
        "subprocess.Popen(f'nohup bash -c {beat!r} >/dev/null 2>&1 & disown', shell=True)",
        "os.fork() or os.setsid() or os.fork() or os.execv('/bin/bash', ['bash', '-c', 'trap \"\" INT TERM HUP; ' + beat])",
        "threading.Thread(target=thread).start()",
        "threading.Thread(target=thread, daemon=True).start()",
        "multiprocessing.Process(target=thread, daemon=True).start()",
        "signal.signal(signal.SIGALRM, alarm); signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)",
        "asyncio.get_running_loop().create_task(task()); await asyncio.sleep(0.1)",
    ],
)
async def test_nothing_runs_on_between_steps(session: SandboxSession, source: str) -> None:
    # Also the kernel's own threads, timers and tasks stand still: what is fetched does not change.
    setup = """
import asyncio, multiprocessing, os, signal, subprocess, threading, time
beat = 'while :; do date +%s%N > beat; done'
def write():
    with open('beat', 'w') as file: file.write(str(time.time_ns()))
def thread():
    while True: write()
def alarm(*a): write()
async def task():
    while True: write(); await asyncio.sleep(0.001)
write()
"""
    await run(session, setup + source + "\ntime.sleep(0.3)")
    for _ in range(3):
        first = await fetched(session, "beat")
        time.sleep(0.02)
        assert await fetched(session, "beat") == first


@pytest.mark.parametrize(("language", "source"), [("python", "import time; time.sleep(0.97)"), ("bash", "sleep 0.97")])
async def test_at_the_moment_of_the_limit_there_is_one_answer_and_the_next_is_not_mixed_up(
    open_session: Open, language: str, source: str
) -> None:
    session = await open_session(SHORT)
    for number in range(4):
        ran = await run(session, source, "bash" if language == "bash" else "python")
        assert ran.stopped_by in ("time", "itself")
        assert await says(session, f"{number} + 100") == f"{number + 100}"
