"""Why one answer differs from the others, as far as the record of the runs says so. Pure; nothing is guessed.

Each rule looks at the facts of one run and of those it is held against, and gives a reason or none. What the record shows to
bear on the number is a `because`; what merely is different about the code is told in parentheses, as what it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sandloop.comparing.facts import DROPS, Facts
from sandloop.numbers import DIGITS

_DIGITS = re.compile(DIGITS)

Rule: TypeAlias = "Callable[[Facts, Sequence[Facts], str], str | None]"


@dataclass(frozen=True, slots=True)
class Reason:
    """Words to be put behind what an answer says."""

    text: str
    cause: bool
    rank: int = 0
    """The smaller, the stronger."""

    def __str__(self) -> str:
        return f", because {self.text}" if self.cause else f" ({self.text})"


def reason(one: Facts, others: Sequence[Facts], number: str) -> Reason | None:
    """The strongest reason that the record supports; None when it supports none.

    Args:
        one: Of the run that differs.
        others: Of those that agree against it, at least one.
        number: What it says, as its answer writes it.
    """
    if not others:
        return None
    for rank, (rule, cause) in enumerate(RULES):
        if (text := rule(one, others, number)) is not None:
            return Reason(text, cause, rank)
    return None


def no_code(one: Facts, others: Sequence[Facts], number: str) -> str | None:
    """It ran nothing, and each of the others did."""
    return "it ran no code" if not one.ran and all(other.well for other in others) else None


def all_failed(one: Facts, others: Sequence[Facts], number: str) -> str | None:
    """Nothing that it ran ended well, and something of each of the others did."""
    return "none of its code ended well" if one.ran and not one.well and all(other.well for other in others) else None


def dropped_rows(one: Facts, others: Sequence[Facts], number: str) -> str | None:
    """It drops rows, and its outputs name fewer than the outputs of all others, which name the same."""
    size, own, _ = _sizes(one, others)
    if not own or not one.calls & {"dropna", "drop_duplicates"}:
        return None
    return f"it dropped {size - own:,} row{'s' if size - own > 1 else ''}"


def other_rows(one: Facts, others: Sequence[Facts], number: str) -> str | None:
    """The most rows that its outputs name are not as many as in the outputs of all others, which name the same."""
    size, own, most = _sizes(one, others)
    return f"it worked on {most:,} rows, {_others(others)} on {size:,}" if most and (most == own or most > size) else None


def _sizes(one: Facts, others: Sequence[Facts]) -> tuple[int, int, int]:
    """The rows that all others have, those that `one` alone has and that are somewhat fewer, and the most that it has.

    Zeros where the record does not say: a number of rows that stands in the others' outputs too tells nothing.
    """
    sizes = {max(other.rows, default=0) for other in others}
    elsewhere = frozenset[int]().union(*(other.rows for other in others))
    if len(sizes) != 1 or 0 in sizes or not one.rows:
        return 0, 0, 0
    size, most = sizes.pop(), max(one.rows)
    own = max((count for count in one.rows - elsewhere if size / 2 <= count < size), default=0)
    return size, own, 0 if most in elsewhere else most


def unsupported(one: Facts, others: Sequence[Facts], number: str) -> str | None:
    """The number stands in none of its outputs, and all numbers of the others do in theirs."""
    if any(other.unsupported for other in others):
        return None
    return "that number stands in none of its outputs" if unseen(one, number) else None


def unseen(one: Facts, number: str) -> bool:
    """Whether the record says of a number of the answer, as that writes it, that it stands in no output, file or question."""
    digits = _DIGITS.search(number)
    return number.strip() in one.unsupported or (digits is not None and digits[0] in one.unsupported)


def another_sheet(one: Facts, others: Sequence[Facts], number: str) -> str | None:
    """It reads another sheet of the workbook than all others do."""
    mine, theirs = _only(one.sheets, [other.sheets for other in others])
    return f"only it reads the sheet {mine}; {_others(others)}: {theirs}" if mine and theirs else None


def another_column(one: Facts, others: Sequence[Facts], number: str) -> str | None:
    """It names one column of the files that no other does, and not the one that all others name."""
    mine, theirs = _only(one.columns, [other.columns for other in others])
    return f"only it uses the column {mine}; {_others(others)}: {theirs}" if mine and theirs else None


def another_aggregate(one: Facts, others: Sequence[Facts], number: str) -> str | None:
    """It takes the median where all others take the mean."""
    mine, theirs = _only(one.aggregates, [other.aggregates for other in others])
    return f"only it takes the {mine}; {_others(others)} the {theirs}" if mine and theirs else None


def left_out(one: Facts, others: Sequence[Facts], number: str) -> str | None:
    """It leaves rows out, or fills in values, and none of the others does."""
    calls = [call for call in DROPS if call in one.calls and not any(call in other.calls for other in others)]
    return f"only its code {DROPS[calls[0]]}" if calls and all(other.well for other in others) else None


def filled_in(one: Facts, others: Sequence[Facts], number: str) -> str | None:
    """It does not leave out rows or fill in values as all others do."""
    calls = [call for call in DROPS if call not in one.calls and all(call in other.calls for other in others)]
    return f"only its code does not call {calls[0]}" if calls and one.well else None


def _only(one: frozenset[str], others: Sequence[frozenset[str]]) -> tuple[str, str]:
    """The single element that only `one` has, and the single one that all others have and it has not; empty when not single."""
    mine = one.difference(*others)
    theirs = frozenset(others[0]).intersection(*others) - one
    return (next(iter(mine)), next(iter(theirs))) if len(mine) == 1 and len(theirs) == 1 else ("", "")


def _others(others: Sequence[Facts]) -> str:
    return "the other" if len(others) == 1 else "the others"


RULES: tuple[tuple[Rule, bool], ...] = (
    (no_code, True),
    (all_failed, True),
    (dropped_rows, True),
    (other_rows, True),
    (unsupported, True),
    (another_sheet, False),
    (another_column, False),
    (another_aggregate, False),
    (left_out, False),
    (filled_in, False),
)
"""The strongest first, and whether each is a cause."""
