"""Do they agree? The numbers of the answers, the tables and pictures they made, and a judge's opinion, put together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from sandloop.comparing.comparison import Agreement, Entry, Judgement, NumberRow
from sandloop.comparing.facts import facts
from sandloop.comparing.filed import Filed, compare_files
from sandloop.comparing.groups import Relation, grouped, relation
from sandloop.comparing.inside.close import TOLERANCE
from sandloop.comparing.judge import judged
from sandloop.comparing.numbers import Row, aligned, shown_rows
from sandloop.comparing.verdict import Seen, verdict
from sandloop.comparing.words import WordRow, shown_words, word_row
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.settings import Settings


async def agreement(
    entries: Sequence[Entry],
    *,
    options: SandboxOptions,
    limits: Limits,
    tolerance: float = TOLERANCE,
    judge: str | None = None,
    question: str = "",
    settings: Settings | None = None,
) -> Agreement:
    """Who agrees with whom. A file that can't be read and a sandbox that can't be had raise nothing: the rows say so.

    Args:
        options: Which sandbox opens the files; it is a sealed one whatever they say.
        tolerance: By what part of itself a number may differ from another one and still be the same; whole numbers may not.
        judge: A model that is asked for its opinion of the answers, as `model` of a session. It decides nothing.
        question: What was asked: numbers that repeat it are left out, and its words say which number an answer is about.
        settings: For the judge: profiles, prices and addresses.
    """
    files, opinion = await asyncio.gather(
        compare_files(entries, options=options, limits=limits, tolerance=tolerance),
        _opinion(question, entries, judge, limits, settings),
    )
    return await asyncio.to_thread(_put_together, entries, question, tolerance, files, opinion)


def _put_together(entries: Sequence[Entry], question: str, tolerance: float, files: Filed, opinion: Judgement | None) -> Agreement:
    answered = [at for at, entry in enumerate(entries) if entry.answered]
    answers = [entry.result.text if entry.answered and entry.result is not None else None for entry in entries]
    numbers, words = aligned(answers, question, tolerance), word_row(answers, question)
    pairs = _of(answered, relation(numbers, words, files.classes, tolerance))
    groups = grouped(answered, pairs)
    seen = Seen(
        entries=entries,
        question=question,
        groups=groups,
        pairs=pairs,
        numbers=numbers,
        words=words,
        tolerance=tolerance,
        facts={at: facts(entry.result) for at, entry in enumerate(entries)},
        file_differences=files.differences,
    )
    return Agreement(
        verdict=verdict(seen),
        agree=all(pairs.values()) if pairs else None,
        groups=tuple(tuple(entries[at].label for at in group) for group in groups),
        numbers=_shown(numbers, words, len(entries), tolerance),
        files=files.rows,
        judged=opinion,
    )


def _of(answered: Sequence[int], pairs: Relation) -> Relation:
    """What is between two that answered: a run that failed half-way may have left files."""
    return {pair: agrees for pair, agrees in pairs.items() if pair[0] in answered and pair[1] in answered}


def _shown(numbers: Sequence[Row], words: WordRow | None, entries: int, tolerance: float) -> tuple[NumberRow, ...]:
    first = () if words is None else (shown_words(words, entries),)
    return (*first, *shown_rows(numbers, entries, tolerance))


async def _opinion(
    question: str, entries: Sequence[Entry], judge: str | None, limits: Limits, settings: Settings | None
) -> Judgement | None:
    if judge is None or sum(entry.answered for entry in entries) < 2:
        return None
    return await judged(question, entries, judge, limits=limits, settings=settings)
