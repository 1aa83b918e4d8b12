"""What differs between a run as it was recorded and the same code run again. Pure, and bounded."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from sandloop.events import CodeRan, CodeWritten, FileMade

DIFF_LINES = 40
"""Of one difference, shown at most."""
MAX_DIFFED = 500_000
"""Characters of a text above which its lines are not compared."""
_DATED = ("application/vnd.openxmlformats", "application/vnd.ms-excel", "application/zip", "application/pdf", "application/gzip")
"""Kinds of files that usually hold the time at which they were made."""

_CELLS = (".xlsx", ".xlsm", ".xls", ".parquet")


@dataclass(frozen=True, slots=True, kw_only=True)
class CellAgain:
    """A recorded cell, and what came of running it again."""

    code: CodeWritten
    then: CodeRan
    now: CodeRan | None
    """None when it was not run again, for which `differs` gives the reason."""
    differs: tuple[str, ...] = ()
    """What is different, in words and short diffs; empty when all is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAgain:
    """A file that the code made, then or now."""

    name: str
    change: Literal["same", "changed", "missing", "new"]
    """`missing`: not made now; `new`: not made then."""
    then: FileMade | None
    now: FileMade | None
    differs: str = ""
    """For text a short diff, for workbooks and Parquet the cells; else what is known of the difference."""
    same_cells: bool | None = None
    """Of a workbook or Parquet whose bytes differ: whether all cells are the same, and so `change` is `same`. None for any other
    file, and when it could not be found out, for the reason in `differs`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CellsSeen:
    """What came of comparing the cells of a file whose bytes differ."""

    same: bool | None
    """None when it could not be found out."""
    said: str = ""
    """The cells that differ, a line each; or why they could not be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """A run's code, run again without a model.

    The environment is told, since it may explain a difference, but it is none by itself.
    """

    run: str
    cells: tuple[CellAgain, ...]
    files: tuple[FileAgain, ...]
    environment: tuple[str, ...] = ()
    """What was made with something else then: the image, a version."""
    notes: tuple[str, ...] = ()
    """What was left out, and what to know."""

    @property
    def same(self) -> bool:
        """Whether every cell and every file came out as it did then."""
        return not any(cell.differs for cell in self.cells) and all(file.change == "same" for file in self.files)

    def to_plain(self) -> dict[str, Any]:
        """As plain dictionaries and lists, for JSON."""
        return {"same": self.same} | dataclasses.asdict(self)


def cell_differs(then: CodeRan, now: CodeRan) -> tuple[str, ...]:
    """What is different in what a cell did. What a provider did not say can't differ."""
    found: list[str] = []
    if then.stopped_by != now.stopped_by:
        found.append(f"stopped by {now.stopped_by}, then by {then.stopped_by}")
    if then.exit_code is not None and then.exit_code != now.exit_code:
        found.append(f"exit code {now.exit_code}, then {then.exit_code}")
    elif then.exit_code is None and then.outcome == "known" and then.ok != now.ok and then.stopped_by == now.stopped_by:
        found.append("it failed, then it went well" if then.ok else "it went well, then it failed")
    if _error(then) != _error(now):
        found.append(f"the error is {_error(now) or 'none'}, then {_error(then) or 'none'}")
    for name, before, after in (("stdout", then.stdout, now.stdout), ("stderr", then.stderr, now.stderr)):
        if before.rstrip() != after.rstrip():
            found.append(f"{name} differs:\n{short_diff(before, after)}")
    return tuple(found)


def _error(ran: CodeRan) -> str:
    return "" if ran.error is None else f"{ran.error.name}: {ran.error.value[:500]}"


def short_diff(before: str, after: str) -> str:
    """A unified diff of at most `DIFF_LINES` lines."""
    if max(len(before), len(after)) > MAX_DIFFED:
        return f"too long to compare line by line: {len(before)} characters then, {len(after)} now"
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), "then", "now", lineterm="", n=1))
    shown = [line if len(line) <= 400 else f"{line[:400]} …" for line in lines[:DIFF_LINES]]
    return "\n".join([*shown, f"… {len(lines) - DIFF_LINES} more lines"] if len(lines) > DIFF_LINES else shown)


def holds_cells(name: str) -> bool:
    """Whether a file of that name is a workbook or Parquet: it may have other bytes each time that it is made."""
    return name.lower().endswith(_CELLS)


def files_differ(
    then: Sequence[FileMade],
    now: Sequence[FileMade],
    text: Callable[[FileMade], str | None],
    cells: Mapping[str, CellsSeen] = MappingProxyType({}),
) -> tuple[FileAgain, ...]:
    """Each file by its name, in its last version.

    Args:
        text: The content of a text that is not too long; None for anything else.
        cells: What came of comparing cells, by the names of the files that were opened.
    """
    before, after = {f.name: f for f in then}, {f.name: f for f in now}
    return tuple(_file(n, before.get(n), after.get(n), text, cells.get(n)) for n in dict.fromkeys([*before, *after]))


def _file(
    name: str, then: FileMade | None, now: FileMade | None, text: Callable[[FileMade], str | None], cells: CellsSeen | None
) -> FileAgain:
    if then is None or now is None:
        return FileAgain(name=name, change="new" if then is None else "missing", then=then, now=now)
    if then.sha256 == now.sha256:
        return FileAgain(name=name, change="same", then=then, now=now)
    if cells is not None and cells.same is not None:
        change: Literal["same", "changed"] = "same" if cells.same else "changed"
        return FileAgain(name=name, change=change, then=then, now=now, differs=cells.said, same_cells=cells.same)
    before, after = text(then), text(now)
    if before is not None and after is not None:
        said = short_diff(before, after)
    else:
        said = f"{then.size} bytes then, {now.size} now"
        if then.mime == now.mime and then.mime.startswith(_DATED):
            said += "; such a file usually holds the time at which it was made, which differs each time"
        if cells is not None:
            said += f"\nits cells were not compared: {cells.said}"
    return FileAgain(name=name, change="changed", then=then, now=now, differs=said)


def environment_differs(then: Mapping[str, Any], now: Mapping[str, Any]) -> tuple[str, ...]:
    """The facts that are not the same, a line each."""
    found = _lines(("sandloop", "python", "platform"), then, now) if then else ["it is not known what it was made with then"]
    before, after = _table(then.get("sandbox")), _table(now.get("sandbox"))
    if before:
        found += _lines(("sandbox", "engine", "runtime", "image", "packages", "weakened"), before, after)
    elif then and after:
        found.append("the code ran at a provider then, in the local sandbox now")
    return tuple(found)


def _lines(names: Sequence[str], then: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [f"{n}: {_said(then.get(n))} then, {_said(now.get(n))} now" for n in names if then.get(n) != now.get(n)]


def _said(value: object) -> str:
    return str(value) if value else "none"


def _table(value: Any) -> dict[str, Any]:
    return {str(k): v for k, v in value.items()} if isinstance(value, dict) else {}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
