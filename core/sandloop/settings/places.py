"""Where a setting stands: its place in a file, its variable, and the nearest right one for a wrong name. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import TypeAlias

from sandloop.settings.fields import LIMITS, OTHER_VARIABLES, PLAIN, PREFIX
from sandloop.settings.near import nearest
from sandloop.settings.sandbox import FIELDS as SANDBOX

Place: TypeAlias = tuple[str, ...]
"""`("limits", "turns")`; a profile or a price is one: `("models", "fast")`."""

SETTABLE: tuple[Place, ...] = (
    *((name,) for name in PLAIN),
    *(("limits", name) for name in LIMITS),
    *(("sandbox", name) for name in SANDBOX),
)
"""All but profiles and prices, whose names are the user's own."""


def variable_of(place: Place) -> str:
    """The environment variable of a setting: its own name, but for the sandbox's engine."""
    return PREFIX + ("SANDBOX" if place == ("sandbox", "engine") else place[-1].upper())


VARIABLES = {variable_of(place): place for place in SETTABLE}


def dotted(place: Place) -> str:
    """As it is written in a file: `prices."gpt-4.1".input`."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else json.dumps(part, ensure_ascii=False) for part in place)


def nearest_setting(place: Place, known: Iterable[str]) -> str | None:
    """The nearest right name in the same table, or else the place of the setting in another one."""
    *_, name = place
    if found := nearest(name, tuple(known)):
        return found
    elsewhere = {one[-1]: one for one in reversed(SETTABLE)}
    found = nearest(name, tuple(elsewhere), cutoff=0.8)
    return dotted(elsewhere[found]) if found else None


def meant_variable(variable: str) -> str | None:
    """The variable of ours that this one is a slip of. Only what is very near: others may begin with our prefix, too."""
    if not variable.startswith(PREFIX) or variable in VARIABLES:
        return None
    name, others = variable.removeprefix(PREFIX).lower(), {other for other in OTHER_VARIABLES if len(other) > 5}
    if name in OTHER_VARIABLES:
        return None
    known = (*(one.removeprefix(PREFIX).lower() for one in VARIABLES), *others)
    meant = nearest(name, known, cutoff=0.8)
    return None if meant is None else PREFIX + meant.upper()
