"""The shelf of the second engine runs on a real bubblewrap, and says so when there is none."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from docker_runs import SMALL, Open
from sandloop.errors import BubblewrapUnavailable
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.ports import SandboxSession
from sandloop_sandbox.bubblewrap import open_bubblewrap, packages
from sandloop_sandbox.bubblewrap_program import Program, find_program

OPTIONS = SandboxOptions(engine="bubblewrap")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """As on the other shelves, and as long as the sessions that a module shares."""
    return "asyncio"


@pytest.fixture(scope="session")
def bubblewrap() -> Program:
    """The program with its packages; without it the test is skipped by name, or fails where SANDLOOP_REQUIRE_DOCKER=1."""
    try:
        program = find_program()
    except BubblewrapUnavailable as error:
        if os.environ.get("SANDLOOP_REQUIRE_DOCKER") == "1":
            raise
        pytest.skip(f"needs bubblewrap: {error}")
    packages(program, OPTIONS, lambda line: None)
    return program


@pytest.fixture
async def open_session(bubblewrap: Program) -> AsyncIterator[Open]:
    """Opens sessions with given limits, and closes them after the test."""
    async with AsyncExitStack() as stack:

        async def open_one(limits: Limits) -> SandboxSession:
            session = await open_bubblewrap(limits, OPTIONS, lambda line: None).open()
            stack.push_async_callback(session.close)
            return session

        yield open_one


@pytest.fixture
async def session(open_session: Open) -> SandboxSession:
    """A session with small limits."""
    return await open_session(SMALL)


@pytest.fixture(scope="module")
async def shared(bubblewrap: Program) -> AsyncIterator[SandboxSession]:
    """One session for many short tests of a module, which leave it as they found it."""
    opened = await open_bubblewrap(SMALL, OPTIONS, lambda line: None).open()
    yield opened
    await opened.close()
