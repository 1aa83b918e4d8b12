"""What a run was made with: versions of the software, the machine, the sandbox. Nothing of the process's variables."""

from __future__ import annotations

import platform
import re
from dataclasses import asdict
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, requires, version
from typing import Any

from sandloop.events import SandboxOpened
from sandloop.limits import Limits

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """Of the installed packages that sandloop itself needs, by name."""
    try:
        needed = requires("sandloop") or []
    except PackageNotFoundError:
        return {}
    found: dict[str, str] = {}
    for name in sorted({match[0] for line in needed if (match := _NAME.match(line))}):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@lru_cache(maxsize=1)
def own_version() -> str:
    """Of sandloop; empty where it is not installed."""
    try:
        return version("sandloop")
    except PackageNotFoundError:
        return ""


def environment(limits: Limits, opened: SandboxOpened | None) -> dict[str, Any]:
    """As `environment.json` holds it."""
    return {
        "sandloop": own_version(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": versions(),
        "limits": asdict(limits),
        "sandbox": None if opened is None else sandbox_facts(opened),
    }


def sandbox_facts(opened: SandboxOpened) -> dict[str, Any]:
    """What of a local sandbox can change what code prints."""
    return {
        "sandbox": opened.sandbox,
        "engine": opened.engine,
        "runtime": opened.runtime,
        "image": opened.image,
        "packages": list(opened.packages),
        "weakened": list(opened.weakened),
    }
