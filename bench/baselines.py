"""What people do without a sandbox library: a `docker run` or a `docker exec` a step, through the Docker SDK, as closed as ours.

Neither keeps state between steps, so a session of several steps has to run all earlier ones again.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

from closed import closed_config
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.policy import PYTHON
from sandloop_sandbox.stream import Demultiplexer
from subject import FILE

HOLD = "import sys; sys.stdin.read()"
"""What the container of `docker exec` runs: it ends with its standard input."""
TAKE = f"import shutil, sys; shutil.copyfileobj(sys.stdin.buffer, open('/workspace/{FILE}', 'wb'), 1 << 20)"
GIVE = "import shutil, sys; shutil.copyfileobj(open(sys.argv[1], 'rb'), sys.stdout.buffer, 1 << 20)"
_PIECE = 1 << 18


class _Stream:
    """An attached stream of the SDK."""

    def __init__(self, attached: Any) -> None:
        self._attached, self._socket = attached, attached._sock

    def send_file(self, path: Path) -> None:
        with path.open("rb") as file:
            self._socket.sendfile(file)
        self._socket.shutdown(socket.SHUT_WR)

    def read(self, *, keep: bool) -> tuple[str, int]:
        """What comes until the end, or its size alone."""
        self._socket.settimeout(None)
        streams, kept, size = Demultiplexer(), bytearray(), 0
        while data := self._socket.recv(_PIECE):
            for _, piece in streams.feed(data):
                size += len(piece)
                if keep:
                    kept += piece
        return kept.decode("utf-8", "replace"), size

    def close(self) -> None:
        self._attached._response.close()
        self._attached.close()


class ExecSession:
    """One container that waits, and a process of its own for each step."""

    warm = False

    def __init__(self, engine: Engine, image: str) -> None:
        self._sdk: Any = engine.client
        config, self.container = closed_config(engine, image, [PYTHON, "-I", "-S", "-c", HOLD])
        engine.create(config, self.container)
        self._line = _Stream(self._sdk.attach_socket(self.container, params={"stdin": 1, "stream": 1}))
        self._sdk.start(self.container)
        self._before: list[str] = []

    async def run(self, code: str) -> str:
        said = self._exec([PYTHON, "-I", "-c", "\n".join([*self._before, code])])
        self._before.append(code)
        return said

    async def put(self, path: Path) -> None:
        stream = self._stream([PYTHON, "-I", "-c", TAKE], stdin=True)
        stream.send_file(path)
        stream.read(keep=False)
        stream.close()

    async def get(self, name: str) -> int:
        stream = self._stream([PYTHON, "-I", "-c", GIVE, name])
        size = stream.read(keep=False)[1]
        stream.close()
        return size

    async def close(self) -> None:
        """As everybody does it."""
        self._sdk.remove_container(self.container, force=True)
        self._line.close()

    def _exec(self, argv: list[str]) -> str:
        made = self._sdk.exec_create(self.container, argv)
        return bytes(self._sdk.exec_start(made["Id"])).decode("utf-8", "replace")

    def _stream(self, argv: list[str], *, stdin: bool = False) -> _Stream:
        made = self._sdk.exec_create(self.container, argv, stdin=stdin)
        return _Stream(self._sdk.exec_start(made["Id"], socket=True))


class RunSession:
    """No container between steps. A file is shown to each by a read-only mount, as there is nowhere to copy it to."""

    warm = False
    container = ""

    def __init__(self, engine: Engine, image: str) -> None:
        self._engine, self._image = engine, image
        self._sdk: Any = engine.client
        self._mounts: tuple[str, ...] = ()
        self._before: list[str] = []

    async def run(self, code: str) -> str:
        argv = [PYTHON, "-I", "-c", "\n".join([*self._before, code])]
        config, name = closed_config(self._engine, self._image, argv, self._mounts)
        container = self._engine.create(config, name)
        stream = _Stream(self._sdk.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}))
        self._sdk.start(container)
        said = stream.read(keep=True)[0]
        stream.close()
        self._before.append(code)
        return said

    async def put(self, path: Path) -> None:
        self._mounts = (f"{path.resolve()}:/workspace/{FILE}",)

    async def get(self, name: str) -> int:
        raise NotImplementedError("a docker run a step leaves nothing to fetch")

    async def close(self) -> None:
        """Nothing is open."""


class DockerExec:
    """A container a session, a `docker exec` a step."""

    name, blocking = "exec", True

    def __init__(self, engine: Engine, image: str) -> None:
        self._engine, self._image = engine, image

    async def ready(self) -> None:
        """Nothing to wait for."""

    async def open(self) -> ExecSession:
        return ExecSession(self._engine, self._image)

    async def close(self) -> None:
        """Nothing is kept."""


class DockerRun:
    """A `docker run` a step."""

    name, blocking = "run", True

    def __init__(self, engine: Engine, image: str) -> None:
        self._engine, self._image = engine, image

    async def ready(self) -> None:
        """Nothing to wait for."""

    async def open(self) -> RunSession:
        return RunSession(self._engine, self._image)

    async def close(self) -> None:
        """Nothing is kept."""
