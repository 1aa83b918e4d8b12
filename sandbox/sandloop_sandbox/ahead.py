"""Where a session may find a container made ahead: in this process's pool, with the user's holder, or nowhere."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Generator
from typing import Protocol

from anyio import to_thread

from sandloop.errors import EngineUnavailable
from sandloop.limits import Limits
from sandloop.options import SandboxOptions, Warm
from sandloop_sandbox import handover
from sandloop_sandbox.container import Container
from sandloop_sandbox.engine import engine
from sandloop_sandbox.holder_client import ask, tell_or_start
from sandloop_sandbox.pool import IDLE_SECONDS, process_pool
from sandloop_sandbox.request import Request
from sandloop_sandbox.sweep import sweep_once

AUTO: Warm = "process"
"""What `auto` is in the library. The command line says `shared` itself."""


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
    warm = AUTO if options.warm == "auto" else options.warm
    if warm == "off" or not options.pool:
        return None
    request = Request.of(limits, options)
    if warm == "shared" and handover.possible(request.address):
        return Shared(request, options.pool)
    return InProcess(request, options)


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
        if container.made_ahead or self._options.warm == "process" or self._pool.has_seen(self._request):
            self._pool.keep(self._request, image, self._options.pool)
        else:
            container.on_gone = lambda: self._pool.keep(self._request, image, self._options.pool)


class Shared:
    """The user's holder, a process of its own: see `holder.py`. Whatever is wrong with it, the session just starts its own."""

    def __init__(self, request: Request, size: int) -> None:
        self._request, self._size = request, size

    async def take(self) -> Container | None:
        return await to_thread.run_sync(lambda: ask(self._request, self._size))

    def opening(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def keep(self, container: Container) -> None:
        if not container.made_ahead:
            tell = threading.Thread(target=tell_or_start, args=(self._request, container.image, self._size), daemon=True)
            tell.start()


def make(request: Request) -> Container:
    """A container to be made ahead in this process."""
    return Container(request.limits, request.options, idle_seconds=IDLE_SECONDS)


def start(request: Request, container: Container, image: str) -> None:
    """Start it, unless the environment names another engine by now. Raises a `SandboxError`."""
    found = engine()
    if found.address != request.address:
        raise EngineUnavailable(address=request.address, said="the environment names another engine now", do="Name it again")
    container.start(found, image)
    sweep_once(found)
