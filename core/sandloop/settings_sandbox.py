"""The `[sandbox]` table of the settings: read, checked, and held against what a project's file may say. Pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, cast, get_args

from sandloop.errors import BadSetting
from sandloop.options import FORBIDDEN, SandboxOptions, Warm

FIELDS = tuple(f.name for f in fields(SandboxOptions))
FROM_PROJECT = ("packages", "warm", "pool")
"""What a project's file may say. An engine or a runtime could be a weaker one."""
MAX_POOL = 64
_PACKAGE = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?(?:\[[A-Za-z0-9,._-]{1,100}\])?(?:(?:==|>=|<=|~=|!=|<|>)[0-9A-Za-z.*+!,<>=~-]{1,60})?"
)
_BETWEEN = {
    "unsafe_mounts": ",",
    # Not the commas in `name[a,b]` and in `name>=1,<2`.
    "packages": r"\s+|\s*,\s*(?=[A-Za-z0-9])(?![^\[]*\])",
}
"""What stands between two texts of a list that is written as one."""
_CAPABILITY = re.compile(r"(?:CAP_)?[A-Z][A-Z_]{1,40}")
_MOUNT = re.compile(r"/[^:\0]*:/[^:\0]+(?::(?:ro|rw))?")


def sandbox_table(value: object, source: str) -> dict[str, Any]:
    """The options that a layer names, checked. A text alone is the engine. Raises `BadSetting`."""
    given: object = {"engine": value} if isinstance(value, str) else value
    if not isinstance(given, Mapping):
        raise BadSetting(name="sandbox", why="must be a name or a table", where=source)
    table = cast("Mapping[str, Any]", given)
    for name in table:
        _refuse_unknown(str(name), source)
    return {name: checked(name, table[name], source) for name in table}


def checked(name: str, value: object, source: str = "the call") -> Any:
    """One option in its own type; texts from the environment are read. Raises `BadSetting`."""
    match name:
        case "packages" | "unsafe_capabilities" | "unsafe_mounts":
            return tuple(_element(name, text, source) for text in _texts(name, value, source))
        case "unsafe_network" | "unsafe_privileged":
            return truth(name, value, source)
        case "pool":
            number = int(value) if isinstance(value, int | str) and str(value).isdigit() else -1
            if not 0 <= number <= MAX_POOL:
                raise BadSetting(name="pool", why=f"is {value!r}, but must be a number from 0 to {MAX_POOL}", where=source)
            return number
        case "warm":
            if value not in get_args(Warm):
                raise BadSetting(name="warm", why=f"is {value!r}, but must be one of {', '.join(get_args(Warm))}", where=source)
            return value
        case _:
            if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", value):
                raise BadSetting(name=name, why=f"is {value!r}, but must be a plain name", where=source)
            return value


def checked_options(options: SandboxOptions) -> SandboxOptions:
    """The options of a call, each checked like one from a file. Raises `BadSetting`."""
    given: dict[str, Any] = {name: getattr(options, name) for name in FIELDS}
    fine: dict[str, Any] = {name: None if value is None else checked(name, value) for name, value in given.items()}
    return SandboxOptions(**fine)


def only_from_project(value: object, source: str, user: str) -> None:
    """A project's file comes with a folder that others may have made: it must not weaken the sandbox. Raises `BadSetting`."""
    for name in ["engine"] if isinstance(value, str) else list(value) if isinstance(value, dict) else []:  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        if name in FIELDS and name not in FROM_PROJECT:
            why = f"may not stand in a project's file, which could weaken the sandbox; put it into {user} or the environment"
            raise BadSetting(name=f"sandbox.{name}", why=why, where=source)


def _refuse_unknown(name: str, source: str) -> None:
    if name in FORBIDDEN:
        why = f"would open the sandbox. If that is meant, it is called {FORBIDDEN[name]!r}, and every result will say so"
        raise BadSetting(name=f"sandbox.{name}", why=why, where=source)
    if name not in FIELDS:
        near = next(iter(difflib.get_close_matches(name, FIELDS, n=1)), None)
        raise BadSetting(name=f"sandbox.{name}", why="does not exist", where=source, nearest=near)


def _texts(name: str, value: object, source: str) -> Sequence[str]:
    if isinstance(value, str):
        return [text for text in re.split(_BETWEEN.get(name, r"[,\s]+"), value.strip(", ")) if text]
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):  # pyright: ignore[reportUnknownVariableType]
        return list(value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    raise BadSetting(name=name, why=f"is {value!r}, but must be a list of texts", where=source)


def _element(name: str, text: str, source: str) -> str:
    pattern, form = {
        "packages": (_PACKAGE, "a package's name, perhaps with a version: 'geopandas==1.1.1'. No address, path or option"),
        "unsafe_capabilities": (_CAPABILITY, "a capability such as 'NET_RAW'"),
        "unsafe_mounts": (_MOUNT, "'/host/folder:/inside' or '/host/folder:/inside:rw'"),
    }[name]
    if not pattern.fullmatch(text):
        raise BadSetting(name=name, why=f"has {text!r}, but each must be {form}", where=source)
    return text


def truth(name: str, value: object, source: str) -> bool:
    """A yes or no, also as a text of the environment. Raises `BadSetting`."""
    if isinstance(value, bool):
        return value
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}
    if str(value).lower() not in known:
        raise BadSetting(name=name, why=f"is {value!r}, but must be true or false", where=source)
    return known[str(value).lower()]
