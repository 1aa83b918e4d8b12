"""Previews are forks of the supervisor, which may break: nothing of the supervisor's is left to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from docker_runs import SMALL, Open, fetched, local_file, run, says
from sandloop.ports import SandboxSession
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import ensure_image
from sandloop_sandbox.prove_docker import open_weakened
from weakenings import entry

LOOKS = """
import os, signal
from sandloop import preview
def show(path):
    said = [f"{name} {os.readlink(f'/proc/self/fd/{name}').partition(':')[0]}" for name in sorted(os.listdir("/proc/self/fd"))[:-1]]
    said += [os.getppid(), os.getsid(0) == os.getpid(), os.getcwd(), "HOSTNAME" in os.environ, os.environ["OUTPUT_DIR"]]
    with open("/proc/self/oom_score_adj") as file: said.append(file.read().strip())
    print(path, *said, sep="; ", flush=True)
preview.show = show
"""


Weakened = Callable[[str], Awaitable[SandboxSession]]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "tal\n\N{LATIN SMALL LETTER O WITH STROKE} 1.csv"
    path.write_text("Region,Profit\nNorth,1\nSouth,2\n")
    return path


@pytest.fixture
async def weakened(engine: Engine, tmp_path: Path) -> AsyncIterator[Weakened]:
    """Opens a session made ahead whose programs are changed by some lines, and puts `a.csv` into it."""
    (tmp_path / "a.csv").write_text("a\n1\n")
    async with AsyncExitStack() as stack:

        async def open_one(lines: str) -> SandboxSession:
            image = ensure_image(engine.client, lambda line: None)
            session = open_weakened(engine, image, SMALL, change={"Entrypoint": entry(lines), "Cmd": ["60", "1", "60"]})
            stack.push_async_callback(session.close)
            await session.put([local_file(tmp_path / "a.csv")])
            return session

        yield open_one


async def test_a_preview_has_no_descriptor_and_no_environment_of_the_supervisor(weakened: Weakened) -> None:
    session = await weakened(LOOKS)
    for _ in range(2):
        said = (await session.preview("a.csv")).strip().split("; ")
        assert said[:4] == ["/input/a.csv", "0 /dev/null", "1 pipe", "2 pipe"]
        assert said[4:] == ["1", "True", "/", "False", "/workspace", "1000"]


async def test_a_killed_preview_says_that_there_is_none_and_the_session_goes_on(weakened: Weakened) -> None:
    session = await weakened(LOOKS.replace("said = [", "os.kill(os.getpid(), signal.SIGKILL); said = ["))
    assert "no preview" in await session.preview("a.csv")
    assert await says(session, "import numpy; int(numpy.arange(3).sum())") == "3"
    assert "no preview" in await session.preview("a.csv")


async def test_ends_are_seen_where_the_kernel_has_no_descriptors_of_processes(weakened: Weakened) -> None:
    session = await weakened("from sandloop import processes\nprocesses.watch = lambda pid: ()")
    for number in range(3):
        assert "1 row, 1 column" in await session.preview("a.csv")
        assert await says(session, f"echo {number}", "bash") == str(number)
    assert (await run(session, "exec 97>&- 1>&- 2>&-; sleep 0.3; exit 3", "bash")).exit_code == 3


async def test_previews_are_the_same_before_the_first_step_and_after_any(open_session: Open, table: Path) -> None:
    session = await open_session(replace(SMALL, step_seconds=3))
    await session.put([local_file(table)])
    name = local_file(table).file.name
    before = await session.preview(name)
    assert "2 rows, 2 columns" in before

    await says(session, "import pandas")
    between = await session.preview(name)
    await run(
        session,
        "import os\nfor n in os.listdir('/proc'):\n    if n.isdigit() and int(n) not in (1, os.getpid()): os.kill(int(n), 9)",
    )
    after = [await session.preview(name) for _ in range(3)]
    await run(session, "import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)")
    last = await session.preview(name)

    assert {before, between, *after, last} == {before}


async def test_a_preview_leaves_the_variables_the_output_and_the_workers_of_the_session_alone(
    session: SandboxSession, table: Path
) -> None:
    await session.put([local_file(table)])
    name = local_file(table).file.name
    await says(session, "import pandas\nkept = 1")
    for number in range(3):
        assert "Profit" in await session.preview(name)
        assert await says(session, f"print('step', {number}); kept") == f"step {number}\n1"
    processes = "import os; sum(n.isdigit() for n in os.listdir('/proc')) <= 3"
    assert await says(session, processes) == "True"


async def test_previews_find_the_libraries_that_they_need(session: SandboxSession, tmp_path: Path) -> None:
    make = """
import os, pandas as pd
os.mkdir('made')
t = pd.DataFrame({'Region': ['North'], 'Profit': [1]})
t.to_excel('made/t.xlsx'); t.to_parquet('made/t.parquet')
"""
    assert (await run(session, make)).error is None
    for name, says_so in (("t.xlsx", "pd.read_excel("), ("t.parquet", "pd.read_parquet(")):
        (tmp_path / name).write_bytes(await fetched(session, f"made/{name}"))
        await session.put([local_file(tmp_path / name)])
        said = await session.preview(name)
        assert says_so in said
        assert "Profit" in said
