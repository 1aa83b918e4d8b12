"""What a step takes: bounded everywhere, also where no limit of the container counts it, and the supervisor goes on."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from docker_runs import SMALL, Open, run, says, value
from sandloop.limits import MB
from sandloop.ports import SandboxSession
from sandloop_sandbox.container import LABEL
from sandloop_sandbox.engine import Engine

pytestmark = pytest.mark.alone

EVERY_PLACE = """
import os
for place in ('/workspace', '/tmp', '/dev/shm'):
    number = 0
    try:
        while True:
            with open(f'{place}/big{number}', 'wb', buffering=0) as file:
                number += 1
                try:
                    while file.write(bytes(1 << 20)): pass
                except OSError as error:
                    if error.errno != 27: raise
    except OSError: pass
"""
EVERY_INODE = """
import os
for place in ('/workspace', '/tmp', '/dev/shm'):
    try:
        for number in range(100_000): os.symlink('x' * 4000, f'{place}/{number:0240}')
    except OSError: pass
"""
HOG = "hold = []\nwhile True: hold.append(bytearray(10_000_000))\n"
MEMFD = "import os\nhold = [os.memfd_create(str(i)) for i in range(500)]\nfor fd in hold:\n    for _ in range(49): os.write(fd, bytes(1_000_000))\n"
SOCKETS = """
import socket
hold = []
while True:
    one, other = socket.socketpair(); one.setblocking(False); hold.append((one, other))
    try:
        while True: one.send(bytes(1 << 16))
    except BlockingIOError: pass
"""
PIPES = """
import fcntl, os
hold = []
while True:
    reader, writer = os.pipe(); os.set_blocking(writer, False); hold.append(reader)
    try: fcntl.fcntl(writer, 1031, 1 << 20)
    except OSError: pass
    try:
        while True: os.write(writer, bytes(1 << 16))
    except BlockingIOError: pass
"""
MAPPINGS = "import mmap\nhold = []\nwhile True:\n    m = mmap.mmap(-1, 1 << 24); m[::4096] = b'x' * 4096; hold.append(m)"
MANY = "import os\nfor _ in range(40):\n    if os.fork() == 0: break\n"


@pytest.mark.parametrize("first", [EVERY_PLACE, EVERY_INODE], ids=["bytes", "inodes"])
@pytest.mark.parametrize(
    "then",
    [HOG, MEMFD, SOCKETS, PIPES, MAPPINGS, MANY + HOG, MANY + MEMFD],
    ids=["memory", "memfd", "sockets", "pipes", "mappings", "many processes", "many memfds"],
)
async def test_memory_taken_in_every_way_on_top_of_full_folders_leaves_the_supervisor(
    open_session: Open, first: str, then: str
) -> None:
    session = await open_session(replace(SMALL, memory=100 * MB, input_bytes=5 * MB, step_seconds=15))
    await run(session, first)
    await run(session, then)

    assert await says(session, "1 + 1") == "2"
    assert await says(session, "rm -rf /tmp/* /dev/shm/* /workspace/*; echo here", "bash") == "here"
    assert len((await session.files()).files) == 0


@pytest.mark.parametrize(
    "source",
    [
        "import os\nwhile True: os.fork()",
        "import os, sys\nwhile True:\n    if os.fork() == 0: os.execv(sys.executable, [sys.executable, '-c', 'import os\\nwhile True: os.fork()'])",
        "import os\ndef f():\n    while True:\n        try:\n            if os.fork() == 0: os.setsid()\n        except OSError: pass\nf()",
        "import threading, time\nwhile True:\n    try: threading.Thread(target=time.sleep, args=(99,), daemon=True).start()\n    except RuntimeError: pass",
        "import ctypes\nwhile True: ctypes.CDLL(None).syscall(57)",
    ],
)
async def test_storms_of_processes_end_with_their_step(open_session: Open, source: str) -> None:
    session = await open_session(replace(SMALL, step_seconds=3))
    started = time.monotonic()
    await run(session, source)

    assert time.monotonic() - started < 15
    assert await says(session, "1 + 1") == "2"
    assert await says(session, "echo here", "bash") == "here"
    assert await says(session, "import os; sum(name.isdigit() for name in os.listdir('/proc')) <= 3") == "True"


async def test_children_that_a_failed_step_left_dead_are_buried(open_session: Open) -> None:
    session = await open_session(replace(SMALL, step_seconds=10))
    await run(session, "import os, time\nfor _ in range(5): os.fork() or os._exit(0)\ntime.sleep(0.3)\nraise ValueError")

    assert await says(session, "sum(name.isdigit() for name in os.listdir('/proc')) <= 3") == "True"


async def test_the_number_of_processes_is_bounded_as_seen_from_the_machine(engine: Engine, open_session: Open) -> None:
    session = await open_session(replace(SMALL, step_seconds=4))
    (container,) = engine.labelled(f"{LABEL}.session={session.opened.id}")
    client: Any = engine.client
    most = 0
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, session, "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass")
        for _ in range(8):
            await anyio.sleep(0.3)
            most = max(most, client.stats(container, stream=False, one_shot=True)["pids_stats"].get("current", 0))

    assert 10 < most <= SMALL.processes + 8


async def test_locks_without_number_are_stopped_before_they_cost_the_machine_its_memory(open_session: Open) -> None:
    session = await open_session(replace(SMALL, step_seconds=15))
    source = """
