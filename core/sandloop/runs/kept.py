"""One kept run: its events, its result, its inputs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from sandloop.errors import BadFile, UsageError
from sandloop.events import Event
from sandloop.files import expanded
from sandloop.printable import printable
from sandloop.result import Result
from sandloop.runs.contents import found_input
from sandloop.runs.listing import list_runs, run_names, summary_of
from sandloop.runs.place import CONTENT, ENVIRONMENT, EVENTS, FILES, INPUTS, is_id, is_sha256, read_json
from sandloop.runs.reading import Read, read_events
from sandloop.runs.summary import RunSummary
from sandloop.store import FileStore

LAST = "last"
_LIKE_AN_ID = re.compile(r"\d[\da-f-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptInput:
    """An input file of a run."""

    name: str
    """As the code saw it."""
    size: int
    """In bytes."""
    mime: str
    sha256: str
    original: Path | None = None
    """Where it was; None when it was given as bytes."""
    path: Path | None = None
    """Where its content is now; None when it is gone or was changed."""


@dataclass(frozen=True)
class Run:
    """A run that was kept.

    Attributes:
        folder: Where it is: `files/` in it holds the made files by their names.
        summary: What a list says of it.
    """

    folder: Path
    summary: RunSummary

    @property
    def id(self) -> str:
        """Its name."""
        return self.summary.id

    @cached_property
    def _read(self) -> Read:
        return read_events(self.folder / EVENTS)

    @property
    def events(self) -> tuple[Event, ...]:
        """All that happened, as far as it can be read. Raises `BadFile` when the file of events is gone."""
        return self._read.events

    @property
    def broken(self) -> str:
        """What of the events can't be read, in words; empty when all can."""
        return self._read.broken

    @property
    def files_folder(self) -> Path:
        """Where the made files are, by their names; there is none when no file was made."""
        return self.folder / FILES

    def result(self) -> Result:
        """The run's result. Its files can be read as long as the run is kept."""
        return Result(events=self.events, store=FileStore(file_bytes=0, also=[self.folder / CONTENT]))

    def inputs(self) -> tuple[KeptInput, ...]:
        """All files that the code could see. Each content is read to see that it is still the same."""
        table = read_json(self.folder / INPUTS)
        rows: list[Any] = table if isinstance(table, list) else []  # pyright: ignore[reportUnknownVariableType]
        return tuple(found for row in rows if (found := _input(row, self.folder.parent)) is not None)

    @property
    def environment(self) -> dict[str, Any]:
        """What it was made with: versions, the machine, the sandbox; empty when it can't be read."""
        table = read_json(self.folder / ENVIRONMENT)
        return {str(k): v for k, v in table.items()} if isinstance(table, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _input(row: Any, folder: Path) -> KeptInput | None:
    match row:
        case {"name": str(name), "size": int(size), "sha256": str(sha256), "mime": str(mime), "original": said} if is_sha256(
            sha256
        ):
            original = Path(said) if isinstance(said, str) else None
            path = found_input(folder, sha256, original)
            return KeptInput(name=name, size=size, mime=mime, sha256=sha256, original=original, path=path)
        case _:
            return None


def find_run(reference: str, folder: Path | None) -> Run:
    """The run that is meant.

    Args:
        reference: The folder of a run, its id, the beginning of one, or `last`.
        folder: Where runs are kept; None when runs are off.

    Raises:
        UsageError: There is none, or more than one of that beginning.
    """
    path = expanded(reference)
    if reference and (path / EVENTS).is_file():
        return open_run(path.absolute())
    if folder is None:
        raise UsageError(
            f"The run {reference!r} can't be looked up, since runs are off. Set SANDLOOP_RUNS, or name a run's folder."
        )
    if reference == LAST:
        newest = list_runs(folder, limit=1)
        if not newest:
            raise UsageError(f"No run is kept in {folder}. Ask something first; `sandloop analyze` keeps its runs there.")
        return open_run(folder / newest[0].id)
    names = [name for name in run_names(folder) if reference and name.startswith(reference)]
    if not names or not is_id(names[0]):
        raise UsageError(f"There is no run {printable(reference)!r} in {folder}. `sandloop runs` lists them.")
    if len(names) > 1 and reference not in names:
        raise UsageError(f"{reference!r} is the beginning of {len(names)} runs: {', '.join(names[:3])} … Write more of the id.")
    return open_run(folder / (reference if reference in names else names[0]))


def recording_path(reference: str, folder: Path | None) -> Path:
    """Where the recording is that `replay:REFERENCE` names: a path that exists, or else a kept run. Raises `UsageError`."""
    path = expanded(reference)
    return find_run(reference, folder).folder if is_kept_name(reference) and not path.exists() else path


def is_kept_name(reference: str) -> bool:
    """Whether it can name a kept run: an id, the beginning of one, or `last`."""
    return reference == LAST or _LIKE_AN_ID.fullmatch(reference) is not None


def open_run(folder: Path) -> Run:
    """The run in that folder. Raises `BadFile` when it holds none."""
    summary = summary_of(folder)
    if summary is None:
        raise BadFile(name=str(folder), why="holds no run", do="`sandloop runs` lists the runs that are kept")
    return Run(folder, summary)
