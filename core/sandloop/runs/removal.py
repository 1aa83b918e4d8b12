"""Runs that go: by the user's wish, or because newer ones need the room. Never one that is being written, never anybody's else.

Several processes may do this at once: a run goes under another name first, in one step, and the contents of inputs are only
removed by the one that has the place for itself.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterable
from pathlib import Path

from sandloop.runs.listing import run_names
from sandloop.runs.place import GONE, INPUTS, KEPT_INPUTS, NEW, held, is_being_written, is_id, is_sha256

_LEFT_SECONDS = 3600
"""After which what somebody was making is taken for left over."""


def remove_run(folder: Path, run: str) -> bool:
    """Remove one run; False when it is being written, or not there. Inputs that no run needs any more go with it."""
    with held(folder, shared=False, wait=True):
        removed = _remove(folder, run)
        if removed:
            _sweep(folder)
    return removed


def remove_runs(folder: Path, runs: Iterable[str]) -> list[str]:
    """Remove several; returns those that went."""
    with held(folder, shared=False, wait=True):
        removed = [run for run in runs if _remove(folder, run)]
        if removed:
            _sweep(folder)
    return removed


def remove_oldest(folder: Path, *, kept: int) -> None:
    """Remove the oldest runs beyond `kept`. When somebody is just beginning a run, the next one does it."""
    if len(run_names(folder)) <= kept:
        return
    with held(folder, shared=False, wait=False) as alone:
        if not alone:
            return
        names = run_names(folder)
        removed = [name for name in names[: max(0, len(names) - kept)] if _remove(folder, name)]
        if removed:
            _sweep(folder)


def _remove(folder: Path, run: str) -> bool:
    path = folder / run
    if not is_id(run) or path.is_symlink() or not path.is_dir() or is_being_written(path):
        return False
    gone = folder / f"{GONE}{run}-{os.getpid()}"
    try:
        path.rename(gone)
    except FileNotFoundError:
        return False
    shutil.rmtree(gone, ignore_errors=True)
    return True


def _sweep(folder: Path) -> None:
    """Contents of inputs that no run names, and what dead processes left half made or half removed."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith((NEW, GONE)) and entry.is_dir(follow_symlinks=False) and _is_left(entry):
                shutil.rmtree(entry.path, ignore_errors=True)
    inputs = folder / KEPT_INPUTS
    if not inputs.is_dir() or inputs.is_symlink():
        return
    needed = b"".join(_bytes(folder / name / INPUTS) for name in run_names(folder))
    with os.scandir(inputs) as entries:
        for entry in entries:
            unneeded = is_sha256(entry.name) and entry.name.encode() not in needed
            if entry.is_file(follow_symlinks=False) and (unneeded or (entry.name.startswith(NEW) and _is_left(entry))):
                Path(entry.path).unlink(missing_ok=True)


def _is_left(entry: os.DirEntry[str]) -> bool:
    try:
        return time.time() - entry.stat(follow_symlinks=False).st_mtime > _LEFT_SECONDS
    except OSError:
        return False


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
