"""Each limit ends a step, says which it was, and the session goes on."""

from __future__ import annotations

import resource
import time
from dataclasses import replace

import anyio
import pytest

from docker_runs import SMALL, Live, Open, fetched, run, says
from sandloop.errors import BadFile, SandboxLost
from sandloop.limits import MB
from sandloop.ports import SandboxSession
from sandloop_sandbox.engine import Engine

pytestmark = pytest.mark.alone

SHORT = replace(SMALL, step_seconds=1.0)


@pytest.mark.parametrize(
    "source",
    [
        "while True: pass",
        "import time; time.sleep(60)",
        "import subprocess; subprocess.run(['sleep', '60'])",
        "await asyncio.sleep(60)",
    ],
)
async def test_a_step_over_its_time_is_interrupted_and_keeps_its_state(open_session: Open, source: str) -> None:
    session = await open_session(SHORT)
    await says(session, "import asyncio\nkept = 1")
    started = time.monotonic()
    ran = await run(session, source)

    assert 0.9 < time.monotonic() - started < 2.5
    assert (ran.stopped_by, ran.state, ran.exit_code) == ("time", "kept", 130)
    assert ran.error is not None
    assert ran.error.name == "KeyboardInterrupt"
    assert "<step 2>" in ran.error.traceback
    assert await says(session, "kept") == "1"


@pytest.mark.parametrize(
    "source",
    [
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\nwhile True: pass",
        "while True:\n try:\n  while True:\n   try:\n    while True: sum(range(100))\n   except BaseException: pass\n"
        " except BaseException: pass",
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        "import collections, itertools; collections.deque(itertools.count(), maxlen=0)",
        "import os; os.execvp('bash', ['bash', '-c', 'trap \"\" INT; while :; do :; done'])",
    ],
)
async def test_a_step_that_takes_no_interrupt_is_killed_and_its_state_is_lost(open_session: Open, source: str) -> None:
    session = await open_session(SHORT)
    await says(session, "gone = 1; open('file.txt', 'w').write('stays')")
    started = time.monotonic()
    ran = await run(session, source)

    assert time.monotonic() - started < 4
    assert (ran.stopped_by, ran.state, ran.exit_code) == ("time", "lost", 137)
    assert await says(session, "'gone' in globals(), open('file.txt').read()") == "(False, 'stays')"


async def test_a_bash_step_over_its_time_is_ended_with_all_it_started(open_session: Open) -> None:
    session = await open_session(SHORT)
    await says(session, "kept = 1")
    ran = await run(session, "trap '' INT TERM; (while :; do :; done) & while :; do sleep 1; done", "bash")

    assert (ran.stopped_by, ran.state, ran.exit_code) == ("time", "kept", 137)
    assert await says(session, "kept") == "1"
    # The supervisor, the kernel, and the zygote once there was a quiet moment to start it.
    assert await says(session, "import os; sum(name.isdigit() for name in os.listdir('/proc'))") in ("2", "3")


async def test_growing_memory_is_stopped_and_says_memory(session: SandboxSession) -> None:
    await says(session, "kept = 1")
    ran = await run(session, "hold = []\nwhile True: hold.append(bytearray(10_000_000))")

    assert (ran.stopped_by, ran.state, ran.exit_code) == ("memory", "lost", 137)
    assert await says(session, "1 + 1") == "2"


async def test_memory_of_many_child_processes_counts_together(session: SandboxSession) -> None:
    source = """
import subprocess, sys
code = "import time; hold = bytearray(100_000_000); hold[::4096] = b'x' * len(hold[::4096]); time.sleep(3)"
children = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(12)]
codes = [c.wait() for c in children]
assert not any(codes), codes
"""
    ran = await run(session, source)

    assert ran.stopped_by == "memory"
    assert await says(session, "1 + 1") == "2"


async def test_one_request_for_too_much_memory_is_an_ordinary_error(session: SandboxSession) -> None:
    ran = await run(session, "x = bytearray(10**15)")

    assert ran.error is not None
    assert (ran.error.name, ran.stopped_by, ran.state) == ("MemoryError", "itself", "kept")


