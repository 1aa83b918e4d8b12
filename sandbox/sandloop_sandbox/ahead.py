"""Where a session may find a container made ahead: in this process's pool, with the user's holder, or nowhere."""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from typing import Protocol

from sandloop.errors import EngineUnavailable
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop_sandbox.container import Container
from sandloop_sandbox.engine import engine
from sandloop_sandbox.pool import IDLE_SECONDS, process_pool
from sandloop_sandbox.request import Request


class Source(Protocol):
    """For one session."""

    async def take(self) -> Container | None:
        """One that is ready. None: start one."""
        ...

    def opening(self) -> contextlib.AbstractContextManager[None]:
        """While one is started."""
        ...

    def keep(self, container: Container) -> None:
        """The session has this one now: have more of its kind ready, if that may pay."""
        ...


def source(limits: Limits, options: SandboxOptions) -> Source | None:
    """Where to look first, by the options. None: nothing is made ahead."""
    if options.warm == "off" or not options.pool:
        return None
    return InProcess(Request.of(limits, options), options)


class InProcess:
    """This process's pool.

    Unless that was asked for, it is filled when it is seen to pay: at the second session, or when the process goes on after the
    end of the first. A script that opens one session and ends never has a second container.
    """

    def __init__(self, request: Request, options: SandboxOptions) -> None:
        self._request, self._options = request, options
        self._pool = process_pool(make, start)

    async def take(self) -> Container | None:
        return self._pool.take(self._request)

    @contextlib.contextmanager
    def opening(self) -> Generator[None]:
        with self._pool.opening():
            yield

    def keep(self, container: Container) -> None:
        image = container.image
        if self._options.warm == "process" or self._pool.has_seen(self._request):
            self._pool.keep(self._request, image, self._options.pool)
        else:
            container.on_gone = lambda: self._pool.keep(self._request, image, self._options.pool)


def make(request: Request) -> Container:
    """A container to be made ahead in this process."""
    return Container(request.limits, request.options, idle_seconds=IDLE_SECONDS)


def start(request: Request, container: Container, image: str) -> None:
    """Start it, unless the environment names another engine by now. Raises a `SandboxError`."""
    found = engine()
    if found.address != request.address:
        raise EngineUnavailable(address=request.address, said="the environment names another engine now", do="Name it again")
    container.start(found, image)
