"""A file goes in and comes out whole, with its time and without its modes, and is never held in our memory."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

import large_file
from docker_runs import Open, local_file, says
from hostile_wire import file_at
from sandloop.errors import BadFile
from sandloop.limits import MB
from sandloop.ports import SandboxSession
from sandloop_sandbox.engine import Engine

pytestmark = pytest.mark.alone

SIZE = 300 * MB
LONG_AGO = 981_173_106
"""A Saturday in February 2001, in seconds of Unix."""


def test_three_hundred_megabytes_go_in_and_out_without_being_held(engine: Engine, tmp_path: Path) -> None:
    small, large, folder = tmp_path / "small.bin", tmp_path / "large.bin", tmp_path / "saved"
    small.write_bytes(b"x" * 5 * MB)
    block, digest = os.urandom(MB), hashlib.sha256()
    with large.open("wb") as file:
        for _ in range(SIZE // MB):
            file.write(block)
            digest.update(block)
    os.utime(large, (LONG_AGO, LONG_AGO))
    large.chmod(0o755)
    before = large.stat()

    command = [sys.executable, large_file.__file__, str(small), str(large), str(folder)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, timeout=300)
    told = json.loads(done.stdout)

    assert told["sha256"] == digest.hexdigest()
    assert Path(told["saved"]).stat().st_size == SIZE
    assert told["mode"] == 0o600
    assert told["modified"] == LONG_AGO
    assert told["grown"] * 1024 <= 30 * MB
    assert (large.stat().st_mtime_ns, large.stat().st_mode, large.stat().st_size) == (before.st_mtime_ns, before.st_mode, SIZE)


async def test_an_input_keeps_its_time_and_can_never_be_executed(session: SandboxSession, tmp_path: Path) -> None:
    path = tmp_path / "run.sh"
    path.write_text("#!/bin/sh\necho ran\n")
    path.chmod(0o777)
    os.utime(path, (LONG_AGO, LONG_AGO + 0.5))
    await session.put([local_file(path)])

    assert await says(session, "import os; print(os.path.getmtime('run.sh'), oct(os.stat('run.sh').st_mode & 0o777))") == (
        f"{LONG_AGO + 0.5} 0o444"
    )


async def test_a_file_that_became_shorter_is_a_bad_file_and_leaves_nothing(session: SandboxSession, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("short")
    await says(session, "x = 41")

    with pytest.raises(BadFile, match="shorter"):
        await session.put([file_at(path, size=1_000_000)])
    assert await says(session, "import os; print(x + 1, os.listdir(), os.listdir('/input'))") == "42 [] []"
    await session.put([local_file(path)])
    assert await says(session, "open('log.txt').read()") == "'short'"


async def test_a_file_that_became_longer_goes_in_as_it_was_taken(session: SandboxSession, tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_text("taken and more")

    await session.put([file_at(path, size=5)])
    assert await says(session, "open('log.txt').read()") == "'taken'"


async def test_an_interrupt_in_the_middle_of_a_file_is_nothing(open_session: Open, tmp_path: Path) -> None:
    session = await open_session(large_file.LIMITS)
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(100 * MB)

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(session.put, [file_at(path)])
        for _ in range(20):
            await session.interrupt()
    assert await says(session, "import os; print(os.path.getsize('large'))") == str(100 * MB)
