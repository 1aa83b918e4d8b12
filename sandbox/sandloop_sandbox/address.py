"""Where the container engine is: DOCKER_HOST, else Docker's current context, else the first usual socket that is there."""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sandloop.errors import EngineUnavailable

DEFAULT = "unix:///var/run/docker.sock"


def address(environ: Mapping[str, str] | None = None) -> str:
    """The engine's address, as DOCKER_HOST is written. A few microseconds: asked at each use, since it may change.

    Raises `EngineUnavailable` when the chosen context is none.
    """
    environ = os.environ if environ is None else environ
    return environ.get("DOCKER_HOST") or _of_context(environ) or _first_there(usual_sockets(environ)) or DEFAULT


def usual_sockets(environ: Mapping[str, str]) -> list[Path]:
    """Of Docker, rootless Docker, Docker Desktop and Podman."""
    runtime, home = environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}", Path(environ.get("HOME") or "/")
    return [
        Path("/var/run/docker.sock"),
        Path(runtime) / "docker.sock",
        home / ".docker/run/docker.sock",
        home / ".docker/desktop/docker.sock",
        Path(runtime) / "podman/podman.sock",
        Path("/run/podman/podman.sock"),
    ]


def current_context(environ: Mapping[str, str]) -> str | None:
    """The name of the context that `docker context use` or DOCKER_CONTEXT chose, if any was."""
    if environ.get("DOCKER_HOST"):
        return None
    name: object = environ.get("DOCKER_CONTEXT")
    if not name:
        folder = environ.get("DOCKER_CONFIG") or str(Path(environ.get("HOME") or "/") / ".docker")
        try:
            name = json.loads((Path(folder) / "config.json").read_bytes()).get("currentContext")
        except (OSError, ValueError, AttributeError):
            return None  # no such file is the usual case
    return name if isinstance(name, str) and name not in ("", "default") else None


def is_local(address: str) -> bool:
    """Whether the engine is on this machine, by its address."""
    parts = urlsplit(address)
    if parts.scheme in ("unix", "npipe", "http+unix", ""):
        return True
    if parts.scheme == "ssh" or parts.hostname is None:
        return False
    try:
        return ipaddress.ip_address(parts.hostname).is_loopback
    except ValueError:
        return parts.hostname == "localhost"


def which_listener(address: str) -> tuple[int, ...]:
    """Tells a socket from the one that a restarted engine made in its place; the same for ever where that can't be told."""
    parts = urlsplit(address)
    if parts.scheme not in ("unix", "http+unix"):
        return ()
    try:
        status = Path(parts.path).stat()
    except OSError:
        return ()
    return status.st_dev, status.st_ino, status.st_ctime_ns


def _of_context(environ: Mapping[str, str]) -> str | None:
    name = current_context(environ)
    if name is None:
        return None
    from docker.context import ContextAPI

    context: Any = ContextAPI.get_context(name)  # its annotations know no missing one
    if context is None or not context.Host:
        do = "`docker context ls` lists them, `docker context use` chooses one; or name an address in DOCKER_HOST"
        raise EngineUnavailable(address=name, said=f"there is no context {name!r}, or it has no address", do=do)
    return str(context.Host).removeprefix("http+")


def _first_there(sockets: list[Path]) -> str | None:
    return next((f"unix://{path}" for path in sockets if path.exists()), None)
