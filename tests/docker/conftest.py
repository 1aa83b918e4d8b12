"""The third shelf runs on a real engine, and says so when there is none."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack

import pytest

from docker_runs import SMALL, Open
from sandloop.errors import EngineUnavailable
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.ports import SandboxSession
from sandloop_sandbox import ahead
from sandloop_sandbox.container import LABEL
from sandloop_sandbox.docker import open_docker
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.engine import engine as find_engine
from second_engine import CannotStart, SecondEngine, second_engine


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """As on the other shelves, and as long as the sessions that a module shares."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def nothing_made_ahead() -> Iterator[None]:
    """Unless a test asks for it by name."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ahead, "AUTO", "off")
        yield


@pytest.fixture(scope="session")
def engine() -> Engine:
    """The engine; without one the test is skipped by name, or fails where SANDLOOP_REQUIRE_DOCKER=1 says that there is one."""
    try:
        return find_engine()
    except EngineUnavailable as error:
        if os.environ.get("SANDLOOP_REQUIRE_DOCKER") == "1":
            raise
        pytest.skip(f"needs a Docker engine: {error}")


@pytest.fixture(scope="session")
def second(engine: Engine) -> Iterator[SecondEngine]:
    """Another engine, to be killed and restarted; skipped by name where only root could start one."""
    with ExitStack() as stack:
        try:
            started = stack.enter_context(second_engine(engine.client))
        except CannotStart as error:
            if os.environ.get("SANDLOOP_REQUIRE_DOCKER") == "1" and os.geteuid() == 0:
                raise
            pytest.skip(f"needs a second Docker engine: {error}")
        yield started


@pytest.fixture
async def open_session(engine: Engine) -> AsyncIterator[Open]:
    """Opens sessions with given limits, and closes them after the test."""
    async with AsyncExitStack() as stack:

        async def open_one(limits: Limits) -> SandboxSession:
            session = await open_docker(limits, SandboxOptions(), lambda line: None).open()
            stack.push_async_callback(session.close)
            return session

        yield open_one


@pytest.fixture
async def session(open_session: Open) -> SandboxSession:
    """A session with small limits."""
    return await open_session(SMALL)


@pytest.fixture(scope="module")
async def shared(engine: Engine) -> AsyncIterator[SandboxSession]:
    """One session for many short tests of a module, which leave it as they found it."""
    opened = await open_docker(SMALL, SandboxOptions(), lambda line: None).open()
    yield opened
    await opened.close()


@pytest.fixture
def ours(engine: Engine) -> Callable[[], set[str]]:
    """The ids of the containers that this process has made and that are still there."""

    def list_them() -> set[str]:
        found = engine.labelled(f"{LABEL}.session")
        return {container for container, labels in found.items() if f" {os.getpid()} " in labels[f"{LABEL}.owner"]}

    return list_them