async def test_a_fork_bomb_stops_at_the_process_limit(open_session: Open) -> None:
    session = await open_session(replace(SMALL, step_seconds=3))
    await says(session, "kept = 1")
    ran = await run(session, "import os, time\nwhile True:\n    if os.fork() == 0: time.sleep(60)")
    assert (ran.stopped_by, ran.state) == ("processes", "kept")
    assert await says(session, "kept") == "1"

    ran = await run(session, "bomb() { bomb | bomb & }; bomb; wait; sleep 60", "bash")
    assert ran.stopped_by in ("time", "processes")
    assert await says(session, "kept") == "1"


async def test_too_many_threads_are_refused(session: SandboxSession) -> None:
    ran = await run(
        session, "import threading, time\nfor _ in range(500): threading.Thread(target=time.sleep, args=(30,), daemon=True).start()"
    )

    assert ran.stopped_by == "processes"
    assert ran.error is not None


async def test_a_full_working_folder_says_disk(session: SandboxSession) -> None:
    await says(session, "kept = 1")
    ran = await run(session, "with open('big', 'wb') as f:\n    while True: f.write(bytes(1_000_000))")

    assert (ran.stopped_by, ran.state) == ("disk", "kept")
    assert await says(session, "import os; os.remove('big'); kept") == "1"


@pytest.mark.parametrize(
    "source",
    [
        "with open('/tmp/big', 'wb') as f:\n    while True: f.write(bytes(1_000_000))",
        "import os; os.posix_fallocate(os.open('big', os.O_CREAT | os.O_RDWR), 0, 30_000_000)",
        "import numpy as np; np.save('big.npy', np.zeros(30_000_000, dtype='u1'))",
        "open('big', 'wb').truncate(10**12)",
        "try:\n    with open('big', 'wb') as f:\n        while True: f.write(bytes(1_000_000))\nfinally: os.remove('big')",
    ],
)
async def test_no_room_for_a_file_says_disk_wherever_and_also_when_it_was_removed(open_session: Open, source: str) -> None:
    session = await open_session(replace(SMALL, memory=600 * MB))
    ran = await run(session, f"import os\n{source}")

    assert (ran.stopped_by, ran.ok) == ("disk", False), ran
    assert await says(session, "1 + 1") == "2"


async def test_another_error_beside_a_full_folder_is_no_matter_of_disk(session: SandboxSession) -> None:
    await run(session, "with open('big', 'wb') as f:\n    while True: f.write(bytes(1_000_000))")

    assert (await run(session, "1 / 0")).stopped_by == "itself"
    assert (await run(session, "open('more', 'w').write('x')")).stopped_by in ("disk", "itself")
    assert (await run(session, "with open('more', 'wb') as f: f.write(bytes(1_000_000))")).stopped_by == "disk"


async def test_no_scratch_place_takes_more_than_its_share(session: SandboxSession) -> None:
    source = """
import os
taken = {}
for place in ('/workspace', '/tmp', '/dev/shm'):
    with open(place + '/big', 'wb', buffering=0) as file:
        try:
            while True: file.write(bytes(1_000_000))
        except OSError as error:
            taken[place] = (file.tell() // 1_000_000, error.errno)
    os.remove(place + '/big')
taken
"""
    assert await says(session, source) == "{'/workspace': (20, 28), '/tmp': (50, 27), '/dev/shm': (50, 27)}"


async def test_no_scratch_place_takes_endless_files(session: SandboxSession) -> None:
    ran = await run(session, "import pathlib\nfor i in range(100_000): pathlib.Path(f'/dev/shm/{i}').touch()")

    assert ran.error is not None
    assert "No space left" in ran.error.value


