"""Containers made ahead in this process: quick, fresh, checked, given once, and gone when nobody wants them."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from docker_runs import SMALL, run, says
from sandloop.options import SandboxOptions
from sandloop.ports import SandboxSession
from sandloop_sandbox import ahead, pool, stock
from sandloop_sandbox.container import LABEL, Container
from sandloop_sandbox.docker import open_docker
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import ensure_image
from sandloop_sandbox.inventory import held
from sandloop_sandbox.pool import Pool
from sandloop_sandbox.session import LineSession

pytestmark = pytest.mark.alone

Ours = Callable[[], set[str]]
POOLED = SandboxOptions(warm="process")


@pytest.fixture(autouse=True)
def own_pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pool]:
    """The process's pool, for one test."""
    made = Pool(ahead.make, ahead.start)
    monkeypatch.setattr(pool, "_pool", made)
    yield made
    made.close()


async def opened(options: SandboxOptions = POOLED) -> SandboxSession:
    return await open_docker(SMALL, options, lambda line: None).open()


@asynccontextmanager
async def closing(session: SandboxSession) -> AsyncGenerator[SandboxSession]:
    try:
        yield session
    finally:
        await session.close()


async def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    with anyio.fail_after(seconds):
        while not holds():
            await anyio.sleep(0.02)


async def test_after_the_first_session_the_next_ones_come_ready(own_pool: Pool) -> None:
    kinds: list[tuple[bool, float]] = []
    for _ in range(3):
        session = await opened()
        kinds.append((session.opened.warm, session.opened.seconds or 0.0))
        await says(session, "1 + 1")
        await session.close()
        await until(lambda: own_pool.ready() == 1)

    assert [warm for warm, _ in kinds] == [False, True, True]
    assert max(seconds for _, seconds in kinds[1:]) < kinds[0][1] / 3


async def test_one_that_comes_ready_is_as_closed_as_any_and_nobody_used_it(own_pool: Pool) -> None:
    async with closing(await opened()):
        await until(lambda: own_pool.ready() == 1)
    async with closing(await opened()) as session:
        assert session.opened.warm
        assert session.opened.image.startswith("sha256:")
        assert session.opened.engine.startswith("Docker ")
        ran = await run(session, "import os; print(os.listdir('.'), os.listdir('/tmp'), os.listdir('/sys/class/net'))")
        assert ran.stdout == "[] [] ['lo']\n"
        await says(session, "import sys; assert {'numpy', 'pandas', 'matplotlib'} <= set(sys.modules)")


async def test_ps_tells_one_that_waits_from_one_that_works(own_pool: Pool, engine: Engine, ours: Ours) -> None:
    def states() -> list[str]:
        return sorted(one.state for one in held(engine) if one.id in mine)

    async with closing(await opened()) as first:
        await until(lambda: own_pool.ready() == 1)
        mine = {labels[f"{LABEL}.session"] for id_, labels in engine.labelled(f"{LABEL}.session").items() if id_ in ours()}
        assert (first.opened.id in mine, states()) == (True, ["in use", "ready"])
        async with closing(await opened()) as second:
            assert second.opened.warm
            await says(second, "1")
            assert (second.opened.id in mine, states()) == (True, ["in use", "in use"])


async def test_each_session_has_a_container_and_a_user_of_its_own(own_pool: Pool) -> None:
    users: set[str] = set()
    names: set[str] = set()
    for _ in range(3):
        async with closing(await opened()) as session:
            names.add(session.opened.id)
            users.add((await run(session, "import os; print(os.getuid())")).stdout)
            await run(session, "open('mine', 'w').write('x')")
            await until(lambda: own_pool.ready() == 1)
    assert len(users) == len(names) == 3


async def test_the_limits_of_the_session_that_takes_it_count() -> None:
    async with closing(await opened()):
        pass
    other = replace(SMALL, step_seconds=0.5)
    await until(lambda: pool.process_pool(ahead.make, ahead.start).ready() == 1)
    async with closing(await open_docker(other, POOLED, lambda line: None).open()) as session:
        assert session.opened.warm
        assert (await run(session, "while True: pass")).stopped_by == "time"


