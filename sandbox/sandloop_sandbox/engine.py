"""The container engine: one client for the process, checked once, its errors in our words.

The Docker SDK is imported when the first sandbox opens, since it costs a tenth of a second.
"""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sandloop.errors import EngineUnavailable, Unsafe
from sandloop_sandbox.address import address, current_context, is_local, which_listener
from sandloop_sandbox.policy import Host
from sandloop_sandbox.unreachable import translated

if TYPE_CHECKING:
    from docker import APIClient

ALLOW_REMOTE = "SANDLOOP_ALLOW_REMOTE_DOCKER"
TIMEOUT_SECONDS = 60.0
"""Of one API call; creating and starting take under a second each, also eight at once."""

ASK_SECONDS = 3.0
"""Of a question that only makes an error's sentence better."""

_lock = threading.Lock()
_engines: dict[str, Engine] = {}


def _forget() -> None:
    """In a forked child: the parent goes on using the client's connections."""
    global _lock, _engines
    _lock, _engines = threading.Lock(), {}


os.register_at_fork(after_in_child=_forget)


class Engine:
    """A checked engine, and the few things we ask of it. Each raises `EngineUnavailable`."""

    def __init__(
        self,
        client: APIClient,
        address: str,
        host: Host,
        name: str,
        *,
        runtimes: tuple[str, ...] = (),
        listener: tuple[int, ...] = (),
    ) -> None:
        self.client, self.address, self.host, self.name = client, address, host, name
        self.runtimes, self.listener = runtimes, listener
        self._sdk: Any = client  # its own annotations are partial

    @contextmanager
    def asking(self) -> Generator[None]:
        """Errors as ours; an engine that does not answer is checked again at its next use: another may answer there by then."""
        try:
            with translated(self.address):
                yield
        except EngineUnavailable as error:
            if not error.answers:
                with _lock:
                    _engines.pop(self.address, None)
            if error.address == self.address:
                raise
            raise EngineUnavailable(address=self.address, said=error.said, do=error.do, answers=error.answers) from error

    def create(self, config: Mapping[str, Any], name: str) -> str:
        """Create a container; returns its id."""
        with self.asking():
            return str(self._sdk.create_container_from_config(config, name=name)["Id"])

    def attach(self, container: str) -> Any:
        """The connection to a container's three streams, as the SDK gives it."""
        with self.asking():
            return self._sdk.attach_socket(container, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1})

    def start(self, container: str) -> None:
        with self.asking():
            self._sdk.start(container)

    def happened(self, container: str) -> list[dict[str, Any]]:
        """The engine's record of a container, oldest first; it keeps the last few hundred events of all, until it is restarted."""
        wanted = {
            "since": "1",
            "until": f"{time.time():.6f}",
            "filters": json.dumps({"type": ["container"], "container": [container]}),
        }
        with self.asking():
            # The SDK's own call has no time limit.
            url = f"{self._sdk.base_url}/v{self._sdk.api_version}/events"
            answer = self._sdk.get(url, params=wanted, timeout=ASK_SECONDS)
            answer.raise_for_status()
            return [json.loads(line) for line in answer.text.splitlines() if line.strip()]

    def state(self, container: str) -> dict[str, Any] | None:
        """`State` of a container; None when the engine does not know it any more."""
        with self.asking():
            url = f"{self._sdk.base_url}/v{self._sdk.api_version}/containers/{container}/json"
            answer = self._sdk.get(url, timeout=ASK_SECONDS)
            if answer.status_code == 404:
                return None
            answer.raise_for_status()
            return dict(answer.json()["State"])

    def wait_removed(self, container: str, seconds: int) -> bool:
        """Whether the container goes within that time."""
        import docker.errors
        import requests.exceptions

        try:
            ended: dict[str, Any] = self._sdk.wait(container, timeout=seconds, condition="removed")
        except docker.errors.NotFound:
            return True
        except (docker.errors.DockerException, requests.exceptions.RequestException, OSError):
            return False
        return not ended.get("Error")  # such as a file system that was busy

    def remove(self, container: str) -> None:
        """Remove a container, if it is still there."""
        import docker.errors

        with self.asking():
            try:
                self._sdk.remove_container(container, force=True, v=True)
            except docker.errors.APIError as error:
                if error.status_code not in (404, 409):  # gone, or just going
                    raise

    def labelled(self, label: str, *states: str) -> dict[str, dict[str, str]]:
        """The labels of all containers that have this one, by id; of those in the given states, if any are given."""
        with self.asking():
            filters = {"label": label, **({"status": list(states)} if states else {})}
            found: list[dict[str, Any]] = self._sdk.containers(all=True, filters=filters)
        return {str(container["Id"]): dict(container.get("Labels") or {}) for container in found}


