"""What the text around a number makes of it: a negative, a bound, one that is denied, a step of a calculation. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal, TypeAlias

Bound: TypeAlias = Literal["", "<", ">"]
_DENIED = re.compile(r"\b(?:not|instead of|rather than|nicht|statt)\s+(?:the\s|about\s|at\s)?$", re.IGNORECASE)
_MINUS = re.compile(r"(?:^|[^\d%)\]\s]\s*)\b(?:minus|negative)\s$", re.IGNORECASE)
_BELOW_ZERO = re.compile(r"\s(?:below\s+zero|unter\s+null)\b", re.IGNORECASE)
_BOUND = re.compile(
    r"(?:(?P<less>[<≤])|(?P<more>[>≥])"
    r"|\bp(?:-?\s?values?)?\b[^.;\n]{0,25}\b(?:(?P<below>less than|smaller than|below|under)|greater than|larger than|above))\s*$",
    re.IGNORECASE,
)
_SMALL = 0.1
"""Up to here a number behind a sign of comparison is the bound of a p-value; a larger one is a threshold, and stands for itself."""
_TURN = re.compile(
    r"\b(?:(?P<up>grew|growth|grown|grows|rose|rises?|risen|rising|increas\w+|gain(?:s|ed)?|profit|climbed|stieg|gestiegen)"
    r"|(?:fell|falls?|fallen|drop(?:s|ped)?|decreas\w+|declin\w+|reduc\w+|loss|lost|shrank|sank|gesunken|gefallen))\b",
    re.IGNORECASE,
)
_CLAUSE = re.compile(r"[,.;()\n]\s|[()]")
_LEVEL = re.compile(r"\b(?:to|from|at|auf|von)\s+\W*$", re.IGNORECASE)
_OPERATOR, _EQUALS = re.compile(r"\s*[-+*/×·÷−]\s*|\s+x\s+"), re.compile(r"\s*[=≈]\s*")


def denied(left: str) -> bool:
    """Whether a number behind this text is told not to be it: the `110` of `100, not 110`."""
    return _DENIED.search(left) is not None


def negative(left: str, behind: str) -> bool:
    """Whether words make it a negative one. Between two numbers, `minus` is an operator."""
    return _MINUS.search(left) is not None or _BELOW_ZERO.match(behind) is not None


def bound(left: str, value: float) -> Bound:
    """Whether it only says where a p-value lies: `p < 0.001`."""
    found = _BOUND.search(left) if 0 < value <= _SMALL else None
    if found is None:
        return ""
    return "<" if found["less"] or found["below"] else ">"


def turn(left: str, behind: str, sign: str) -> int:
    """1 for what rose by the number, -1 for what fell by it, 0 where nothing says so."""
    if sign == "+":
        return 1
    before = [] if _LEVEL.search(left) else [*_TURN.finditer(_CLAUSE.split(left)[-1])]
    found = before[-1] if before else _TURN.match(behind.lstrip())
    return 0 if found is None else 1 if found["up"] else -1


def operands(text: str, spans: Sequence[tuple[int, int]]) -> set[int]:
    """Which of the numbers are only what another one is calculated from: the first three of `40 + 35 + 25 = 100`."""
    gaps = [re.sub(r"[()\[\]]", "", text[a[1] : min(b[0], a[1] + 20)]) for a, b in pairwise(spans)]
    found: set[int] = set()
    chain: list[int] = []
    for at, gap in enumerate(gaps):
        if _OPERATOR.fullmatch(gap):
            chain.append(at)
        elif chain and _EQUALS.fullmatch(gap):
            found.update(chain, {at})
            chain = []
        else:
            chain = []
    return found
