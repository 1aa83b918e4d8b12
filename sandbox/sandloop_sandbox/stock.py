"""What a pool does next: which container to start, which to end, when to look again. Pure: state and clock in, a plan out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

AGE = 600.0
"""How long a container waits for its session, and how long a kind that nobody asks for is kept ready."""
KINDS = 3
"""Kinds of container that are kept ready: the last asked for."""
QUIET = 1.5
"""After a session has opened, its first steps have the processors to themselves."""
PATIENCE = 3.0
"""Where sessions open all the time, a pool that waited for quiet would stay empty."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 300.0
"""After a start that failed, and after many in a row."""

K = TypeVar("K")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """One kind of container."""

    size: int
    """How many shall be ready."""
    asked: float
    """When it was last asked for."""
    ready: tuple[float, ...] = ()
    """Since when each one there is ready, the oldest first."""
    short: float | None = None
    """Since when there are too few."""
    failures: int = 0
    failed: float = 0.0
    """How many starts failed in a row, and when the last did."""

    @property
    def not_before(self) -> float:
        """When the next start may be tried."""
        pause = min(FIRST_PAUSE * 2.0 ** min(self.failures - 1, 20), LONGEST_PAUSE) if self.failures else 0.0
        return max(self.failed + pause, min(self.asked + QUIET, (self.asked if self.short is None else self.short) + PATIENCE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(Generic[K]):
    """What to do now."""

    end: Mapping[K, int] = field(default_factory=dict[K, int])
    """How many of each kind to end, the oldest first."""
    drop: tuple[K, ...] = ()
    """Kinds not to be kept any more; all of theirs are ended, too."""
    start: K | None = None
    look_again: float | None = None
    """Seconds until something may have to be done though nothing has happened; None: never."""


def plan(shelves: Mapping[K, Shelf], *, opening: int, opening_since: float, now: float) -> Plan[K]:
    """The next things to do. `opening` sessions are just starting without the pool, some since `opening_since`: they go first."""
    latest = sorted(shelves, key=lambda kind: shelves[kind].asked, reverse=True)
    drop = tuple(kind for place, kind in enumerate(latest) if place >= KINDS or now >= shelves[kind].asked + AGE)
    kept = [kind for kind in latest if kind not in drop]
    end = {kind: many for kind in kept if (many := _too_many(shelves[kind], now))}
    start, waits = None, [shelves[kind].asked + AGE - now for kind in kept]
    for kind in kept:
        shelf = shelves[kind]
        left = len(shelf.ready) - end.get(kind, 0)
        waits += [since + AGE - now for since in shelf.ready[end.get(kind, 0) :]]
        if left < shelf.size and start is None:
            due = max(shelf.not_before, opening_since + PATIENCE if opening else 0.0)
            if now >= due:
                start = kind
            else:
                waits.append(due - now)
    return Plan(end=end, drop=drop, start=start, look_again=max(0.0, min(waits)) if waits else None)


def _too_many(shelf: Shelf, now: float) -> int:
    old = sum(1 for since in shelf.ready if now >= since + AGE)
    return max(old, len(shelf.ready) - shelf.size)
