"""Previews, made in forks of the supervisor, which has their modules: a program of its own takes longer to start than to look."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping

LIMITS = {"kept": "6000", "total": "600000", "seconds": "10"}
"""Of the step that makes one: bytes that are kept and that may come, as in a command of the host's."""
NEEDED = ("preview", "preview_kinds", "preview_csv", "preview_json")
"""By a preview of a table; the modules for other files are imported in the fork."""


def prepare() -> None:
    """Import what most previews need, unless that was done. What can't be imported fails in the fork again, which says so."""
    from importlib import import_module

    for name in NEEDED:
        with contextlib.suppress(Exception):
            import_module(f".{name}", __package__)


def of(path: str, env: Mapping[str, str]) -> Callable[[], object]:
    """What a process becomes that describes the file: it sees what a program would, and has nothing of ours to write to."""
    prepare()

    def describe() -> None:
        from . import preview

        os.environ.clear()
        os.environ.update(env)
        preview.show(path)

    return describe
