"""What a file's tables say: each setting with its place and its value, or what is wrong with it. Pure.

All of a table is read, so that every problem in it can be told; `resolve` stops at the first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from sandloop.errors import BadSetting
from sandloop.options import FORBIDDEN
from sandloop.prices import Price
from sandloop.settings.fields import LIMITS, MAX_PRICE, PLAIN, PRICE, PROFILE, TABLES, Profile
from sandloop.settings.hidden import is_secret, looks_like_key, quoted
from sandloop.settings.places import Place, dotted, nearest_setting
from sandloop.settings.sandbox import FIELDS as SANDBOX
from sandloop.settings.values import checked, checked_address, route_named

VARIABLE = r"[A-Za-z_][A-Za-z0-9_]{0,127}"


@dataclass(frozen=True, slots=True)
class Found:
    """A setting and its value."""

    place: Place
    value: Any


@dataclass(frozen=True, slots=True)
class Problem:
    """A setting that can't be used."""

    place: Place
    error: BadSetting


Read: TypeAlias = Found | Problem


def problem(place: Place, why: str, source: str, near: str | None = None) -> Problem:
    """A problem, named by its place."""
    return Problem(place, BadSetting(name=dotted(place), why=why, where=source, nearest=near))


def tried(place: Place, read: Callable[[], Any], source: str) -> Read:
    """What is read, or why it can't be, under the whole name of its place."""
    try:
        return Found(place, read())
    except BadSetting as error:
        return problem(place, error.why, source, error.nearest)


def read_table(table: Mapping[str, Any], source: str) -> Iterator[Read]:
    """Everything that a file says, in its order."""
    for name, value in table.items():
        match name:
            case "limits":
                yield from _flat(name, value, tuple(LIMITS), source)
            case "sandbox":
                yield from _flat(name, {"engine": value} if isinstance(value, str) else value, tuple(SANDBOX), source)
            case "models" | "prices":
                rows = as_table((name,), value, source)
                if isinstance(rows, Problem):
                    yield rows
                    continue
                for row_name, row in rows.items():
                    yield from (_profile if name == "models" else _price)((name, row_name), row, source)
            case _ if name in PLAIN:
                yield _checked((name,), value, source)
            case _:
                yield _unknown((name,), (*PLAIN, *TABLES), source)


def as_table(place: Place, value: object, source: str) -> dict[str, Any] | Problem:
    """The value, if it is a table."""
    if not isinstance(value, dict):
        return problem(place, "must be a name or a table" if place == ("sandbox",) else "must be a table", source)
    return {str(key): row for key, row in cast("dict[object, Any]", value).items()}


def _checked(place: Place, value: object, source: str) -> Read:
    return tried(place, lambda: checked(place, value, source), source)


def _flat(name: str, value: object, known: Sequence[str], source: str) -> Iterator[Read]:
    table = as_table((name,), value, source)
    if isinstance(table, Problem):
        yield table
        return
    for key, row in table.items():
        yield _checked((name, key), row, source) if key in known else _unknown((name, key), known, source)


def _unknown(place: Place, known: Sequence[str], source: str) -> Problem:
    name = place[-1]
    if place[0] == "sandbox" and name in FORBIDDEN:
        why = f"would open the sandbox. If that is meant, it is called {FORBIDDEN[name]!r}, and every result will say so"
        return problem(place, why, source)
    near = nearest_setting(place, known)
    if place[0] in ("models", "prices"):  # names of the user's own: no setting of another table is meant
        near = near if near in known else None
    if near is None and is_secret(name) and place[0] not in ("limits", "sandbox"):
        other = (
            "name a variable in 'key_variable' instead" if place[0] == "models" else "keep it with 'sandloop keys set NAME' instead"
        )
        return problem(place, f"holds a key, which no file of settings may; {other}", source)
    return problem(place, "does not exist", source, near)


def _profile(place: Place, row: object, source: str) -> Iterator[Read]:
    table = as_table(place, row, source)
    if isinstance(table, Problem):
        yield table
        return
    read = [
        tried((*place, key), lambda key=key, value=value: _profile_value(key, value, source), source)  # type: ignore[misc]
        if key in PROFILE
        else _unknown((*place, key), PROFILE, source)
        for key, value in table.items()
    ]
    if "provider" not in table:
        read.append(problem(place, "has no 'provider'", source))
    yield from _whole(place, read, lambda values: Profile(**values))


def _profile_value(key: str, value: object, source: str) -> Any:
    if key == "parameters":
        if not isinstance(value, dict):
            raise BadSetting(name=key, why="must be a table", where=source)
        return cast("dict[str, Any]", value)
    if not isinstance(value, str) or not value:
        raise BadSetting(name=key, why=f"is {quoted(value, key.removeprefix('key_'))}, but must be text", where=source)
    if key == "key_variable" and (not re.fullmatch(VARIABLE, value) or looks_like_key(value)):
        raise BadSetting(name=key, why="must be the name of an environment variable, never the key itself", where=source)
    if key == "base_url":
        return checked_address(key, value, source)
    return route_named(value, source) if key == "route" else value


def _price(place: Place, row: object, source: str) -> Iterator[Read]:
    table = as_table(place, row, source)
    if isinstance(table, Problem):
        yield table
        return
    read = [
        tried((*place, key), lambda key=key, value=value: _price_value(key, value, source), source)  # type: ignore[misc]
        if key in PRICE
        else _unknown((*place, key), PRICE, source)
        for key, value in table.items()
    ]
    read += [problem(place, f"has no '{name}'", source) for name in ("input", "output") if name not in table]
    yield from _whole(place, read, lambda values: Price(**values))


def _price_value(key: str, value: object, source: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_PRICE:
        why = f"is {quoted(value)}, but must be US dollars for a million tokens, from 0 to {MAX_PRICE:.0e}"
        raise BadSetting(name=key, why=why, where=source)
    return float(value)


def _whole(place: Place, read: Sequence[Read], made: Callable[[dict[str, Any]], Any]) -> Iterator[Read]:
    """All of its problems, or else what its values make."""
    problems = [one for one in read if isinstance(one, Problem)]
    yield from problems
    if not problems:
        yield Found(place, made({one.place[-1]: one.value for one in read if isinstance(one, Found)}))
