"""The options of the sandbox, checked one by one. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any, cast, get_args

from sandloop.errors import BadSetting
from sandloop.options import SandboxOptions, Warm
from sandloop.settings.hidden import quoted
from sandloop.settings.near import nearest

FIELDS = {f.name: str(f.type) for f in fields(SandboxOptions)}
FROM_PROJECT = ("packages", "warm", "pool")
"""What a project's file may say. An engine or a runtime could be a weaker one."""
MAX_POOL = 64
PLAIN_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"
PATTERNS = {
    "packages": (
        r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9])?(?:\[[A-Za-z0-9,._-]{1,100}\])?"
        r"(?:(?:==|>=|<=|~=|!=|<|>)[0-9A-Za-z.*+!,<>=~-]{1,60})?",
        "a package's name, perhaps with a version: 'geopandas==1.1.1'. No address, path or option",
    ),
    "unsafe_capabilities": (r"(?:CAP_)?[A-Z][A-Z_]{1,40}", "a capability such as 'NET_RAW'"),
    "unsafe_mounts": (r"/[^:\0]*:/[^:\0]+(?::(?:ro|rw))?", "'/host/folder:/inside' or '/host/folder:/inside:rw'"),
}
"""What each text of a list must be, and in words."""
_BETWEEN = {
    "unsafe_mounts": ",",
    # Not the commas in `name[a,b]` and in `name>=1,<2`.
    "packages": r"\s+|\s*,\s*(?=[A-Za-z0-9])(?![^\[]*\])",
}
"""What stands between two texts of a list that is written as one."""
_TRUTHS = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False}


def checked(name: str, value: object, source: str = "the call") -> Any:
    """One option in its own type; texts of the environment and of the command line are read. Raises `BadSetting`."""
    match name:
        case "packages" | "unsafe_capabilities" | "unsafe_mounts":
            return tuple(_element(name, text, source) for text in _texts(name, value, source))
        case "unsafe_network" | "unsafe_privileged":
            return truth(name, value, source)
        case "pool":
            number = int(value) if isinstance(value, int | str) and str(value).isdecimal() and len(str(value)) < 9 else -1
            if not 0 <= number <= MAX_POOL:
                why = f"is {quoted(value)}, but must be a number from 0 to {MAX_POOL}"
                raise BadSetting(name="pool", why=why, where=source)
            return number
        case "warm":
            return one_of(name, value, get_args(Warm), source)
        case _:
            if not isinstance(value, str) or not re.fullmatch(PLAIN_NAME, value):
                raise BadSetting(name=name, why=f"is {quoted(value)}, but must be a plain name", where=source)
            return value


def checked_options(options: SandboxOptions) -> SandboxOptions:
    """The options of a call, each checked like one from a file. Raises `BadSetting`."""
    given: dict[str, Any] = {name: getattr(options, name) for name in FIELDS}
    fine: dict[str, Any] = {name: None if value is None else checked(name, value) for name, value in given.items()}
    return SandboxOptions(**fine)


def split_texts(name: str, text: str) -> list[str]:
    """The texts of a list that is written as one."""
    return [part for part in re.split(_BETWEEN.get(name, r"[,\s]+"), text.strip(", ")) if part]


def _texts(name: str, value: object, source: str) -> Sequence[str]:
    if isinstance(value, str):
        return split_texts(name, value)
    items = _items(value)
    texts = [item for item in items if isinstance(item, str)]
    if len(texts) < len(items):
        raise BadSetting(name=name, why=f"is {quoted(value)}, but must be a list of texts", where=source)
    return texts


def _items(value: object) -> list[object]:
    return list(cast("Sequence[object]", value)) if isinstance(value, list | tuple) else [None]


def _element(name: str, text: str, source: str) -> str:
    pattern, form = PATTERNS[name]
    if not re.fullmatch(pattern, text):
        raise BadSetting(name=name, why=f"has {quoted(text)}, but each must be {form}", where=source)
    return text


def one_of(name: str, value: object, known: Sequence[str], source: str) -> Any:
    """The value, when it is one of those that are known. Raises `BadSetting` with the nearest one."""
    if value not in known:
        *most, last = known
        why = f"is {quoted(value)}, but must be {', '.join(most)} or {last}"
        raise BadSetting(name=name, why=why, where=source, nearest=nearest(value, known) if isinstance(value, str) else None)
    return value


def truth(name: str, value: object, source: str) -> bool:
    """A yes or no, also as a text of the environment. Raises `BadSetting`."""
    if isinstance(value, bool):
        return value
    if str(value).lower() not in _TRUTHS:
        raise BadSetting(name=name, why=f"is {quoted(value)}, but must be true or false", where=source)
    return _TRUTHS[str(value).lower()]
