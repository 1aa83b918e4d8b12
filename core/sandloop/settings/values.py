"""Settings and limits, checked one by one, and texts of the environment read as what they stand for. Pure."""

from __future__ import annotations

import re
from typing import Any, get_args

from sandloop.errors import BadSetting
from sandloop.settings import sandbox
from sandloop.settings.fields import LIMITS, MAX_LIMIT, MAX_RUNS, Route, Settings
from sandloop.settings.hidden import quoted, shown_address
from sandloop.settings.near import nearest
from sandloop.settings.places import Place
from sandloop.settings.sandbox import one_of, truth

UNLIMITED = "none"
"""What a file says for a limit that is not to hold."""
ADDRESS = r"https?://(?:[^\s/?#]*@)?(?:\[[0-9A-Fa-f:.]+\]|[^\s/?#@:\[\]]+)(?::[0-9]{1,5})?(?:[/?#]\S*)?"
FOLDER = r"[^\0]*[/\\][^\0]*|[~.][^\0]*"
"""A path that no slip of `on` or `off` can be."""
_TYPES = {"str | None": "text", "Route | None": "text", "bool | None": "truth", "int | None": "whole"}
_PLAIN = {name: str(field.type) for name, field in Settings.__dataclass_fields__.items()}


def kind_of(place: Place) -> str:
    """What a setting is in a file: `text`, `truth`, `whole`, `number` or `texts`."""
    match place:
        case ("limits", name):
            return "number" if "float" in LIMITS[name] else "whole"
        case ("sandbox", name):
            return {"bool": "truth", "int": "whole", "tuple[str, ...]": "texts"}.get(sandbox.FIELDS[name], "text")
        case _:
            return _TYPES[_PLAIN[place[0]]]


def from_text(place: Place, text: str) -> object:
    """A variable's text as a file would have it. One that can't be read so stays as it is, to be refused."""
    kind = kind_of(place)
    try:
        match kind:
            case "truth":
                return truth(place[-1], text, "")
            case "whole":
                return int(text)
            case "number":
                return float(text)
            case "texts":
                return sandbox.split_texts(place[-1], text)
            case _:
                return text
    except (ValueError, BadSetting):
        return UNLIMITED if text == "" and place[0] == "limits" and is_optional(place[-1]) else text


def checked(place: Place, value: object, source: str) -> Any:
    """The value of a setting as a file may have it, in its own type. Raises `BadSetting` under the last part of its name."""
    name = place[-1]
    if place[0] == "limits" and value == UNLIMITED and is_optional(name):
        return None
    value = _of_kind(kind_of(place), name, value, source)
    match place:
        case ("limits", _):
            return checked_limit(name, value, source)
        case ("sandbox", _):
            return sandbox.checked(name, value, source)
        case ("route",):
            return route_named(str(value), source)
        case ("base_url",):
            return checked_address(name, str(value), source)
        case ("runs",):
            return _checked_runs(str(value), source)
        case ("runs_kept",):
            if not 0 < int(str(value)) <= MAX_RUNS:
                raise BadSetting(name=name, why=f"is {quoted(value)}, but must be from 1 to {MAX_RUNS}", where=source)
            return value
        case _:
            return value


def _of_kind(kind: str, name: str, value: object, source: str) -> object:
    """TOML's own types are kept apart: `"5"` is a text, and `true` is no number."""
    number = value if isinstance(value, int | float) and not isinstance(value, bool) else None
    match kind:
        case "text":
            fits, form = isinstance(value, str) and bool(value), "text"
        case "truth":
            fits, form = isinstance(value, bool), "true or false"
        case "whole":
            fits, form = number is not None and number == number // 1, "a number" if number is None else "a whole number"
        case "number":
            fits, form = number is not None, "a number"
        case _:
            fits, form = isinstance(value, list | tuple), "a list of texts"
    if not fits:
        raise BadSetting(name=name, why=f"is {quoted(value, name)}, but must be {form}", where=source)
    return int(number) if kind == "whole" and number is not None else value


def is_optional(limit: str) -> bool:
    """Whether the limit can be none."""
    return "None" in LIMITS[limit]


def checked_limit(name: str, value: object, source: str) -> int | float | None:
    """One limit in its own type; texts are read, and `none` where a limit can be none. Raises `BadSetting`."""
    if name not in LIMITS:
        raise BadSetting(name=name, why="does not exist", where=source, nearest=nearest(name, tuple(LIMITS)))
    if value in (UNLIMITED, "") and is_optional(name):
        return None
    try:
        number = float(str(value)) if "float" in LIMITS[name] else int(str(value))
    except ValueError:
        raise BadSetting(name=name, why=f"is {quoted(value)}, but must be a number", where=source) from None
    if not 0 < number < MAX_LIMIT:
        raise BadSetting(name=name, why=f"is {quoted(value)}, but must be above 0 and under {MAX_LIMIT:.0e}", where=source)
    return number


def route_named(text: str, source: str = "") -> Route:
    """The route of that name. Raises `BadSetting`."""
    route: Route = one_of("route", text, get_args(Route), source)
    return route


def checked_address(name: str, address: str, source: str) -> str:
    """An address of a server. Raises `BadSetting`, which shows no password in it."""
    if not re.fullmatch(ADDRESS, address):
        why = f"is {quoted(shown_address(address))}, but must begin with http:// or https:// and name a host"
        raise BadSetting(name=name, why=why, where=source)
    return address


def _checked_runs(text: str, source: str) -> str:
    if text not in ("on", "off") and not re.fullmatch(FOLDER, text):
        why = f"is {quoted(text)}, but must be on, off, or the path of a folder, such as ./runs"
        raise BadSetting(name="runs", why=why, where=source, nearest=nearest(text, ("on", "off"), cutoff=0.5))
    return text
