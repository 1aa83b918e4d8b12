"""A second dockerd, to be killed, filled and restarted by tests: its files in one folder, its network in a namespace of its own.

In a namespace of its own it can't touch the first one's bridge: started without one (`--bridge none`) on the same network, it
would delete it. Its images stay in a cache between test runs; loading them takes half a minute.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import docker.errors
from platformdirs import user_cache_path

import docker
from sandloop_sandbox.image import ensure_image

CONTAINERD = """
version = 2
root = "{folder}/containerd"
state = "{folder}/containerd-state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "{folder}/containerd.sock"
"""
WAIT_SECONDS = 60.0
RUNTIME = "sandbox-test"
"""A runtime under a name that no engine has by itself."""


class CannotStart(Exception):
    """Why there is no second engine here."""


class SecondEngine:
    """One dockerd with its own containerd, listening on a socket of its own and on a port of 127.0.0.1."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder, self.data = folder, data
        self.unix = f"unix://{folder}/docker.sock"
        # Given to dockerd as systemd would, as one that it binds would be in its own network namespace.
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.tcp = f"tcp://127.0.0.1:{self._listener.getsockname()[1]}"
        self.runtime_used = folder / "runtime-used"
        runtime = folder / "runtime"
        runtime.write_text(f'#!/bin/sh\necho used >> {self.runtime_used}\nexec {shutil.which("runc")} "$@"\n')
        runtime.chmod(0o755)
        self._argv = [
            f"--containerd={folder}/containerd.sock", f"--data-root={data}", f"--exec-root={folder}/exec",
            f"--pidfile={folder}/pid", f"--host={self.unix}", "--host=fd://", "--bridge=none", "--iptables=false",
            "--ip-forward=false", f"--add-runtime={RUNTIME}={runtime}",
        ]  # fmt: skip
        self._containerd_config = folder / "containerd.toml"
        self._containerd_config.write_text(CONTAINERD.format(folder=folder))
        self._log = (folder / "log").open("wb")
        self.was_killed = False
        self._dockerd: subprocess.Popen[bytes] | None = None
        self._containerd: subprocess.Popen[bytes] | None = None

    def start(self, *, limits: bool = True) -> None:
        """Start what isn't running; returns once it answers. Raises `CannotStart`.

        Args:
            limits: Without them it sees control groups that have no controllers, as in many a rootless or nested installation.
        """
        if self._containerd is None or self._containerd.poll() is not None:
            self._containerd = self._run("containerd", "--config", str(self._containerd_config))
            self._wait_for((self.folder / "containerd.sock").exists, self._containerd)
        given = f'exec 3<&{self._listener.fileno()}; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@"'
        start = ["bash", "-c", given, "bash", "dockerd", *self._argv]
        if not limits:
            start = ["unshare", "--mount", "bash", "-c", 'mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec "$@"', "bash", *start]
        self._dockerd = self._run("unshare", "--net", *start)
        self._wait_for(self.answers, self._dockerd)

    def _run(self, *argv: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", *argv],  # not to outlive tests that are killed
            pass_fds=[self._listener.fileno()], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log,
            start_new_session=True,
        )  # fmt: skip

    def _wait_for(self, ready: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
        until = time.monotonic() + WAIT_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > until:
                raise CannotStart("its log ends with " + " | ".join((self.folder / "log").read_text().splitlines()[-3:]))
            time.sleep(0.02)

    def answers(self) -> bool:
        with socket.socket(socket.AF_UNIX) as line, contextlib.suppress(OSError):
            line.settimeout(5)
            line.connect(self.unix.removeprefix("unix://"))
            line.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
            return b"200 OK" in line.recv(100)
        return False

    def client(self) -> Any:
        return docker.APIClient(base_url=self.unix, version="1.41", timeout=10)

    def kill(self) -> None:
        """SIGKILL, as the kernel's memory killer would. It may forget to remove containers when it starts again."""
        self.was_killed = True
        _end(self._dockerd, signal.SIGKILL)

    def signal(self, what: signal.Signals) -> None:
        assert self._dockerd is not None
        self._dockerd.send_signal(what)

    def kill_containerd(self) -> None:
        """SIGKILL of the process below dockerd that looks after the containers."""
        _end(self._containerd, signal.SIGKILL)

    def stop(self) -> None:
        """End dockerd in order, as a package's update does."""
        _end(self._dockerd, signal.SIGTERM)

    def containers(self) -> list[str]:
        """The ids of all containers that it has, running or not."""
        client = self.client()
        try:
            listed = [str(found["Id"]) for found in client.containers(all=True)]
            # Right after a restart it may go on listing one that it has just removed, until its next restart.
            return [one for one in listed if self.knows(client, one)]
        finally:
            client.close()

    @staticmethod
    def knows(client: Any, container: str) -> bool:
        try:
            client.inspect_container(container)
        except docker.errors.NotFound:
            return False
        return True

    def left(self) -> str:
        """What is there, and what the engine says of it."""
        log = (self.folder / "log").read_text("utf-8", "replace").splitlines()
        ids = self.containers()
        return "\n".join([f"{ids} {self.shims()}", *(line for line in log if any(one in line for one in ids))])

    def shims(self) -> list[int]:
        """The processes that each hold a container of its own, running or not."""
        found: list[int] = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes()
                if entry.name.isdigit() and b"containerd-shim" in words and str(self.folder).encode() in words:
                    found.append(int(entry.name))
        return found

    def close(self) -> None:
        """End it, and all that it started."""
        self.stop()
        _end(self._containerd, signal.SIGTERM)
        for shim in self.shims():
            os.kill(shim, signal.SIGKILL)
        self._listener.close()
        self._log.close()


def _end(process: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if process is not None and process.poll() is None:
        process.send_signal(how)
        process.wait(timeout=WAIT_SECONDS)


@contextlib.contextmanager
def second_engine(first: docker.APIClient) -> Generator[SecondEngine]:
    """A started one with the sandbox image in it. Raises `CannotStart`."""
    if os.geteuid() != 0:
        raise CannotStart("starting another dockerd takes root")
    if missing := [name for name in ("dockerd", "containerd", "runc", "unshare", "setpriv") if shutil.which(name) is None]:
        raise CannotStart(f"there is no {' and no '.join(missing)} in PATH")
    image = ensure_image(first, print)
    cache = user_cache_path("sandloop-tests", ensure_exists=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another run of the tests may have it
        data = cache / image.removeprefix("sha256:")[:12]
        for old in cache.iterdir():
            if old.is_dir() and old != data:
                shutil.rmtree(old, ignore_errors=True)
        folder = Path(tempfile.mkdtemp(prefix="sl-"))  # short: the path of a socket in it has at most 107 bytes
        engine = SecondEngine(folder, data)
        try:
            engine.start()
            load(image, first, engine)
            yield engine
        finally:
            engine.close()
            shutil.rmtree(folder, ignore_errors=True)


def load(image: str, first: Any, engine: SecondEngine) -> None:
    """Bring the image over, by its name, if it isn't there."""
    client = engine.client()
    client.timeout = 300
    try:
        if image not in {str(found["Id"]) for found in client.images()}:
            names: list[str] = first.inspect_image(image)["RepoTags"]
            for _ in client.load_image(first.get_image(names[0], chunk_size=1 << 20)):
                pass
    finally:
        client.close()
