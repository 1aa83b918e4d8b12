"""Removes what a killed process left behind: containers of ours whose owner is gone, or whose time is long over.

A container normally ends with its line. This is for what never had one (killed between create and start), and for an engine
that crashed. It never touches a container without our label, nor one whose owner lives. One that was made to be given away may
outlive its maker in the hands of another process: it is removed when it does not run, and when its time is over.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping

from sandloop.errors import EngineUnavailable
from sandloop_sandbox import owner
from sandloop_sandbox.container import LABEL, log
from sandloop_sandbox.engine import Engine

NOT_RUNNING = ("created", "exited", "dead")

_swept = threading.Event()


def sweep_once(engine: Engine) -> None:
    """Sweep in the background, at this process's first start of a container."""
    if not _swept.is_set():
        _swept.set()
        threading.Thread(target=sweep, args=(engine,), name="sandloop-sweep", daemon=True).start()


def sweep(engine: Engine) -> list[str]:
    """Remove the leftovers; returns their ids. An engine that fails meanwhile is left alone, and said in the log."""
    removed: list[str] = []
    try:
        still = engine.labelled(f"{LABEL}.session", *NOT_RUNNING)
        for container, labels in engine.labelled(f"{LABEL}.session").items():
            if is_left_over(labels, time.time(), running=container not in still):
                engine.remove(container)
                removed.append(container)
    except EngineUnavailable as error:
        log.info("leftover containers could not be swept: %s", error)
    return removed


def is_left_over(labels: Mapping[str, str], now: float, *, running: bool = True) -> bool:
    """Whether nobody can want a container with these labels any more."""
    deadline, made_by = labels.get(f"{LABEL}.deadline", ""), labels.get(f"{LABEL}.owner")
    if f"{LABEL}.session" not in labels or made_by is None or not deadline.isdigit():
        return False
    if now > int(deadline):
        return True
    return owner.is_gone(made_by) and not (running and f"{LABEL}.shared" in labels)
