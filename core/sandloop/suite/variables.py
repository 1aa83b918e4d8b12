"""The variables of a question: which values they take together, and how they are put into texts.

`{{ name }}` is replaced by the value and nothing else happens: no expression, no filter, nothing that could run or read.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from sandloop.suite.model import Variable

PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
SINGLE = re.compile(r"(?<!\{)\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}(?!\})")


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a variable, for code, and as it is written, for texts: `3.10` is a number, and stands as `3.10` in a question."""

    value: Variable
    text: str


class UnknownVariable(Exception):
    """What stands between the braces is no variable of the question."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


def product(variables: Mapping[str, Sequence[Value]]) -> Iterator[dict[str, Value]]:
    """Every combination, the last variable turning fastest; one empty combination of no variables."""
    for values in itertools.product(*variables.values()):
        yield dict(zip(variables, values, strict=True))


def count(variables: Mapping[str, Sequence[Value]], most: int) -> int:
    """How many combinations there are; beyond `most` it is not counted on."""
    total = 1
    for values in variables.values():
        total = min(total * len(values), most + 1)
    return total


def put_in(text: str, variables: Mapping[str, Value]) -> str:
    """The text with the values. What a value brings is never replaced again. Raises `UnknownVariable`."""

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name not in variables:
            raise UnknownVariable(name[:80])
        return variables[name].text

    return PLACE.sub(value, text)


def in_single_braces(text: str, variables: Mapping[str, Value]) -> str | None:
    """The first variable that stands there as `{name}`, where nothing would be put in."""
    return next((match[1] for match in SINGLE.finditer(text) if match[1] in variables), None)


def in_braces(text: str) -> set[str]:
    """What stands in braces, also in single ones."""
    return {match[1].strip() for pattern in (PLACE, SINGLE) for match in pattern.finditer(text)}


def suffix(variables: Mapping[str, Value], varying: Sequence[str]) -> str:
    """What tells one combination from the others in an id: `[year=2014,station=north]`; empty when nothing varies."""
    told = ",".join(f"{name}={variables[name].text[:40]}" for name in varying)
    return f"[{told}]" if told else ""
