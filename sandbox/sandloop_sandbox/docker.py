"""The sandbox named `docker`: opens sessions, each in a container of the local engine that nobody used before."""

from __future__ import annotations

import contextlib
import time

from anyio import CancelScope, to_thread

from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.ports import OnProgress
from sandloop_sandbox import ahead
from sandloop_sandbox.container import Container
from sandloop_sandbox.engine import engine
from sandloop_sandbox.session import LineSession
from sandloop_sandbox.sweep import sweep_once


class DockerSandbox:
    """A `Sandbox` on a Docker engine."""

    def __init__(self, limits: Limits, options: SandboxOptions, on_progress: OnProgress) -> None:
        self._limits, self._options, self._on_progress = limits, options, on_progress

    async def open(self) -> LineSession:
        """A fresh container, started and checked, now or ahead. Raises a `SandboxError`."""
        began = time.monotonic()
        ready = ahead.source(self._limits, self._options)
        if ready is not None and (container := await ready.take()) is not None:
            container.limits, container.options = self._limits, self._options
        else:
            with ready.opening() if ready is not None else contextlib.nullcontext():
                container = await self._cold()
        if ready is not None:
            ready.keep(container)
        return LineSession(container, container.opened(seconds=time.monotonic() - began))

    async def _cold(self) -> Container:
        container = Container(self._limits, self._options)
        try:
            await to_thread.run_sync(lambda: self._start(container), abandon_on_cancel=True)
        except BaseException:
            container.end()
            with CancelScope(shield=True):
                await to_thread.run_sync(container.see_it_settled)
            raise
        return container

    def _start(self, container: Container) -> None:
        from sandloop_sandbox.image import ensure_image

        found = engine()
        with found.asking():
            image = ensure_image(found.client, self._on_progress, self._options.packages)
        container.start(found, image)
        sweep_once(found)


def open_docker(limits: Limits, options: SandboxOptions, on_progress: OnProgress) -> DockerSandbox:
    """The entry point `docker`."""
    return DockerSandbox(limits, options, on_progress)