def engine() -> Engine:
    """The engine that the environment names, checked at its first use and again after its restart.

    Raises `EngineUnavailable` or `Unsafe`.
    """
    with _lock:
        where = address()
        listener = which_listener(where)
        known = _engines.get(where)
        if known is None or known.listener != listener:
            _engines[where] = known = _connect(where, listener)
        return known


def _connect(where: str, listener: tuple[int, ...]) -> Engine:
    if not is_local(where) and os.environ.get(ALLOW_REMOTE) != "1":
        said = "it is on another machine, so your files would leave this one"
        raise EngineUnavailable(address=where, said=said, do=f"Set {ALLOW_REMOTE}=1 if that is meant", answers=True)
    import docker

    with translated(where):
        # The pool holds a connection for each session's line.
        client = docker.APIClient(version="auto", timeout=int(TIMEOUT_SECONDS), max_pool_size=64, **_settings(where))
        # No proxy leads to this machine; looking for one at each request would fail while another thread changes the environment.
        client.trust_env = not is_local(where)
        info: dict[str, Any] = client.info()
        name = engine_name(client.version())
        host = check_info(info, name)
        return Engine(client, where, host, name, runtimes=tuple(sorted(info.get("Runtimes") or ())), listener=listener)


def _settings(where: str) -> dict[str, Any]:
    """What the SDK needs to connect: from DOCKER_HOST and its companions, or from Docker's current context."""
    from docker.context import ContextAPI
    from docker.utils import kwargs_from_env

    name = current_context(os.environ)
    if name is None:
        settings: dict[str, Any] = {**kwargs_from_env()}
        return settings if os.environ.get("DOCKER_HOST") else {**settings, "base_url": where}
    context: Any = ContextAPI.get_context(name)
    tls = context.TLSConfig if context is not None else None
    return {"base_url": where, **({"tls": tls} if tls is not None else {})}


def engine_name(version: Mapping[str, Any]) -> str:
    """`Docker 20.10.24`, `Podman 4.3.1`."""
    parts: list[Mapping[str, Any]] = version.get("Components") or []
    podman = any("podman" in str(part.get("Name", "")).lower() for part in parts)
    return f"{'Podman' if podman else 'Docker'} {version.get('Version', '?')}"


def check_info(info: dict[str, Any], name: str = "Docker") -> Host:
    """What the engine says about itself. Raises `Unsafe` when it can't apply a limit; rootless on cgroup v1 is the usual case."""
    do = "Use an engine that can: Docker with root, or rootless Docker on cgroup v2"
    if name.startswith("Podman"):
        # Of a scratch folder it takes the size alone: no number of files, no owner. Tried with 4.3; its volumes take neither.
        raise Unsafe(control="the number of files in a scratch folder", found=repr(name), do=do)
    for control in ("MemoryLimit", "PidsLimit", "CpuCfsQuota"):
        if info.get(control) is not True:
            raise Unsafe(control=f"the engine's {control}", found=repr(info.get(control)), do=do)
    if info.get("CgroupDriver") in (None, "none", ""):
        raise Unsafe(control="the engine's cgroup driver", found=repr(info.get("CgroupDriver")), do=do)
    options: list[str] = info.get("SecurityOptions") or []
    if not any("seccomp" in option for option in options):
        raise Unsafe(control="seccomp", found=repr(options), do="Use an engine and a kernel with seccomp")
    return Host(cpus=int(info["NCPU"]), memory=int(info["MemTotal"]))