import fcntl, os, struct
files = [os.open(f'/tmp/{i}', os.O_RDWR | os.O_CREAT) for i in range(1000)]
for k in range(1_000_000):
    lock = struct.pack('hhqqi', fcntl.F_WRLCK, 0, 10**9 - 2 * k, 1, 0)
    for file in files: fcntl.fcntl(file, fcntl.F_SETLK, lock)
"""
    before = kernel_memory()
    ran = await run(session, source)

    assert (ran.stopped_by, ran.state) == ("memory", "lost")
    assert kernel_memory() - before < 200_000
    assert await says(session, "import os; sum(1 for _ in open('/proc/locks')) < 1000") == "True"


def kernel_memory() -> int:
    """Kilobytes of the machine's kernel that it can't give back."""
    (line,) = (line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("SUnreclaim"))
    return int(line.split()[1])


async def test_what_is_counted_per_user_is_taken_from_no_neighbour(open_session: Open) -> None:
    greedy, neighbour = await open_session(replace(SMALL, step_seconds=10)), await open_session(SMALL)
    take = """
import ctypes, fcntl, mmap, os, signal
hold = []
try:
    while True:
        reader, writer = os.pipe(); fcntl.fcntl(writer, 1031, 1 << 20); hold += [reader, writer]
except OSError: pass
libc = ctypes.CDLL(None)
signal.pthread_sigmask(signal.SIG_BLOCK, [40])
while libc.sigqueue(os.getpid(), 40, 0) == 0: pass
locked = mmap.mmap(-1, 1 << 26); libc.mlockall(3)
"""
    use = """
import ctypes, fcntl, os, signal
pairs = [os.pipe() for _ in range(20)]
sizes = [fcntl.fcntl(w, 1031, 1 << 18) for r, w in pairs]
signal.pthread_sigmask(signal.SIG_BLOCK, [40])
libc = ctypes.CDLL(None)
min(sizes), libc.sigqueue(os.getpid(), 40, 0)
"""
    await run(greedy, take)
    assert await value(neighbour, use) == (1 << 18, 0)


async def test_no_core_file_is_left(shared: SandboxSession) -> None:
    await run(shared, "import resource, os; resource.setrlimit(resource.RLIMIT_CORE, (0, 0)); os.abort()")

    assert [f.name for f in (await shared.files()).files if "core" in f.name] == []


async def test_descriptors_run_out_for_the_step_alone(session: SandboxSession) -> None:
    ran = await run(session, "import os\nhold = []\nwhile True: hold.append(os.dup(0))")
    assert ran.error is not None
    assert "Too many open files" in ran.error.value

    assert await says(session, "[os.close(n) for n in hold]; 1") == "1"
    assert await says(session, "echo here", "bash") == "here"
