"""The runs of a folder, the newest first."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

from sandloop.errors import BadFile
from sandloop.runs.place import EVENTS, RUN, is_being_written, is_id, read_json
from sandloop.runs.reading import read_events
from sandloop.runs.summary import RunSummary, ended, from_table

_SECOND = 15
"""Characters of an id that tell the second."""


def list_runs(folder: Path | None, *, limit: int | None = None) -> list[RunSummary]:
    """The runs kept in `folder`, the newest first; none when there is no such folder, or runs are off.

    Args:
        limit: The newest that many.
    """
    names = run_names(folder)
    if folder is None:
        return []
    if limit is not None and 0 <= limit < len(names):
        oldest = names[len(names) - limit][:_SECOND] if limit else "~"
        names = [name for name in names if name[:_SECOND] >= oldest]
    found = [summary for name in names if (summary := summary_of(folder / name)) is not None]
    return sorted(found, key=lambda s: (s.id[:_SECOND], s.began), reverse=True)[:limit]


def run_names(folder: Path | None) -> list[str]:
    """The ids of the runs in `folder`, the oldest first."""
    if folder is None:
        return []
    try:
        with os.scandir(folder) as entries:
            return sorted(e.name for e in entries if is_id(e.name) and e.is_dir(follow_symlinks=False))
    except OSError:
        return []


def summary_of(run: Path) -> RunSummary | None:
    """What stands in its `run.json`, or, when its process died before that was right, what its events say.

    None for a folder that holds neither.
    """
    summary = from_table(read_json(run / RUN), run.name)
    if summary is not None and summary.status != "running":
        return summary
    if is_being_written(run):
        return summary or RunSummary(id=run.name, status="running")
    again = from_table(read_json(run / RUN), run.name)  # it may have ended just now
    if again is not None and again.status != "running":
        return again
    try:
        read = read_events(run / EVENTS)
    except BadFile:
        return dataclasses.replace(summary, status="interrupted") if summary is not None else None
    told = ended(summary or RunSummary(id=run.name), read.events)
    return dataclasses.replace(told, incomplete=read.broken) if read.broken else told
