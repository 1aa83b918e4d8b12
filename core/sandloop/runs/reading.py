"""A file of events, as far as it can be read: a process or a machine may have died at any byte of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from sandloop import codec
from sandloop.errors import BadFile, UsageError
from sandloop.events import Event
from sandloop.regular import open_regular

MAX_BYTES = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Read:
    """The events, and what could not be read, in words; empty when all could."""

    events: tuple[Event, ...]
    broken: str = ""


def parsed(content: bytes) -> Read:
    """The events of the lines up to the first that is none."""
    events: list[Event] = []
    lines = content.split(b"\n")
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            events.append(codec.from_json(line))
        except (UsageError, RecursionError):
            rest = sum(len(left) + 1 for left in lines[number - 1 :]) - 1
            what = "its last line is cut off" if number == len(lines) else f"line {number} can't be read, nor what follows it"
            return Read(tuple(events), f"{what}: {rest} bytes are left out")
    return Read(tuple(events))


def read_events(path: Path) -> Read:
    """Of `events.jsonl`. Raises `BadFile` when there is no such file."""
    try:
        with open_regular(path) as file:
            if os.fstat(file.fileno()).st_size > MAX_BYTES:
                raise BadFile(name=str(path), why=f"is over {MAX_BYTES} bytes, too large for a run", do="Name another run")
            return parsed(file.read(MAX_BYTES))
    except OSError as error:
        raise BadFile(
            name=str(path), why=f"can't be read: {error.strerror}", do="`sandloop runs` lists the runs that are kept"
        ) from error
