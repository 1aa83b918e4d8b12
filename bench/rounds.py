"""The rounds: each takes one sample of every subject in every row, in an order that turns, so that noise meets all alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from figures import Sample
from ground import Ground, Measure
from subject import Subject

SELDOM = 10


@dataclass(frozen=True, slots=True)
class Failure:
    """A subject that did not come through a measure."""

    row: str
    subject: str
    said: str


def turned(names: Sequence[str], by: int) -> list[str]:
    """The names, beginning with another one each time."""
    start = by % len(names)
    return [*names[start:], *names[:start]]


async def take_rounds(
    rounds: int,
    table: Sequence[Measure],
    subject: Callable[[str], Subject],
    ground: Ground,
    on_progress: Callable[[str], None],
) -> tuple[list[Sample], list[Failure]]:
    """All samples of all rounds. What fails is reported beside them and does not end the rest."""
    samples: list[Sample] = []
    failures: list[Failure] = []
    for number in range(rounds):
        for measure in table:
            taking = [name for name in measure.subjects if number % SELDOM == 0 or name not in measure.rare]
            for name in turned(taking, number) if taking else []:
                on_progress(f"round {number + 1} of {rounds}: {measure.rows[0].what}, {name}")
                try:
                    samples += await measure.take(ground, subject(name))
                    await subject(name).ready()  # a pool that fills would slow the next one
                except Exception as error:
                    failures.append(Failure(measure.rows[0].id, name, f"{type(error).__name__}: {error}"))
    return samples, failures
