"""What a user opens on purpose is open, and nothing else is; the result says so."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from docker_runs import SMALL, run, says
from sandloop.errors import EngineUnavailable
from sandloop.options import SandboxOptions
from sandloop.ports import SandboxSession
from sandloop_sandbox.docker import open_docker
from sandloop_sandbox.engine import Engine

pytestmark = pytest.mark.alone

OpenWith = Callable[[SandboxOptions], Awaitable[SandboxSession]]

STATUS = "dict(l.rstrip().split(':\\t', 1) for l in open('/proc/self/status') if ':\\t' in l)"


@pytest.fixture
async def open_with(engine: Engine) -> AsyncIterator[OpenWith]:
    async with AsyncExitStack() as stack:

        async def open_one(options: SandboxOptions) -> SandboxSession:
            session = await open_docker(SMALL, options, lambda line: None).open()
            stack.push_async_callback(session.close)
            return session

        yield open_one


async def test_a_sandbox_as_it_comes_says_what_it_is_and_that_nothing_weakens_it(open_with: OpenWith, engine: Engine) -> None:
    opened = (await open_with(SandboxOptions())).opened

    assert (opened.sandbox, opened.engine, opened.runtime) == ("docker", engine.name, "")
    assert opened.image.startswith("sha256:")
    assert opened.seconds is not None
    assert opened.seconds > 0
    assert (opened.weakened, opened.not_limited) == ((), ())


async def test_a_network_that_was_asked_for_is_there_and_nothing_else(open_with: OpenWith) -> None:
    session = await open_with(SandboxOptions(unsafe_network=True))

    assert session.opened.weakened == ("unsafe_network",)
    assert "eth0" in await says(session, "import os; sorted(os.listdir('/sys/class/net'))")
    assert await says(session, f"{STATUS}['CapBnd'], {STATUS}['Seccomp']") == "('0000000000000000', '2')"


async def test_a_capability_that_was_asked_for_is_there_and_no_other(open_with: OpenWith) -> None:
    session = await open_with(SandboxOptions(unsafe_capabilities=("NET_RAW",)))

    assert session.opened.weakened == ("unsafe_capabilities",)
    assert await says(session, f"int({STATUS}['CapBnd'], 16)") == str(1 << 13)
    assert await says(session, "import os; os.listdir('/sys/class/net')") == "['lo']"


async def test_a_folder_that_was_asked_for_can_be_read_and_written_only_when_said(open_with: OpenWith, tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "read").mkdir()
    (tmp_path / "write").mkdir(mode=0o777)
    (tmp_path / "write").chmod(0o777)
    for folder in (tmp_path, *tmp_path.parents[:-2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    (tmp_path / "read/data.txt").write_text("of the host")
    mounts = (f"{tmp_path}/read:/data", f"{tmp_path}/write:/out:rw")
    session = await open_with(SandboxOptions(unsafe_mounts=mounts))

    assert session.opened.weakened == ("unsafe_mounts",)
    assert await says(session, "open('/data/data.txt').read()") == "'of the host'"
    assert "Read-only file system" in str((await run(session, "open('/data/new', 'w')")).error)
    await says(session, "open('/out/new', 'w').write('made')")
    assert (tmp_path / "write/new").read_text() == "made"


async def test_a_privileged_one_is_still_not_root(open_with: OpenWith) -> None:
    session = await open_with(SandboxOptions(unsafe_privileged=True))

    assert session.opened.weakened == ("unsafe_privileged",)
    assert int(await says(session, f"int({STATUS}['CapBnd'], 16)")) > 0
    assert await says(session, "import os; os.getuid() > 0") == "True"


async def test_a_runtime_that_the_engine_has_not_is_an_error_and_nothing_runs(open_with: OpenWith) -> None:
    with pytest.raises(EngineUnavailable, match="runsc"):
        await open_with(SandboxOptions(runtime="runsc"))
