"""What extraction gives: the cells to run, and why these and no others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

from sandloop.events import Origin

Runnable: TypeAlias = Literal["python", "bash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """Code to run. `call_id` is the wire's id of the call it came from."""

    language: Runnable
    source: str
    origin: Origin
    call_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Extraction:
    """The cells of one reply, in order."""

    cells: tuple[Cell, ...] = ()
    cut_off: bool = False
    """The reply stopped at its token limit in the middle of code; the cut piece is not among `cells`."""
    why: str = ""
    """What decided, in words for a log."""


@dataclass(frozen=True, slots=True)
class Found:
    """What one way of reading a reply found, and whether the last piece was cut off."""

    cells: tuple[Cell, ...] = ()
    cut: bool = False
    why: str = ""

    def __bool__(self) -> bool:
        return bool(self.cells) or self.cut
