"""The container engine: one client for the process, checked once, its errors in our words.

The Docker SDK is imported when the first sandbox opens, since it costs a tenth of a second. Whatever it raises becomes an
`EngineUnavailable` that tells "not installed", "not allowed" and "not running" apart.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import sys
import threading
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sandloop.errors import EngineUnavailable, Unsafe
from sandloop_sandbox.policy import Host

if TYPE_CHECKING:
    from docker import APIClient

ALLOW_REMOTE = "SANDLOOP_ALLOW_REMOTE_DOCKER"
START_DOCKER = "Start Docker (sudo systemctl start docker, or Docker Desktop), or name its address in DOCKER_HOST"
INSTALL_DOCKER = "Install Docker (https://docs.docker.com/engine/install), start it, or name its address in DOCKER_HOST"
WITHOUT_DOCKER = "; where there can be none, SANDLOOP_SANDBOX=bubblewrap takes a weaker sandbox without it"
"""On Linux alone. It is never taken by itself."""
JOIN_DOCKER = "Run `sudo usermod -aG docker $USER` and log in again, or use rootless Docker"
TIMEOUT_SECONDS = 60.0
"""Of one API call; creating and starting take under a second each, also eight at once."""

_lock = threading.Lock()
_engines: dict[str, Engine] = {}


def _forget() -> None:
    """In a forked child: the parent goes on using the client's connections."""
    global _lock, _engines
    _lock, _engines = threading.Lock(), {}


os.register_at_fork(after_in_child=_forget)


class Engine:
    """A checked engine, and the few things we ask of it. Each raises `EngineUnavailable`."""

    def __init__(self, client: APIClient, address: str, host: Host, name: str) -> None:
        self.client, self.address, self.host, self.name = client, address, host, name
        self._sdk: Any = client  # its own annotations are partial

    def create(self, config: Mapping[str, Any], name: str) -> str:
        """Create a container; returns its id."""
        with translated(self.address):
            return str(self._sdk.create_container_from_config(config, name=name)["Id"])

    def attach(self, container: str) -> Any:
        """The connection to a container's three streams, as the SDK gives it."""
        with translated(self.address):
            return self._sdk.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})

    def start(self, container: str) -> None:
        with translated(self.address):
            self._sdk.start(container)

    def wait_removed(self, container: str, seconds: int) -> bool:
        """Whether the container goes within that time."""
        import docker.errors
        import requests.exceptions

        try:
            self._sdk.wait(container, timeout=seconds, condition="removed")
        except docker.errors.NotFound:
            return True
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError):
            return False
        return True

    def remove(self, container: str) -> None:
        """Remove a container, if it is still there."""
        import docker.errors

        with translated(self.address):
            try:
                self._sdk.remove_container(container, force=True, v=True)
            except docker.errors.APIError as error:
                if error.status_code not in (404, 409):  # gone, or just going
                    raise

    def labelled(self, label: str, *states: str) -> dict[str, dict[str, str]]:
        """The labels of all containers that have this one, by id; of those in the given states, if any are given."""
        with translated(self.address):
            filters = {"label": label, **({"status": list(states)} if states else {})}
            found: list[dict[str, Any]] = self._sdk.containers(all=True, filters=filters)
        return {str(container["Id"]): dict(container.get("Labels") or {}) for container in found}


def engine() -> Engine:
    """The engine that the environment names, checked at its first use. Raises `EngineUnavailable` or `Unsafe`."""
    where = address()
    with _lock:
        if where not in _engines:
            _engines[where] = _connect(where)
        return _engines[where]


def address() -> str:
    """Where the engine is that the environment names."""
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def _connect(address: str) -> Engine:
    if not is_local(address) and os.environ.get(ALLOW_REMOTE) != "1":
        said = "it is on another machine, so your files would leave this one"
        raise EngineUnavailable(address=address, said=said, do=f"Set {ALLOW_REMOTE}=1 if that is meant")
    from docker.utils import kwargs_from_env

    import docker

    with translated(address):
        settings = kwargs_from_env()
        # The pool holds a connection for each session's line.
        client = docker.APIClient(version="auto", timeout=int(TIMEOUT_SECONDS), max_pool_size=64, **settings)
        info: dict[str, Any] = client.info()
        return Engine(client, address, check_info(info), f"Docker {info.get('ServerVersion', '?')}")


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


def check_info(info: dict[str, Any]) -> Host:
    """What the engine says about itself. Raises `Unsafe` when it can't apply a limit; rootless on cgroup v1 is the usual case."""
    do = "Use an engine that can: Docker with root, or rootless Docker on cgroup v2"
    for control in ("MemoryLimit", "PidsLimit", "CpuCfsQuota"):
        if info.get(control) is not True:
            raise Unsafe(control=f"the engine's {control}", found=repr(info.get(control)), do=do)
    if info.get("CgroupDriver") in (None, "none", ""):
        raise Unsafe(control="the engine's cgroup driver", found=repr(info.get("CgroupDriver")), do=do)
    options: list[str] = info.get("SecurityOptions") or []
    if not any("seccomp" in option for option in options):
        raise Unsafe(control="seccomp", found=repr(options), do="Use an engine and a kernel with seccomp")
    return Host(cpus=int(info["NCPU"]), memory=int(info["MemTotal"]))


@contextmanager
def translated(address: str) -> Generator[None]:
    """Errors of the SDK and of its connection as ours."""
    import docker.errors
    import requests.exceptions

    try:
        yield
    except docker.errors.APIError as error:
        said = str(error.explanation or error)[:500].rstrip(".")
        raise EngineUnavailable(address=address, said=f"it refused: {said}", do="Check the engine with `docker info`") from error
    except (docker.errors.DockerException, requests.exceptions.RequestException, OSError) as error:
        said, do = why_unreachable(error)
        raise EngineUnavailable(address=address, said=said, do=do) from error


def why_unreachable(error: BaseException) -> tuple[str, str]:
    """What happened and what to do, from the innermost error of the operating system."""
    number = next((e.errno for e in _chain(error) if isinstance(e, OSError) and e.errno is not None), None)
    match number:
        case errno.ENOENT:
            return (
                "there is no such socket, so Docker is not installed or not running",
                f"{INSTALL_DOCKER}{WITHOUT_DOCKER if sys.platform == 'linux' else ''}",
            )
        case errno.EACCES | errno.EPERM:
            return "you may not use its socket", JOIN_DOCKER
        case errno.ECONNREFUSED:
            return "it is not running", START_DOCKER
        case _:
            return str(error)[:300].rstrip(".") or type(error).__name__, START_DOCKER


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all it came from; requests and urllib3 keep the cause in their arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args)
        waiting += [e for e in inner if isinstance(e, BaseException)]
