"""The sandbox itself, by its public door, cold or from its pool."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from typing import Any, cast

import anyio

from closed import BASELINE, limits
from sandloop.events import InputFile
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.ports import LocalFile, SandboxSession
from sandloop_sandbox.container import LABEL
from sandloop_sandbox.docker import open_docker
from sandloop_sandbox.engine import Engine
from subject import FILE

FILL_SECONDS = 30.0
_IDLE_NS = 2_000_000
"""Of processor time in a tenth of a second: less is a container that has nothing left to load."""


class OurSession:
    """A session of the sandbox."""

    def __init__(self, session: SandboxSession) -> None:
        self._session, self._steps = session, 0
        self.warm = session.opened.warm
        self.container = f"sandloop-{session.opened.id}"

    async def run(self, code: str) -> str:
        """Raises `RuntimeError` when the code failed: a figure of it would mean nothing."""
        self._steps += 1
        ran = await self._session.run(f"c{self._steps}", code, "python", lambda stream, text: None)
        if not ran.ok:
            raise RuntimeError(f"The measured code failed: {ran.error or ran.stderr or ran.stopped_by}")
        return ran.stdout

    async def stopped_by(self, code: str) -> str:
        """What ended code that does not end by itself."""
        return (await self._session.run("endless", code, "python", lambda stream, text: None)).stopped_by

    async def put(self, path: Path) -> None:
        file = InputFile(
            name=FILE, size=path.stat().st_size, mime="text/csv", sha256=hashlib.sha256(path.name.encode()).hexdigest()
        )
        await self._session.put([LocalFile(file=file, path=path)])

    async def get(self, name: str) -> int:
        return sum([len(piece) async for piece in self._session.get(name)])

    async def close(self) -> None:
        await self._session.close()


class Ours:
    """Opens sessions."""

    name, blocking = "ours", False

    def __init__(self, engine: Engine, *, pool: int = 0, bounds: Limits | None = None) -> None:
        self._engine, self._pool, self._bounds = engine, pool, bounds or limits()
        self._asked = self._without = False
        self._options = SandboxOptions(warm="process", pool=pool) if pool else SandboxOptions(warm="off")

    async def ready(self) -> None:
        """Wait until the pool is full: containers of ours are there, and none of them computes."""
        if not self._pool or self._without:
            return
        if not self._asked:  # a pool begins with the first session
            self._asked = True
            await (await self.open()).close()
        self._without = not await anyio.to_thread.run_sync(self._fills)

    async def open(self) -> OurSession:
        return OurSession(await open_docker(self._bounds, self._options, lambda line: None).open())

    async def close(self) -> None:
        """The pool ends with the process."""

    def _fills(self) -> bool:
        end = time.monotonic() + FILL_SECONDS
        while not self._looks_full():
            if time.monotonic() > end:
                return False
            time.sleep(0.05)
        return True

    def _looks_full(self) -> bool:
        mine = [
            container
            for container, labels in self._engine.labelled(f"{LABEL}.session").items()
            if f" {os.getpid()} " in labels.get(f"{LABEL}.owner", "") and BASELINE not in labels
        ]
        if len(mine) < self._pool:
            return False
        before = [self._processor_time(container) for container in mine]
        time.sleep(0.1)
        after = [self._processor_time(container) for container in mine]
        return all(now is not None and then is not None and now - then < _IDLE_NS for then, now in zip(before, after, strict=True))

    def _processor_time(self, container: str) -> int | None:
        stats = stats_of(self._engine, container)
        return None if stats is None else int(stats["cpu_stats"]["cpu_usage"]["total_usage"])


def stats_of(engine: Engine, container: str) -> dict[str, Any] | None:
    """What the engine counts of a container; None when it is gone or not running yet."""
    import docker.errors

    client: Any = engine.client
    try:
        stats = cast("dict[str, Any]", client.stats(container, decode=None, stream=False, one_shot=True))
    except (docker.errors.APIError, ValueError):  # it went while the engine answered: an error, or nothing at all
        return None
    return stats if stats.get("cpu_stats", {}).get("cpu_usage", {}).get("total_usage") else None


def memory_of(engine: Engine, container: str) -> float | None:
    """Megabytes that a container's processes hold for themselves and that no file backs, by its cgroup."""
    stats = stats_of(engine, container)
    detail = (stats or {}).get("memory_stats", {}).get("stats", {})
    held = detail.get("total_rss", detail.get("anon"))
    return None if held is None else held / 1e6
