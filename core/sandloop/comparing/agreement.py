"""Do they agree? The numbers of the answers, the tables and pictures they made, and a judge's opinion, put together."""

from __future__ import annotations

from collections.abc import Sequence

from sandloop.comparing.comparison import Agreement, Entry
from sandloop.comparing.facts import facts
from sandloop.comparing.groups import grouped, relation
from sandloop.comparing.inside.close import TOLERANCE
from sandloop.comparing.numbers import aligned, shown_rows
from sandloop.comparing.verdict import Seen, verdict
from sandloop.comparing.words import shown_words, word_row
from sandloop.limits import Limits
from sandloop.options import SandboxOptions


async def agreement(
    entries: Sequence[Entry],
    *,
    options: SandboxOptions,
    limits: Limits,
    tolerance: float = TOLERANCE,
    judge: str | None = None,
    question: str = "",
) -> Agreement:
    """Who agrees with whom."""
    answers = [entry.result.text if entry.answered and entry.result else None for entry in entries]
    numbers, words = aligned(answers, question, tolerance), word_row(answers, question)
    pairs = relation(numbers, words, [], tolerance)
    groups = grouped([at for at, entry in enumerate(entries) if entry.answered], pairs)
    seen = Seen(
        entries=entries,
        question=question,
        groups=groups,
        pairs=pairs,
        numbers=numbers,
        words=words,
        tolerance=tolerance,
        facts={at: facts(entry.result) for at, entry in enumerate(entries)},
        file_differences={},
    )
    rows = [*([shown_words(words, len(entries))] if words else []), *shown_rows(numbers, len(entries), tolerance)]
    return Agreement(
        verdict=verdict(seen),
        agree=None if not pairs else all(pairs.values()),
        groups=tuple(tuple(entries[at].label for at in group) for group in groups),
        numbers=tuple(rows),
    )
