"""A Docker engine under proof: sessions as everybody gets them, the engine's record of them, and a container weakened on purpose.

A weakening is a change to the request that creates the container: without one that is caught, a probe would prove nothing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import asdict
from typing import Any

from anyio import to_thread

from sandloop.limits import Limits
from sandloop.options import DEFAULT_OPTIONS, SandboxOptions
from sandloop.ports import OnProgress, Proof
from sandloop_sandbox.container import LABEL, START_SECONDS, Container, answer
from sandloop_sandbox.engine import Engine, engine
from sandloop_sandbox.image import ensure_image
from sandloop_sandbox.probe import PROOF_LIMITS
from sandloop_sandbox.prove import prove_on
from sandloop_sandbox.session import LineSession

Change = Mapping[str, Any]
"""What is changed in the request, table by table: None takes a name out."""
Weakening = Callable[[], Change]
"""Asked anew for each container, as some of it is known only while the proof runs."""


class DockerGround:
    """A `Ground` on a Docker engine."""

    lacks: Mapping[str, str] = {}
    shown: frozenset[str] = frozenset()

    def __init__(self, found: Engine, image: str, options: SandboxOptions, weaken: Weakening | None) -> None:
        self.own_kernel = options.runtime is not None and options.runtime not in ("runc", "crun")
        self._engine, self._image, self._options, self._weaken = found, image, options, weaken
        self._made: list[str] = []

    async def open(self, limits: Limits) -> LineSession:
        return await to_thread.run_sync(lambda: self._open(limits))

    def _open(self, limits: Limits) -> LineSession:
        session = open_weakened(self._engine, self._image, limits, self._options, self._weaken() if self._weaken else None)
        self._made.append(session.opened.id)
        return session

    def about(self, session: str) -> Mapping[str, Any]:
        import docker.errors

        client: Any = self._engine.client
        try:
            return dict(client.inspect_container(f"sandloop-{session}"))
        except docker.errors.NotFound:
            return {}

    def log(self, session: str) -> bytes:
        import docker.errors

        client: Any = self._engine.client
        try:
            return bytes(client.logs(f"sandloop-{session}"))
        except docker.errors.APIError:  # the driver keeps none
            return b""

    def client(self) -> tuple[list[str], bytes]:
        asked = {
            "options": asdict(self._options),
            "change": self._weaken() if self._weaken else None,
            "image": self._image,
            "path": sys.path,
        }
        start = "import json, sys; asked = json.load(sys.stdin); sys.path[:] = asked['path']; "
        start += "from sandloop_sandbox.prove_docker import hold; hold(asked)"
        return [sys.executable, "-c", start], json.dumps(asked).encode()

    def made(self, session: str) -> None:
        self._made.append(session)

    def clean(self) -> None:
        for session in self._made:
            for container in self._engine.labelled(f"{LABEL}.session={session}") if session else ():
                self._engine.remove(container)


def prove(
    options: SandboxOptions, on_progress: OnProgress, weaken: Weakening | None = None, only: Collection[str] | None = None
) -> list[Proof]:
    """Put the controls to the test on the engine that the environment names. Raises a `SandboxError` when none can be opened."""
    found = engine()
    ground = DockerGround(found, ensure_image(found.client, on_progress, options.packages), options, weaken)
    return prove_on(ground, found.host, on_progress, only)


def open_weakened(
    found: Engine, image: str, limits: Limits, options: SandboxOptions = DEFAULT_OPTIONS, change: Change | None = None
) -> LineSession:
    """A session as everybody gets it; with a change, one whose start-up self-test is switched off too."""
    began = time.monotonic()
    if change is None:
        container = Container(limits, options)
        container.start(found, image)
    else:
        container = _Weakened(limits, options)
        container.start(_Changing(found, change), image)
    return LineSession(container, container.opened(seconds=time.monotonic() - began))


class _Weakened(Container):
    """A container that is not checked."""

    def _check(self, engine: Engine) -> None:
        line = self.line
        facts = answer(line, *line.read(time.monotonic() + START_SECONDS))
        if facts is None or facts.get("op") != "ready":
            raise line.lost("it began with another word than 'ready'")


class _Changing(Engine):
    """The same engine, which changes each request before it makes the container."""

    def __init__(self, found: Engine, change: Change) -> None:
        super().__init__(found.client, found.address, found.host, found.name)
        self._change = change

    def create(self, config: Mapping[str, Any], name: str) -> str:
        return super().create(changed(config, self._change), name)


def changed(config: Mapping[str, Any], change: Change) -> dict[str, Any]:
    """The request with the change in it, table by table."""
    result = dict(config)
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(result.get(name), Mapping):
            result[name] = changed(result[name], value)  # pyright: ignore[reportUnknownArgumentType]
        else:
            result[name] = value
    return result


def hold(asked: Mapping[str, Any]) -> None:
    """The client that is going to be killed: opens a session, says its id, and waits."""
    options: Mapping[str, Any] = asked["options"]
    given: dict[str, Any] = {name: hashable(value) for name, value in options.items()}
    session = open_weakened(engine(), asked["image"], PROOF_LIMITS, SandboxOptions(**given), asked["change"])
    print("open", session.opened.id, flush=True)
    while True:
        time.sleep(60)


def hashable(value: Any) -> Any:
    """A value of an option as it was before it went through JSON."""
    return tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