@pytest.mark.parametrize("source", ["while True: print('x' * 1000)", "import sys\nwhile True: sys.stderr.write('y' * 100_000)"])
async def test_an_endless_print_is_stopped_and_costs_us_little(session: SandboxSession, source: str) -> None:
    await says(session, "kept = 1")
    live = Live()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ran = await run(session, source, live=live)

    assert (ran.stopped_by, ran.state) == ("output", "kept")
    text, cut = (ran.stdout, ran.stdout_cut) if ran.stdout else (ran.stderr, ran.stderr_cut)
    assert len(text) < SMALL.output_kept + 100
    assert cut + len(text) > SMALL.output_total
    assert f"[{cut} bytes left out]" in text
    assert "".join(text for _, text in live.pieces).startswith(text[:1000])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 30_000
    assert await says(session, "kept") == "1"


async def test_the_end_of_a_long_output_is_kept_too(session: SandboxSession) -> None:
    ran = await run(session, "for i in range(100_000): print(i)")

    assert ran.ok
    assert ran.stdout.startswith("0\n1\n2\n")
    assert ran.stdout.endswith("99998\n99999\n")
    # What is left, what was cut, and what was printed, add up.
    marker = f"\n[{ran.stdout_cut} bytes left out]\n"
    assert len(ran.stdout) - len(marker) + ran.stdout_cut == sum(len(f"{i}\n") for i in range(100_000))


async def test_a_flood_does_not_keep_the_time_limit_from_coming(open_session: Open) -> None:
    session = await open_session(replace(SHORT, output_total=10**15))
    started = time.monotonic()
    ran = await run(session, "import os\nblock = b'z' * 65536\nwhile True: os.write(1, block)")

    assert ran.stopped_by == "time"
    assert time.monotonic() - started < 3


async def test_an_interrupt_stops_the_step_and_keeps_the_state(session: SandboxSession) -> None:
    await says(session, "kept = 1")
    started = time.monotonic()
    source = "print('go', flush=True)\nwhile True: pass"
    ran = await session.run("i", source, "python", lambda stream, text: anyio.from_thread.run(session.interrupt))

    assert time.monotonic() - started < 2
    assert (ran.stopped_by, ran.state, ran.stdout) == ("interrupt", "kept", "go\n")
    assert await says(session, "kept") == "1"


async def test_an_interrupt_between_steps_stops_nothing(session: SandboxSession) -> None:
    await says(session, "kept = 1")
    await session.interrupt()

    assert await says(session, "kept") == "1"


async def test_the_session_ends_itself_when_its_time_is_over(open_session: Open) -> None:
    session = await open_session(replace(SMALL, session_seconds=2))
    with pytest.raises(SandboxLost, match="ended by itself"):
        await run(session, "import time; time.sleep(10)")


async def test_limits_above_the_machine_are_brought_down_to_it(engine: Engine, open_session: Open) -> None:
    session = await open_session(replace(SMALL, memory=10**13 // MB * MB, cpus=4000))

    assert await says(session, "import os; print(os.environ['OMP_NUM_THREADS'])") == str(engine.host.cpus)


async def test_processors_beyond_the_limit_are_not_used(open_session: Open) -> None:
    session = await open_session(replace(SMALL, cpus=0.5))
    source = """
import os, time
children = []
for _ in range(4):
    pid = os.fork()
    if pid == 0:
        end = time.monotonic() + 2
        while time.monotonic() < end: pass
        os._exit(0)
    children.append(pid)
began = time.monotonic()
for pid in children: os.waitpid(pid, 0)
used = os.times()
(used.children_user + used.children_system) / (time.monotonic() - began) < 0.8
"""
    assert await says(session, source) == "True"


async def test_a_file_over_its_size_is_named_and_not_brought_back(open_session: Open) -> None:
    session = await open_session(replace(SMALL, file_bytes=1 * MB))
    await says(session, "open('small', 'wb').write(bytes(1_000_000)); open('large', 'wb').write(bytes(1_000_001));")

    assert len(await fetched(session, "small")) == 1 * MB
    with pytest.raises(BadFile, match="larger than 1000000 bytes"):
        await fetched(session, "large")