async def test_another_kind_of_container_is_never_given(own_pool: Pool) -> None:
    async with closing(await opened()):
        await until(lambda: own_pool.ready() == 1)
    async with closing(await open_docker(replace(SMALL, memory=SMALL.memory // 2), POOLED, lambda line: None).open()) as session:
        assert not session.opened.warm
    assert own_pool.ready() == 1


async def test_by_default_one_session_has_one_container(own_pool: Pool, ours: Ours, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ahead, "AUTO", "process")
    monkeypatch.setattr(stock, "QUIET", 0.0)
    before = ours()
    first = await opened(SandboxOptions())
    await anyio.sleep(0.5)
    assert len(ours() - before) == 1
    await first.close()
    # The process goes on: now one is made for the next.
    await until(lambda: own_pool.ready() == 1)
    async with closing(await opened(SandboxOptions())) as second:
        assert second.opened.warm


@pytest.mark.parametrize("options", [SandboxOptions(warm="off"), SandboxOptions(warm="process", pool=0)])
async def test_switched_off_nothing_is_made_ahead(own_pool: Pool, options: SandboxOptions) -> None:
    for _ in range(2):
        async with closing(await opened(options)) as session:
            assert not session.opened.warm
    assert own_pool.ready() == 0


async def test_one_that_died_in_the_pool_is_not_given_out(own_pool: Pool, engine: Engine, ours: Ours) -> None:
    async with closing(await opened()) as session:
        await until(lambda: own_pool.ready() == 1)
        (waiting,) = ours() - {_container_of(engine, session)}
    engine.remove(waiting)
    async with closing(await opened()) as session:
        await says(session, "1 + 1")
    await until(lambda: own_pool.ready() == 1)


async def test_a_sessions_time_begins_with_its_first_command(engine: Engine) -> None:
    brief = replace(SMALL, session_seconds=6)
    container = Container(brief, SandboxOptions(), idle_seconds=60)
    await anyio.to_thread.run_sync(lambda: container.start(engine, ensure_image(engine.client, print)))
    await anyio.sleep(6.5)
    session = LineSession(container, container.opened(seconds=0))
    await says(session, "1 + 1")
    with anyio.fail_after(60):
        while container.is_ready():
            await anyio.sleep(0.05)
    await session.close()


async def test_one_that_nobody_takes_ends_by_itself(engine: Engine) -> None:
    container = Container(SMALL, SandboxOptions(), idle_seconds=8)
    await anyio.to_thread.run_sync(lambda: container.start(engine, ensure_image(engine.client, print)))
    assert container.is_ready()
    await until(lambda: not engine.labelled(f"{LABEL}.session={container.identity.session}"), 90)
    assert not container.is_ready()
    container.end()


async def test_after_a_while_without_sessions_none_is_kept(own_pool: Pool, ours: Ours, monkeypatch: pytest.MonkeyPatch) -> None:
    before = ours()
    async with closing(await opened()):
        await until(lambda: own_pool.ready() == 1)
    monkeypatch.setattr(stock, "AGE", 0.1)
    with own_pool.opening():  # wakes it, as a session would
        pass
    await until(lambda: own_pool.ready() == 0 and ours() <= before)


async def test_a_burst_of_fifty_sessions_is_served_and_the_pool_refilled(own_pool: Pool, ours: Ours) -> None:
    before = ours()
    options = SandboxOptions(warm="process", pool=3)
    told: list[str] = []

    async def one(number: int) -> None:
        async with capacity, closing(await opened(options)) as session:
            told.append((await run(session, f"print({number})")).stdout.strip())

    capacity = anyio.CapacityLimiter(8)
    async with anyio.create_task_group() as group:
        for number in range(50):
            group.start_soon(one, number)
    assert sorted(map(int, told)) == list(range(50))
    await until(lambda: own_pool.ready() == 3 and len(ours() - before) == 3)


async def test_eight_sessions_at_once_all_finish(own_pool: Pool) -> None:
    sums: list[str] = []

    async def one() -> None:
        async with closing(await opened()) as session:
            for _ in range(4):
                await says(session, "import pandas as pd; x = pd.DataFrame({'a': range(1000)})")
            sums.append((await run(session, "print(x.a.sum())")).stdout)

    async with anyio.create_task_group() as group:
        for _ in range(8):
            group.start_soon(one)
    assert sums == ["499500\n"] * 8


def test_two_event_loops_in_two_threads_share_it(own_pool: Pool) -> None:
    ids: list[str] = []

    async def some() -> None:
        for _ in range(3):
            async with closing(await opened()) as session:
                ids.append((await run(session, "import os; print(os.getuid())")).stdout)
                await anyio.sleep(0.3)

    threads = [threading.Thread(target=asyncio.run, args=(some(),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert len(set(ids)) == 6


SCRIPT = """
    import asyncio, os, sys, time
    from docker_runs import SMALL, run
    from sandloop.options import SandboxOptions
    from sandloop_sandbox import ahead, pool
    from sandloop_sandbox.docker import open_docker

    async def warm_up():
        session = await open_docker(SMALL, SandboxOptions(warm="process", pool=2), print).open()
        await session.close()
        own = pool.process_pool(ahead.make, ahead.start)
        while own.ready() < 2:
            await asyncio.sleep(0.02)

    asyncio.run(warm_up())
"""


def _script(more: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(SCRIPT) + textwrap.dedent(more)]


@pytest.mark.parametrize(
    "ending",
    ["", "sys.exit(3)", "raise RuntimeError", "os._exit(0)", "os.kill(os.getpid(), 9)", "os.kill(os.getpid(), 15)"],
)
async def test_however_the_process_ends_its_pool_goes_with_it(engine: Engine, ending: str) -> None:
    process = subprocess.Popen(_script(ending), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    await anyio.to_thread.run_sync(lambda: process.wait(120))

    await until(lambda: not _owned_by(engine, process.pid), 10)


async def test_a_process_that_ends_while_its_pool_is_filling_leaves_nothing(engine: Engine) -> None:
    script = _script("taken = [own.take(request) for own in [pool._pool] for request in own._kept]; time.sleep(0.55)")
    process = subprocess.Popen(script, stdout=subprocess.DEVNULL)
    await anyio.to_thread.run_sync(lambda: process.wait(120))

    assert process.returncode == 0
    await until(lambda: not _owned_by(engine, process.pid), 10)


async def test_a_forked_child_neither_uses_nor_ends_nor_holds_its_parents_containers(engine: Engine) -> None:
    script = _script("""
        own = pool.process_pool(ahead.make, ahead.start)
        child = os.fork()
        if not child:
            assert pool.process_pool(ahead.make, ahead.start).ready() == 0
            if sys.argv[1:] == ["stay"]:
                time.sleep(60)
            async def one():
                session = await open_docker(SMALL, SandboxOptions(warm="off"), print).open()
                print((await run(session, "print(6 * 7)")).stdout, flush=True)
                await session.close()
            asyncio.run(one())
            sys.exit(0)
        if sys.argv[1:] == ["stay"]:
            print(child, flush=True)
            os.kill(os.getpid(), 9)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        async def warm():
            session = await open_docker(SMALL, SandboxOptions(warm="process", pool=2), print).open()
            assert session.opened.warm
            print((await run(session, "print('warm')")).stdout, flush=True)
        asyncio.run(warm())
        """)
    done = await anyio.run_process(script, check=False)
    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().split() == ["42", "warm"]

    with subprocess.Popen([*script, "stay"], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        child = int(await anyio.to_thread.run_sync(parent.stdout.readline))
        parent.wait()
        try:
            await until(lambda: not _owned_by(engine, parent.pid), 10)
        finally:
            os.kill(child, 9)


def test_idle_it_takes_no_processor_time(own_pool: Pool) -> None:
    async def warm_up() -> None:
        await (await opened()).close()
        await until(lambda: own_pool.ready() == 1)

    asyncio.run(warm_up())
    (thread,) = (t for t in threading.enumerate() if t.name == "sandloop-pool")
    assert thread.native_id is not None
    before = _ticks(thread.native_id)
    time.sleep(1.5)
    assert _ticks(thread.native_id) - before <= 1


def _ticks(thread: int) -> int:
    """Processor time of one of our threads, in hundredths of a second."""
    fields = Path(f"/proc/self/task/{thread}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _owned_by(engine: Engine, pid: int) -> list[str]:
    return [c for c, labels in engine.labelled(f"{LABEL}.session").items() if f" {pid} " in labels.get(f"{LABEL}.owner", "")]


def _container_of(engine: Engine, session: SandboxSession) -> str:
    (container,) = engine.labelled(f"{LABEL}.session={session.opened.id}")
    return container
