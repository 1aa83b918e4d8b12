"""The bare limit: the least that is still one hardened container a session and a resident interpreter. Ours is measured against it.

One container with the sandbox's own flags, the Engine API without an SDK, `limit_inside` as PID 1, frames over the attached stream.
It has no safety beyond the container's flags: no time limit, no bound on output, no check of anything that comes out.
"""

from __future__ import annotations

import http.client
import json
import socket
from collections import deque
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from closed import closed_config
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.policy import PYTHON

LIBRARIES = ("pandas", "matplotlib.pyplot")
INSIDE = (Path(__file__).parent / "limit_inside.py").read_text()


def connect(address: str) -> socket.socket:
    """A connection to the engine. Raises `ValueError` for an address that needs more than a socket."""
    parts = urlsplit(address)
    if parts.scheme in ("unix", "http+unix"):
        found = socket.socket(socket.AF_UNIX)
        found.connect(parts.path)
        return found
    if parts.scheme in ("tcp", "http") and parts.hostname:
        return socket.create_connection((parts.hostname, parts.port or 2375))
    raise ValueError(f"The limit can't be measured on {address}. Name a unix socket or plain TCP in DOCKER_HOST.")


class Api:
    """The calls of the Engine API that are needed, on one connection."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._http = http.client.HTTPConnection("localhost")
        self._http.sock = connect(address)

    def post(self, path: str, body: object = None) -> Any:
        """Raises `RuntimeError` with what the engine said."""
        data = b"" if body is None else json.dumps(body).encode()
        self._http.request("POST", path, data, {"Content-Type": "application/json"})
        response = self._http.getresponse()
        said = response.read()
        if response.status >= 300:
            raise RuntimeError(f"The engine refused {path}: {said.decode(errors='replace')}")
        return json.loads(said) if said else None

    def attach(self, container: str) -> socket.socket:
        """The container's streams, on a connection of their own."""
        line = connect(self._address)
        path = f"/containers/{container}/attach?stdin=1&stdout=1&stream=1"
        line.sendall(f"POST {path} HTTP/1.1\r\nHost: engine\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n".encode())
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += line.recv(1)
        if b" 101 " not in head:
            raise RuntimeError(f"The engine refused {path}: {head.decode(errors='replace')}")
        return line

    def close(self) -> None:
        self._http.close()


class LimitSession:
    """One container."""

    def __init__(self, engine: Engine, image: str, *, libraries: tuple[str, ...], warm: bool) -> None:
        self.warm = warm
        config, self.container = closed_config(engine, image, [PYTHON, "-I", "-c", INSIDE, *libraries])
        api = Api(engine.address)
        container = cast("str", api.post(f"/containers/create?name={self.container}", config)["Id"])
        self._line = api.attach(container)
        self._buffer, self._left = bytearray(), 0
        api.post(f"/containers/{container}/start")
        api.close()

    def is_ready(self) -> None:
        """Wait for its first word."""
        if self._answer() != b"ready":
            raise RuntimeError("The limit's container began with another word than 'ready'.")

    async def run(self, code: str) -> str:
        data = code.encode()
        self._line.sendall(b"C" + len(data).to_bytes(4, "big") + data)
        return self._answer().decode()

    async def put(self, path: Path) -> None:
        with path.open("rb") as file:
            self._line.sendall(b"P" + (8).to_bytes(4, "big") + path.stat().st_size.to_bytes(8, "big"))
            self._line.sendfile(file)
        self._answer()

    async def get(self, name: str) -> int:
        data = name.encode()
        self._line.sendall(b"G" + len(data).to_bytes(4, "big") + data)
        size = left = int.from_bytes(self._answer(), "big")
        while left:
            left -= len(self._piece(1 << 18))
        return size

    async def close(self) -> None:
        self._line.close()

    def _answer(self) -> bytes:
        head = self._exactly(5)
        return self._exactly(int.from_bytes(head[1:], "big"))

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._piece(size - len(data))
        return data

    def _piece(self, most: int) -> bytes:
        """Some of stdout: the engine puts eight bytes of header before each piece."""
        if not self._left:
            self._left = int.from_bytes(self._raw(8)[4:], "big")
        piece = self._some(min(most, self._left))
        self._left -= len(piece)
        return piece

    def _raw(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            data += self._some(size - len(data))
        return data

    def _some(self, most: int) -> bytes:
        if not self._buffer:
            self._buffer += self._line.recv(1 << 18)
            if not self._buffer:
                raise RuntimeError("The limit's container ended.")
        piece = bytes(self._buffer[:most])
        del self._buffer[:most]
        return piece


class Limit:
    """Opens them cold."""

    name, blocking = "limit", True

    def __init__(self, engine: Engine, image: str) -> None:
        self._engine, self._image = engine, image

    async def ready(self) -> None:
        """Nothing to wait for."""

    async def open(self) -> LimitSession:
        session = LimitSession(self._engine, self._image, libraries=(), warm=False)
        session.is_ready()
        return session

    async def close(self) -> None:
        """Nothing is kept."""


class PooledLimit:
    """Hands out what was started before."""

    name, blocking = "limit", True

    def __init__(self, engine: Engine, image: str, size: int = 1) -> None:
        self._engine, self._image, self._size = engine, image, size
        self._kept = deque[LimitSession]()

    async def ready(self) -> None:
        """Fill the pool, and wait until each has its libraries."""
        while len(self._kept) < self._size:
            session = LimitSession(self._engine, self._image, libraries=LIBRARIES, warm=True)
            session.is_ready()
            self._kept.append(session)

    async def open(self) -> LimitSession:
        return self._kept.popleft()

    async def close(self) -> None:
        while self._kept:
            await self._kept.popleft().close()
