"""Whether the code at the provider found the input files: an upload may be accepted and silently not arrive. Pure.

Nothing in a reply says what a container holds, so the code's own outputs are read. One sign alone is doubt, since models get paths
wrong; it is sure when code failed for want of a file by its name and the input folder, listed, was empty.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import Literal

from sandloop.events import CodeRan, CodeWritten, Event

_NOT_FOUND = re.compile(r"FileNotFoundError|No such file or directory", re.IGNORECASE)
_LISTS = re.compile(r"\bls\b|\bfind\b|listdir|scandir|iterdir|glob\(")
_EMPTY = re.compile(r"(?:\[\]|total 0)?")


def found(events: Sequence[Event], names: Collection[str]) -> set[str]:
    """The input files that some step of the reply printed the name of, or named in code that ran without missing it."""
    return {
        name for source, ran in _steps(events) if ran.ok for name in names if _names(source, ran, name) and not _missed(ran, name)
    }


def looked(events: Sequence[Event], names: Collection[str]) -> Literal["there", "doubtful", "missing"]:
    """What the steps of a reply show about the input files that no step has found so far."""
    steps = _steps(events)
    if not names or found(events, names):
        return "there"
    missed = any(_missed(ran, name) for _, ran in steps for name in names)
    empty = any(_lists_nothing(source, ran) for source, ran in steps)
    return "missing" if missed and empty else "doubtful" if missed or empty else "there"


def _steps(events: Sequence[Event]) -> list[tuple[str, CodeRan]]:
    sources = {e.code_id: e.source for e in events if isinstance(e, CodeWritten)}
    return [(sources.get(e.code_id, ""), e) for e in events if isinstance(e, CodeRan)]


def _names(source: str, ran: CodeRan, name: str) -> bool:
    return name in source or name in ran.stdout


def _missed(ran: CodeRan, name: str) -> bool:
    """Also an exception that the code caught and printed."""
    error = f"{ran.error.name}: {ran.error.value}" if ran.error is not None else ""
    lines = "\n".join((ran.stdout, ran.stderr, error)).splitlines()
    return any(_NOT_FOUND.search(line) and name in line for line in lines)


def _lists_nothing(source: str, ran: CodeRan) -> bool:
    return (
        ran.ok
        and "INPUT_DIR" in source
        and ">" not in source
        and _LISTS.search(source) is not None
        and _EMPTY.fullmatch(ran.stdout.strip()) is not None
    )
