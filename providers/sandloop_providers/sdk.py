"""Vendors' SDKs are imported when they are used, and beside the event loop: one of them takes seconds."""

from __future__ import annotations

import gc
import importlib
from threading import Lock

from anyio import to_thread

_loaded: set[str] = set()
_one = Lock()
"""Held while one is imported: whether objects are collected is a switch of the whole process."""


async def load(name: str) -> None:
    """Import the module in a thread, so that everything else goes on. Raises what its import raises."""
    if name not in _loaded:
        await to_thread.run_sync(_import, name, abandon_on_cancel=True)


def _import(name: str) -> None:
    """Thousands of classes are made and none is garbage: to look for some takes a fifth of the time."""
    with _one:
        collects = gc.isenabled()
        gc.disable()
        try:
            importlib.import_module(name)
        finally:
            if collects:
                gc.enable()
    _loaded.add(name)
