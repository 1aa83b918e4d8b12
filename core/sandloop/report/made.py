"""The files of a run, as a report shows them: pictures, tables and pages where they are safe and small, else their names. Pure but
for `read`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from sandloop.events import FileMade, InputFile
from sandloop.report.bounds import Bounds
from sandloop.report.figures import kind_of
from sandloop.report.frames import MAX_HTML, Frame, frame
from sandloop.report.pictures import MAX_BYTES, Picture, picture
from sandloop.report.shown import FileShown
from sandloop.report.tables import READ, Table, read_table
from sandloop.report.text import short
from sandloop.sizes import human_size

Read = Callable[[FileMade, int], bytes | None]
"""At most so many bytes of a file; None when its bytes are not here."""
_TABLES = {"text/csv": False, "text/tab-separated-values": True}
_NAME = 150


@dataclass
class _Room:
    """What may still be shown."""

    pictures: int
    bytes: int
    tables: int
    pages: int


def made_files(
    files: Sequence[FileMade], steps: Mapping[str, int], *, key: str, limits: Bounds, read: Read
) -> tuple[FileShown, ...]:
    """The first files of a run, each in its last version.

    Args:
        steps: Number of each step, by the id of its code.
        key: What the anchors begin with.
    """
    room = _Room(limits.pictures, limits.picture_bytes, limits.tables, limits.pages)
    shown: list[FileShown] = []
    for number, made in enumerate(files[: limits.rows], 1):
        content = _content(made, limits, room, read)
        step = steps.get(made.code_id or "")
        shown.append(
            replace(
                _named(made, f"{key}-f{number}"),
                origin=f"{made.change} in step {step}" if step else "",
                picture=content if isinstance(content, Picture) else None,
                table=content if isinstance(content, Table) else None,
                frame=content if isinstance(content, Frame) else None,
                why=content if isinstance(content, str) else "",
            )
        )
    return tuple(shown)


def input_files(files: Sequence[InputFile], *, key: str, rows: int) -> tuple[FileShown, ...]:
    """The first files of a question: names and sizes alone, since a user's file is nothing to parse here."""
    return tuple(_named(file, f"{key}-i{number}") for number, file in enumerate(files[:rows], 1))


def _named(file: FileMade | InputFile, anchor: str) -> FileShown:
    return FileShown(
        anchor=anchor,
        name=short(file.name, _NAME),
        size=human_size(file.size),
        mime=short(kind_of(file.mime), 80),
        sha256=file.sha256[:12],
    )


def _content(made: FileMade, limits: Bounds, room: _Room, read: Read) -> Picture | Table | Frame | str:
    """What is shown of a file, or why not; empty where nothing is expected."""
    mime = made.mime.lower()
    if mime.startswith("image/"):
        return _picture(made, room, read)
    if mime in _TABLES:
        return _table(made, limits, room, read, tabs=_TABLES[mime])
    if mime == "text/html":
        return _page(made, room, read)
    return ""


def _picture(made: FileMade, room: _Room, read: Read) -> Picture | str:
    if room.pictures <= 0:
        return "left out here: enough pictures are shown"
    content = read(made, MAX_BYTES + 1)
    if content is None:
        return _GONE
    found = picture(content)
    if isinstance(found, Picture):
        if len(found.uri) > room.bytes:
            return "left out here: the pictures above take the room there is"
        room.pictures -= 1
        room.bytes -= len(found.uri)
    return found


def _table(made: FileMade, limits: Bounds, room: _Room, read: Read, *, tabs: bool) -> Table | str:
    if room.tables <= 0:
        return "left out here: enough tables are shown"
    content = read(made, READ + 1)
    if content is None:
        return _GONE
    found = read_table(content, tabs=tabs, rows=limits.table_rows, columns=limits.table_columns, cell=limits.cell)
    if found is None:
        return "not readable as a table"
    room.tables -= 1
    return found


def _page(made: FileMade, room: _Room, read: Read) -> Frame | str:
    if room.pages <= 0:
        return "left out here: enough pages are shown"
    content = read(made, MAX_HTML + 1)
    if content is None:
        return _GONE
    found = frame(content)
    if isinstance(found, Frame):
        if found.weight > room.bytes:
            return "left out here: the pictures above take the room there is"
        room.pages -= 1
        room.bytes -= found.weight
    return found


_GONE = "its bytes are not here"
