"""How a sandbox is made, beside its limits: the engine, its packages, whether one is kept ready, and what weakens it on purpose."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Literal, TypeAlias

Warm: TypeAlias = Literal["auto", "process", "shared", "off"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """The `[sandbox]` table. Nothing here opens the sandbox but what is named `unsafe_…`, which each result and the doctor show."""

    engine: str = "docker"
    """The name of an entry point in `sandloop.sandboxes`: `docker`, or `bubblewrap` where Docker can't be had."""
    packages: tuple[str, ...] = ()
    """Python packages beside the usual ones, as `name` or `name==version`: put into an image of their own, built once."""
    runtime: str | None = None
    """A container runtime that the engine knows, such as `runsc` (gVisor). None: the engine's own."""
    warm: Warm = "auto"
    """Where containers are kept ready: in this `process`, `shared` with your other processes by a small background process, or
    `off`. `auto`: shared for the command line, else in this process."""
    pool: int = 1
    """Containers kept ready; each holds about 100 MB of memory."""
    unsafe_network: bool = False
    """Give the code the engine's default network."""
    unsafe_privileged: bool = False
    """Give the code all that the engine has to give."""
    unsafe_capabilities: tuple[str, ...] = ()
    """Add these capabilities of the kernel, such as `NET_RAW`."""
    unsafe_mounts: tuple[str, ...] = ()
    """Show folders of this machine to the code, as `/host/folder:/inside` (read-only) or `/host/folder:/inside:rw`."""

    @property
    def weakened(self) -> tuple[str, ...]:
        """The names of the unsafe options in use."""
        return tuple(f.name for f in fields(self) if f.name.startswith("unsafe_") and getattr(self, f.name))


DEFAULT_OPTIONS = SandboxOptions()
FORBIDDEN = {
    "privileged": "unsafe_privileged",
    "network": "unsafe_network",
    "network_mode": "unsafe_network",
    "cap_add": "unsafe_capabilities",
    "capabilities": "unsafe_capabilities",
    "mounts": "unsafe_mounts",
    "volumes": "unsafe_mounts",
    "binds": "unsafe_mounts",
    "docker_socket": "unsafe_mounts",
}
"""What users of containers reach for and would open the sandbox, and the name that says so."""
