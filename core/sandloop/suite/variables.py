"""The variables of a question: which values they take together, and how they are put into texts.

`{{ name }}` is replaced by the value and nothing else happens: no expression, no filter, nothing that could run or read.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence

from sandloop.suite.model import Variable

PLACE = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
SINGLE = re.compile(r"(?<!\{)\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}(?!\})")


class UnknownVariable(Exception):
    """What stands between the braces is no variable of the question."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name)


def product(variables: Mapping[str, Sequence[Variable]]) -> Iterator[dict[str, Variable]]:
    """Every combination, the last variable turning fastest; one empty combination of no variables."""
    for values in itertools.product(*variables.values()):
        yield dict(zip(variables, values, strict=True))


def count(variables: Mapping[str, Sequence[Variable]], most: int) -> int:
    """How many combinations there are; beyond `most` it is not counted on."""
    total = 1
    for values in variables.values():
        total = min(total * len(values), most + 1)
    return total


def put_in(text: str, variables: Mapping[str, Variable]) -> str:
    """The text with the values. What a value brings is never replaced again. Raises `UnknownVariable`."""

    def value(match: re.Match[str]) -> str:
        name = match[1].strip()
        if name not in variables:
            raise UnknownVariable(name[:80])
        return written(variables[name])

    return PLACE.sub(value, text)


def in_single_braces(text: str, variables: Mapping[str, Variable]) -> str | None:
    """The first variable that stands there as `{name}`, where nothing would be put in."""
    return next((match[1] for match in SINGLE.finditer(text) if match[1] in variables), None)


def written(value: Variable) -> str:
    """A value as it stands in a text."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def suffix(variables: Mapping[str, Variable], varying: Sequence[str]) -> str:
    """What tells one combination from the others in an id: `[year=2014,station=north]`; empty when nothing varies."""
    told = ",".join(f"{name}={written(variables[name])[:40]}" for name in varying)
    return f"[{told}]" if told else ""
