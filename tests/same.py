"""What does not depend on the engine holds on another one too: the third shelf's own tests, with the sessions of another."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection
from pathlib import Path

DOCKER = Path(__file__).parent / "docker"


def same(name: str, otherwise: Collection[str] = ()) -> dict[str, object]:
    """All of a module of that shelf, for the globals of another, without the tests that can't be the same."""
    spec = importlib.util.spec_from_file_location(f"same_{name}", DOCKER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found = {what: value for what, value in vars(module).items() if not what.startswith("__")}
    assert set(otherwise) <= set(found), "a test that is left out does not exist any more"
    return {what: value for what, value in found.items() if what not in otherwise}
