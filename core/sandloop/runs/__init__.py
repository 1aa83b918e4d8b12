"""Kept runs: every question leaves a folder that says what was asked, what ran, what came of it and where.

    from sandloop.runs import find_run, list_runs, runs_folder

    folder = runs_folder()
    print(list_runs(folder)[0].question, find_run("last", folder).result().text)

A run's folder is `<runs>/<id>/`: `events.jsonl` (written as it happens), `run.json`, `environment.json`, `inputs.json`, the made
files by content in `content/` and by name in `files/`. Contents of input files are kept once in `<runs>/inputs/`.
"""

from __future__ import annotations

from sandloop.runs.again import areplay_run, replay_run
from sandloop.runs.differences import CellAgain, FileAgain, Replayed
from sandloop.runs.kept import KeptInput, Run, find_run
from sandloop.runs.listing import list_runs
from sandloop.runs.place import runs_folder
from sandloop.runs.removal import remove_run
from sandloop.runs.summary import RunSummary

__all__ = [
    "CellAgain",
    "FileAgain",
    "KeptInput",
    "Replayed",
    "Run",
    "RunSummary",
    "areplay_run",
    "find_run",
    "list_runs",
    "remove_run",
    "replay_run",
    "runs_folder",
]
