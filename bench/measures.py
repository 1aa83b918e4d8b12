"""How it is measured: each function takes one subject through one round and returns its samples."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio

from figures import Sample
from ground import Ground, Take
from ours import memory_of
from sandloop_sandbox.engine import Engine
from subject import FILE, Subject

PRINT = "print(1 + 1)"
GROUP = f"import pandas as pd, matplotlib.pyplot as plt\nprint(pd.read_csv('{FILE}').groupby('group')['a'].mean())"
ANALYSIS = (
    f"import pandas as pd, matplotlib.pyplot as plt\ndf = pd.read_csv('{FILE}')\nprint(df.shape)",
    "print(df.dtypes)",
    "print(df.describe())",
    "means = df.groupby('group')[['a', 'b']].mean()\nprint(means)",
    "df['ratio'] = df['a'] / (df['b'] + 1)\nprint(df['ratio'].median())",
    "top = df.nlargest(10, 'ratio')\nprint(top)",
    "print(df['group'].value_counts())",
    "print(df[['a', 'b', 'ratio']].corr())",
    "ax = means.plot.bar()\nax.figure.savefig('means.png')\nplt.close('all')",
    "means.to_csv('means.csv')\nprint('done')",
)
"""Ten steps, as an analysis goes: what comes later uses what came before."""
PAUSE_SECONDS = 1.0
STEPS = 20
AT_ONCE, STEPS_EACH = 8, 5
GONE_SECONDS = 20.0
CHILD = Path(__file__).parent / "child.py"


async def warm_steps(ground: Ground, subject: Subject) -> list[Sample]:
    """Steps of a session that has run one already."""
    session = await subject.open()
    await session.run(PRINT)
    times: list[float] = []
    for _ in range(STEPS if subject.name in ("ours", "limit") else 1):
        began = time.perf_counter()
        await session.run(PRINT)
        times.append(time.perf_counter() - began)
    await session.close()
    return [Sample(row="step", subject=subject.name, value=1000 * seconds) for seconds in times]


async def rested_step(ground: Ground, subject: Subject) -> list[Sample]:
    """A step after a pause, as a model makes it while it thinks."""
    session = await subject.open()
    await session.run(PRINT)
    await anyio.sleep(PAUSE_SECONDS)
    began = time.perf_counter()
    await session.run(PRINT)
    seconds = time.perf_counter() - began
    await session.close()
    return [Sample(row="rested", subject=subject.name, value=1000 * seconds)]


def first_output(row: str) -> Take:
    """From nothing in the caller's hands to the first output."""

    async def take(ground: Ground, subject: Subject) -> list[Sample]:
        await subject.ready()
        began = time.perf_counter()
        session = await subject.open()
        said = await session.run(PRINT)
        seconds = time.perf_counter() - began
        await session.close()
        _check(said.strip() == "2", subject, said)
        return [Sample(row=row, subject=subject.name, value=1000 * seconds, warm=session.warm or subject.name != "ours")]

    return take


async def first_table(ground: Ground, subject: Subject) -> list[Sample]:
    """The same with a file that pandas reads and groups."""
    await subject.ready()
    began = time.perf_counter()
    session = await subject.open()
    await session.put(ground.data.csv(5))
    said = await session.run(GROUP)
    seconds = time.perf_counter() - began
    await session.close()
    _check("group" in said, subject, said)
    return [Sample(row="table", subject=subject.name, value=1000 * seconds, warm=session.warm or subject.name != "ours")]


async def analysis(ground: Ground, subject: Subject) -> list[Sample]:
    """Ten steps over a file, open to close."""
    await subject.ready()
    began = time.perf_counter()
    session = await subject.open()
    await session.put(ground.data.csv(10))
    said = ""
    for step in ANALYSIS:
        said = await session.run(step)
    await session.close()
    seconds = time.perf_counter() - began
    _check(said.endswith("done\n"), subject, said)
    return [Sample(row="analysis", subject=subject.name, value=seconds, warm=session.warm or subject.name != "ours")]


async def at_once(ground: Ground, subject: Subject) -> list[Sample]:
    """Several sessions at the same time."""

    async def one() -> str:
        session = await subject.open()
        said = [await session.run(PRINT) for _ in range(STEPS_EACH)]
        await session.close()
        return said[-1].strip()

    began = time.perf_counter()
    if subject.blocking:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            said = list(threads.map(_to_its_end, [one() for _ in range(AT_ONCE)]))
    else:
        said = await asyncio.gather(*(one() for _ in range(AT_ONCE)))
    seconds = time.perf_counter() - began
    _check(said == ["2"] * AT_ONCE or subject.name in ("run", "exec"), subject, str(said))
    return [Sample(row="at_once", subject=subject.name, value=seconds)]


async def files(ground: Ground, subject: Subject) -> list[Sample]:
    """A large file in and out, in a process of its own, and how much that process grows by it."""
    said = await _child("files", subject.name, str(ground.data.bytes(100)))
    return [Sample(row=row, subject=subject.name, value=said[row]) for row in ("in", "out", "files_memory")]


async def endless(ground: Ground, subject: Subject) -> list[Sample]:
    """Five seconds of endless output, and how much the process that reads it grows."""
    said = await _child("endless", subject.name)
    return [Sample(row="endless", subject=subject.name, value=said["grown"])]


async def closing(ground: Ground, subject: Subject) -> list[Sample]:
    """How long close takes for the caller, and until the container is gone."""
    session = await subject.open()
    await session.run(PRINT)
    began = time.perf_counter()
    await session.close()
    closed = time.perf_counter() - began
    gone = await anyio.to_thread.run_sync(_gone, ground.engine, session.container, began)
    return [
        Sample(row="close", subject=subject.name, value=1000 * closed),
        Sample(row="gone", subject=subject.name, value=1000 * gone),
    ]


async def idle(ground: Ground, subject: Subject) -> list[Sample]:
    """What a container holds that waits in a pool."""
    await subject.ready()
    session = await subject.open()
    held = memory_of(ground.engine, session.container)
    await session.close()
    if held is None:
        return []
    return [Sample(row="idle", subject=subject.name, value=held, warm=session.warm or subject.name != "ours")]


def _to_its_end(work: Coroutine[Any, Any, str]) -> str:
    """Drive a coroutine that blocks instead of waiting."""
    try:
        work.send(None)
    except StopIteration as done:
        return str(done.value)
    raise RuntimeError("a blocking subject waited for something")


def _gone(engine: Engine, container: str, began: float) -> float:
    import docker.errors

    client: Any = engine.client
    while time.perf_counter() - began < GONE_SECONDS:
        try:
            client.inspect_container(container)
        except docker.errors.NotFound:
            return time.perf_counter() - began
        time.sleep(0.002)
    raise RuntimeError(f"The container {container} was still there {GONE_SECONDS:g} s after close.")


async def _child(*arguments: str) -> dict[str, float]:
    done = await anyio.run_process([sys.executable, str(CHILD), *arguments], stdin=subprocess.DEVNULL, stderr=None)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def _check(well: bool, subject: Subject, said: str) -> None:
    """A subject that does not do the work has no figure."""
    if not well:
        raise RuntimeError(f"The subject {subject.name!r} printed something else than it should: {said[-500:]!r}")
