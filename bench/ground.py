"""What every measure stands on, and what one is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from data import Data
from figures import Row, Sample
from sandloop_sandbox.engine import Engine
from subject import Subject


@dataclass(frozen=True, slots=True)
class Ground:
    """The engine and the files."""

    engine: Engine
    data: Data


Take = Callable[[Ground, Subject], Awaitable[list[Sample]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Some rows of the table, taken together."""

    rows: tuple[Row, ...]
    take: Take
    subjects: tuple[str, ...]
    """Names of `subjects.py`."""
    rare: tuple[str, ...] = ()
    """Subjects that take so long that every tenth round has them."""
