"""Floods, odd bytes, closed and re-pointed streams: bounded, counted, and never taken for anything but text."""

from __future__ import annotations

import resource
import time
from dataclasses import replace

import pytest

from docker_runs import SMALL, Live, Open, run, says
from sandloop.limits import MB
from sandloop.ports import SandboxSession

pytestmark = pytest.mark.alone


@pytest.mark.parametrize(
    ("source", "language"),
    [
        ("while True: print('x' * 1000)", "python"),
        ("import sys\nwhile True: sys.stderr.write('y')", "python"),
        ("import os\nwhile True: os.write(1, b'z')", "python"),
        ("import os\nwhile True: os.write(1, b'\\xff' * 60_000); os.write(2, b'\\x80' * 60_000)", "python"),
        ("import sys\nwhile True: sys.stdout.write('no end of the line '); sys.stdout.flush()", "python"),
        ("import os\nfor _ in range(20):\n    if os.fork() == 0: break\nwhile True: os.write(1, b'q' * 10_000)", "python"),
        ("print('\\U0001F600' * 50_000_000)", "python"),
        ("'x' * 40_000_000", "python"),
        ("raise Exception('e' * 40_000_000)", "python"),
        ("yes", "bash"),
        ("yes >&2", "bash"),
        ("cat /dev/zero", "bash"),
        ("cat /dev/urandom", "bash"),
        ("while :; do echo -n; printf '\\r\\0\\033[2J'; done", "bash"),
    ],
)
async def test_a_flood_is_bounded_here_and_there(open_session: Open, source: str, language: str) -> None:
    session = await open_session(replace(SMALL, output_total=20 * MB, step_seconds=8))
    live = Live()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.monotonic()
    ran = await run(session, source, "bash" if language == "bash" else "python", live=live)

    assert time.monotonic() - started < 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40_000
    for text in (ran.stdout, ran.stderr):
        assert len(text.encode("utf-8", "replace")) < 3 * SMALL.output_kept + 200
    assert sum(len(text) for _, text in live.pieces) <= 2 * SMALL.output_kept
    assert await says(session, "1 + 1") == "2"


@pytest.mark.parametrize(
    "source",
    [
        "import os; os.close(1); os.close(2)",
        "import sys; sys.stdout = sys.stderr = None",
        "import os; os.dup2(os.open('/dev/null', 1), 1); os.dup2(1, 2)",
        "import os; os.dup2(os.open('/workspace/out', os.O_WRONLY | os.O_CREAT), 1)",
        "import os; r, w = os.pipe(); os.dup2(w, 1); os.close(r)",
        "import sys; sys.stdout.detach(); sys.__stdout__ = 5",
        "import sys, io; sys.stdout.detach();",
        "import sys, io; sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8')",
        "import sys, io; sys.stdout, sys.stderr = (io.TextIOWrapper(s.detach(), encoding='utf-8') for s in (sys.stdout, sys.stderr))",
        "import sys, codecs; sys.stdout = codecs.getwriter('utf-8')(sys.stdout.detach())",
        "import sys; sys.stdout.reconfigure(newline='\\r\\n'); sys.stdout.write = None",
        "import sys, io; sys.stdout = io.TextIOWrapper(io.BytesIO(), encoding='utf-16')",
        "import os\nfor n in range(3, 2000):\n    try: os.close(n)\n    except OSError: pass",
        "import os\nfor n in range(1000, 1004):\n    try: os.dup2(0, n)\n    except OSError: pass",
        "import builtins; builtins.print = lambda *a, **k: 1 / 0",
        "import os, fcntl; fcntl.fcntl(1, fcntl.F_SETFL, os.O_NONBLOCK | os.O_APPEND)",
        "import os; os.open('/proc/self/fd/1', os.O_RDONLY | os.O_NONBLOCK)",
        "import socket, os; a, b = socket.socketpair(); os.dup2(a.fileno(), 1)",
    ],
)
async def test_what_a_cell_does_to_its_streams_is_over_with_it(open_session: Open, source: str) -> None:
    session = await open_session(replace(SMALL, step_seconds=3))
    await run(session, source)
    await run(session, "1")  # one that closed its own lines is replaced by now

    ran = await run(session, "import sys; sys.stdout.write('out\\n'); sys.stderr.write('err\\n');")
    assert (ran.stdout, ran.stderr, ran.ok) == ("out\n", "err\n", True)
    assert await says(session, "echo here", "bash") == "here"


async def test_another_process_that_reads_the_output_away_costs_its_own_step_only(session: SandboxSession) -> None:
    source = """
import os, subprocess, time
child = subprocess.Popen(['bash', '-c', f'cat /proc/{os.getpid()}/fd/1 > /dev/null'])
time.sleep(0.3); print('x' * 10_000)
"""
    await run(session, source)
    assert await says(session, "print('heard')") == "heard"


@pytest.mark.parametrize("at", range(0, 8))
async def test_characters_at_every_cut_are_whole_or_marked(open_session: Open, at: int) -> None:
    session = await open_session(replace(SMALL, output_kept=4_000))
    ran = await run(session, f"print('a' * {at} + 'ü€\\U0001F600' * 3_000)")

    assert ran.ok
    assert ran.stdout_cut > 0
    assert set(ran.stdout.replace(f"\n[{ran.stdout_cut} bytes left out]\n", "")) <= set("aü€\U0001f600\n\ufffd")
