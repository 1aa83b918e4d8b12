"""`sandloop runs rm`: which runs are meant, and removing them after asking."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import typer
from rich.console import Console

from sandloop.errors import UsageError
from sandloop.runs.kept import find_run
from sandloop.runs.listing import list_runs
from sandloop.runs.place import runs_folder
from sandloop.runs.removal import remove_runs
from sandloop.runs.summary import RunSummary
from sandloop.sizes import seconds_between

_UNITS = {"m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400}


def chosen(ids: Sequence[str], *, everything: bool, older_than: str | None) -> tuple[Path, list[RunSummary]]:
    """The folder, and the runs that are meant. Raises `UsageError`."""
    ways = bool(ids) + everything + (older_than is not None)
    if ways != 1:
        raise UsageError("Which runs to remove is said in one way. Give ids, or --all, or --older-than.")
    folder = runs_folder()
    if folder is None:
        raise UsageError("Runs are off, so there are none to remove. The setting 'runs' names their folder.")
    if ids:
        found = [find_run(reference, folder) for reference in ids]
        elsewhere = next((run for run in found if run.folder.parent != folder), None)
        if elsewhere is not None:
            raise UsageError(f"{elsewhere.folder} is not in {folder}. Remove it as any folder.")
        return folder, [run.summary for run in found]
    every = list_runs(folder)
    if older_than is None:
        return folder, every
    seconds, now = seconds_of(older_than), time.time()
    return folder, [run for run in every if seconds_between(run.at, now) > seconds]


def seconds_of(text: str) -> float:
    """`30d`, `12h`, `90m`, `2w`. Raises `UsageError`."""
    match = re.fullmatch(r"(\d{1,6})([mhdw])", text.strip().lower())
    if match is None:
        raise UsageError(f"{text!r} is no time to be older than. Write a number and m, h, d or w, such as 30d.")
    return int(match[1]) * _UNITS[match[2]]


def remove(folder: Path, wanted: Sequence[RunSummary], *, yes: bool, console: Console) -> None:
    """Remove them, and say what went and what stayed."""
    if not wanted:
        console.print("No run to remove.", highlight=False)
        return
    if not yes and not _agreed(f"Remove {_count(len(wanted))} and their files?"):
        console.print("Nothing was removed.", highlight=False)
        return
    removed = remove_runs(folder, [run.id for run in wanted])
    console.print(f"Removed {_count(len(removed))}.", highlight=False)
    stayed = [run.id for run in wanted if run.id not in removed]
    if stayed:
        console.print(f"[yellow]![/] still being written, or gone already: {', '.join(stayed)}", highlight=False, soft_wrap=True)


def _agreed(question: str) -> bool:
    if sys.stdin is None or not sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison]
        raise UsageError("Removing runs asks first, and there is no terminal to ask at. Add --yes.")
    return typer.confirm(question, err=True)


def _count(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"
