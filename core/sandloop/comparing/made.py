"""The files that entries made, by kind, and how many of them are looked into."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from sandloop.comparing.comparison import Entry, FileKind
from sandloop.limits import MB
from sandloop.result import ResultFile

FILES_EACH = 30
"""Files of an entry that are compared; each that is beyond is told."""
FILE_BYTES, ALL_BYTES = 60 * MB, 300 * MB
_TABLES = (".csv", ".tsv", ".tab", ".json", ".jsonl", ".ndjson", ".parquet")
_WORKBOOKS = (".xlsx", ".xlsm", ".xls")


@dataclass(frozen=True, slots=True)
class Made:
    """A file of one entry. `id` counts over all of them."""

    id: int
    entry: int
    file: ResultFile
    kind: FileKind

    @property
    def suffix(self) -> str:
        """The ending of its name, where it is one that we know."""
        suffix = PurePosixPath(self.file.name).suffix.lower()
        return suffix if suffix in (*_TABLES, *_WORKBOOKS) else ""


def kind_of(file: ResultFile) -> FileKind:
    """What a file is, by its content's type and its name."""
    suffix = PurePosixPath(file.name).suffix.lower()
    if file.mime in ("image/png", "image/jpeg"):
        return "picture"
    if suffix in _WORKBOOKS:
        return "workbook"
    return "table" if suffix in _TABLES else "other"


def made_files(entries: Sequence[Entry]) -> tuple[list[Made], list[str]]:
    """The files of all entries, in order, and in words what is left out."""
    found: list[Made] = []
    left: list[str] = []
    for at, entry in enumerate(entries):
        files = entry.result.files if entry.result is not None else ()
        found += [Made(id_, at, file, kind_of(file)) for id_, file in enumerate(files[:FILES_EACH], len(found))]
        if len(files) > FILES_EACH:
            left.append(f"{entry.label}: {len(files) - FILES_EACH} more files were not compared")
    return found, left


def too_large(files: Iterable[Made]) -> dict[int, str]:
    """Why some are not looked into, by id: the ones over the bounds of a file and of all together."""
    why: dict[int, str] = {}
    room, counted = ALL_BYTES, set[str]()
    for made in files:
        if made.file.size > FILE_BYTES:
            why[made.id] = f"it is over {FILE_BYTES // MB} MB"
        elif made.file.sha256 not in counted:
            counted.add(made.file.sha256)
            room -= made.file.size
            if room < 0:
                why[made.id] = f"all files together are over {ALL_BYTES // MB} MB"
    return why
