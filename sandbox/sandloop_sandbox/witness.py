"""This machine as a witness: servers that note who comes, canaries that must not be found, and what can be seen of processes."""

from __future__ import annotations

import fcntl
import os
import secrets
import socket
import struct
import tempfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

_SIOCGIFADDR = 0x8915
CANARY = "SANDLOOP_CANARY"


class Witness:
    """Listens on every address of this machine, on UDP, and on an abstract socket; lays out canaries. Use as a context."""

    def __init__(self) -> None:
        self.visits: list[str] = []
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self.secret = f"canary-{secrets.token_hex(12)}"
        self._folder = tempfile.TemporaryDirectory(prefix="sandloop-proof-")
        self.folder = Path(self._folder.name)
        self.file = self.folder / self.secret
        self._before: str | None = None

    def __enter__(self) -> Witness:
        self.file.write_text(self.secret)
        # So that only the sandbox keeps the code from it.
        self.folder.chmod(0o777)
        self.file.chmod(0o666)
        self._before, os.environ[CANARY] = os.environ.get(CANARY), self.secret
        self.port = self._serve("tcp", socket.AF_INET, socket.SOCK_STREAM, ("0.0.0.0", 0))  # noqa: S104
        self.udp = self._serve("udp", socket.AF_INET, socket.SOCK_DGRAM, ("0.0.0.0", 0))  # noqa: S104
        self.port6 = self._serve("tcp6", socket.AF_INET6, socket.SOCK_STREAM, ("::1", 0)) if socket.has_ipv6 else 0
        self._serve("abstract", socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.secret}")
        return self

    def __exit__(self, *_: object) -> None:
        for one in self._sockets:
            one.close()
        for thread in self._threads:
            thread.join(5)
        if self._before is None:
            os.environ.pop(CANARY, None)
        else:
            os.environ[CANARY] = self._before
        self._folder.cleanup()

    def seen(self) -> dict[str, Any]:
        """What was seen so far."""
        return {"visits": list(self.visits), "memory": own_memory(), "file": self.file.read_text()}

    def process(self, about: Mapping[str, Any]) -> dict[str, str]:
        """What this machine's kernel says of a container's PID 1; empty where its processes are none of ours."""
        pid, container = about.get("State", {}).get("Pid", 0), str(about.get("Id", ""))
        try:
            # A container's number may be one of a virtual machine's.
            ours = bool(pid and about.get("Here")) or (bool(container) and container in Path(f"/proc/{pid}/cgroup").read_text())
        except OSError:
            return {}
        return status(pid) if ours else {}

    def given(self) -> dict[str, Any]:
        """What the attacker is told of this machine."""
        return {
            "addresses": addresses(),
            "port": self.port,
            "udp": self.udp,
            "port6": self.port6,
            "secret": self.secret,
            "path": str(self.file),
            "namespaces": namespaces(),
            "hostname": socket.gethostname(),
        }

    def _serve(self, name: str, family: int, kind: int, address: Any) -> int:
        server = socket.socket(family, kind)
        try:
            server.bind(address)
        except OSError:  # no IPv6 on this machine
            server.close()
            return 0
        server.settimeout(0.2)
        take: Callable[[], object] = lambda: server.recvfrom(100)  # noqa: E731
        if kind == socket.SOCK_STREAM:
            server.listen()
            take = lambda: server.accept()[0].close()  # noqa: E731
        thread = threading.Thread(target=self._note, args=(name, server, take), name="sandloop-witness", daemon=True)
        self._sockets.append(server)
        self._threads.append(thread)
        thread.start()
        return int(server.getsockname()[1]) if family != socket.AF_UNIX else 0

    def _note(self, name: str, server: socket.socket, take: Callable[[], object]) -> None:
        while server.fileno() >= 0:
            try:
                take()
            except TimeoutError:
                continue
            except OSError:
                return
            self.visits.append(name)


def addresses() -> list[str]:
    """The IPv4 addresses of this machine, loopback first, and the names under which containers reach it."""
    found = ["127.0.0.1"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            try:
                answer = fcntl.ioctl(asker.fileno(), _SIOCGIFADDR, struct.pack("256s", name.encode()[:15]))
            except OSError:
                continue
            found.append(socket.inet_ntoa(answer[20:24]))
    return list(dict.fromkeys(found))


def namespaces(pid: int | str = "self") -> dict[str, str]:
    """The namespaces of a process, as the kernel names them; empty where that can't be seen."""
    found: dict[str, str] = {}
    for name in ("ipc", "mnt", "net", "pid", "uts", "cgroup"):
        try:
            found[name] = str(Path(f"/proc/{pid}/ns/{name}").readlink())
        except OSError:
            continue
    return found


def status(pid: int) -> dict[str, str]:
    """What this machine's kernel says of a process; empty where that can't be seen."""
    try:
        text = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return {}
    return dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)


def own_memory() -> int:
    """The most memory this process ever had, in bytes."""
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
