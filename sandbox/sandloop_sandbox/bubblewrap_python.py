"""Which interpreter of this machine runs the code in the sandbox named `bubblewrap`."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from sandloop.errors import BubblewrapUnavailable
from sandloop_sandbox.bubblewrap_policy import INTERPRETER

OLDEST = (3, 11)
SYSTEM_PYTHON = Path("/usr/bin/python3")


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """An interpreter of this machine, and where it is found inside."""

    executable: str
    version: str
    folder: Path | None
    """What has to be shown inside for it; None when it is below /usr, which is shown anyway."""
    library: str = ""
    """The file of a shared libpython that is not below /usr."""

    @property
    def short(self) -> str:
        return ".".join(self.version.split(".")[:2])

    @property
    def inside(self) -> str:
        """Its path inside."""
        return f"{INTERPRETER}/bin/python{self.short}" if self.folder is not None else self.executable

    @property
    def identity(self) -> str:
        """What packages installed for it depend on."""
        return f"{self.executable} {self.version} {os.uname().machine}"


def find_python() -> Python:
    """The interpreter that runs this, else the system's. Raises `BubblewrapUnavailable`."""
    for python in (_own(), _systems()):
        if python is not None and _can_be_read(Path(python.folder or python.executable)):
            return python
    said = f"neither {sys.base_prefix} nor {SYSTEM_PYTHON} is a Python 3.11 or newer that the sandbox may read"
    raise BubblewrapUnavailable(said=said, do="Install python3 from your distribution, or use Docker")


def _own() -> Python | None:
    prefix, version = Path(sys.base_prefix).resolve(), ".".join(map(str, sys.version_info[:3]))
    executable = prefix / "bin" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if not os.access(executable, os.X_OK):
        return None
    if prefix == Path("/usr"):
        return Python(executable=str(executable), version=version, folder=None)
    library = str(sysconfig.get_config_var("INSTSONAME") or "") if sysconfig.get_config_var("Py_ENABLE_SHARED") else ""
    return Python(executable=str(executable), version=version, folder=prefix, library=library)


def _systems() -> Python | None:
    try:
        executable = SYSTEM_PYTHON.resolve(strict=True)
        ask = [str(executable), "-I", "-S", "-c", "import sys; print('.'.join(map(str, sys.version_info[:3])))"]
        version = subprocess.run(ask, capture_output=True, text=True, timeout=20, check=True).stdout.strip()  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    if tuple(map(int, version.split(".")[:2])) < OLDEST or not executable.is_relative_to("/usr"):
        return None
    return Python(executable=str(executable), version=version, folder=None)


def _can_be_read(path: Path) -> bool:
    """Whether the sandbox may read it: as the user, or for root, whose sandboxes are nobody's, whether all may."""
    if os.geteuid() != 0:
        return os.access(path, os.R_OK | os.X_OK)
    parts = (path, *path.parents)
    return all(part.stat().st_mode & stat.S_IXOTH for part in parts)
