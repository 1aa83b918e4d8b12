"""Samples and what they come to. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One measured value of one subject in one row."""

    row: str
    subject: str
    value: float
    warm: bool = True
    """False: a row about a pool, and the pool had none ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What ours should reach: at most or at least a value, or at most a multiple of the limit of the same run."""

    kind: Literal["most", "least", "limit"]
    value: float

    def reached(self, ours: float, limit: float | None) -> bool | None:
        """None where there is nothing to compare with."""
        match self.kind:
            case "most":
                return ours <= self.value
            case "least":
                return ours >= self.value
            case "limit":
                return None if limit is None else ours <= self.value * limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A line of the table."""

    id: str
    what: str
    unit: str
    target: Target | None = None
    pooled: bool = False
    """It counts only with a container that was ready."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """All samples of one subject in one row."""

    samples: int
    median: float
    p95: float
    """The worse end: the fifth percentile where more is better."""
    least: float
    most: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A row with its figures."""

    row: Row
    figures: dict[str, Figure]
    not_warm: int
    """Samples of ours that are left out, as the pool had none ready."""
    reached: bool | None

    def ratio(self, to: str) -> float | None:
        """Ours in multiples of another subject."""
        ours, other = self.figures.get("ours"), self.figures.get(to)
        return ours.median / other.median if ours is not None and other is not None and other.median > 0 else None


def figure(values: Sequence[float], *, more_is_better: bool = False) -> Figure:
    """What a few values come to. Raises `ValueError` when there are none."""
    if not values:
        raise ValueError("no samples")
    ordered = sorted(values)
    place = round(0.95 * (len(ordered) - 1))
    worse = ordered[len(ordered) - 1 - place] if more_is_better else ordered[place]
    return Figure(samples=len(ordered), median=statistics.median(ordered), p95=worse, least=ordered[0], most=ordered[-1])


def line(row: Row, samples: Sequence[Sample]) -> Line:
    """The figures of a row. A sample that was not warm counts for nothing in a row about a pool."""
    mine = [sample for sample in samples if sample.row == row.id]
    counted = [sample for sample in mine if sample.warm or not row.pooled]
    more = row.target is not None and row.target.kind == "least"
    values: dict[str, list[float]] = {}
    for sample in counted:
        values.setdefault(sample.subject, []).append(sample.value)
    figures = {subject: figure(some, more_is_better=more) for subject, some in values.items()}
    ours, limit = figures.get("ours"), figures.get("limit")
    reached = None
    if row.target is not None and ours is not None:
        reached = row.target.reached(ours.median, limit.median if limit else None)
    return Line(row=row, figures=figures, not_warm=len(mine) - len(counted), reached=reached)
