"""What does not depend on the engine holds on this one too: the tests of the third shelf themselves, run with its sessions."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

DOCKER = Path(__file__).parents[1] / "docker"
MODULES = ("test_session", "test_files", "test_hostile", "test_hardening", "test_limits")
OTHERWISE: set[str] = set()
"""Tests of what only control groups can do, or of the engine's own; their place on this engine is in the modules beside this one."""


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"same_{name}", DOCKER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


for _name in MODULES:
    for _what, _value in vars(_module(_name)).items():
        if not _what.startswith("__") and _what not in OTHERWISE:
            globals()[_what] = _value
