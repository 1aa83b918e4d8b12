"""The JSON Schema of a file of settings, from the fields themselves: it accepts what `resolve` accepts, in the user's own file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast, get_args

from sandloop.limits import Limits
from sandloop.options import SandboxOptions, Warm
from sandloop.prices import Price
from sandloop.settings import sandbox
from sandloop.settings.documented import field_docs
from sandloop.settings.fields import (
    DEFAULTS,
    LIMITS,
    MAX_LIMIT,
    MAX_PRICE,
    MAX_RUNS,
    PLAIN,
    PRICE,
    PROFILE,
    Profile,
    Route,
    Settings,
)
from sandloop.settings.places import Place
from sandloop.settings.tables import VARIABLE
from sandloop.settings.values import ADDRESS, FOLDER, UNLIMITED, is_optional, kind_of

DRAFT = "https://json-schema.org/draft/2020-12/schema"
_TEXT = {"type": "string", "minLength": 1}
_ADDRESS = {"type": "string", "pattern": f"^(?:{ADDRESS})$(?!\n)"}


def schema() -> dict[str, Any]:
    """As plain data."""
    docs, engine = field_docs(Settings), _value(("sandbox", "engine"))
    tables = {
        "limits": _object({name: _field(("limits", name), field_docs(Limits)) for name in LIMITS}),
        "sandbox": {
            "anyOf": [engine, _object({name: _field(("sandbox", name), field_docs(SandboxOptions)) for name in sandbox.FIELDS})]
        },
        "models": {"type": "object", "additionalProperties": _profile()},
        "prices": {"type": "object", "additionalProperties": _price()},
    }
    described = {name: {"description": docs.get(name, "")} | table for name, table in tables.items()}
    return {
        "$schema": DRAFT,
        "title": "Settings of sandloop: sandloop.toml, and the user's config.toml",
        **_object({name: _field((name,), docs) for name in PLAIN} | described),
    }


def _object(properties: dict[str, Any], required: tuple[str, ...] = ()) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    return made | ({"required": list(required)} if required else {})


def _field(place: Place, docs: Mapping[str, str]) -> dict[str, Any]:
    default: Any = DEFAULTS
    for name in place:
        default = getattr(default, name)
    if isinstance(default, tuple):
        default = list(cast("tuple[str, ...]", default))
    return {"description": docs.get((*place,)[-1], "")} | _value(place) | ({} if default is None else {"default": default})


def _value(place: Place) -> dict[str, Any]:
    match place:
        case ("route",):
            return {"enum": list(get_args(Route))}
        case ("base_url",):
            return _ADDRESS
        case ("runs",):
            return {"anyOf": [{"enum": ["on", "off"]}, {"type": "string", "pattern": f"^(?:{FOLDER})$(?!\n)"}]}
        case ("runs_kept",):
            return {"type": "integer", "minimum": 1, "maximum": MAX_RUNS}
        case ("limits", name):
            kind = "integer" if kind_of(place) == "whole" else "number"
            number = {"type": kind, "exclusiveMinimum": 0, "exclusiveMaximum": MAX_LIMIT}
            return {"anyOf": [number, {"const": UNLIMITED}]} if is_optional(name) else number
        case ("sandbox", "pool"):
            return {"type": "integer", "minimum": 0, "maximum": sandbox.MAX_POOL}
        case ("sandbox", "warm"):
            return {"enum": list(get_args(Warm))}
        case ("sandbox", ("engine" | "runtime")):
            return {"type": "string", "pattern": f"^(?:{sandbox.PLAIN_NAME})$(?!\n)"}
        case ("sandbox", name) if name in sandbox.PATTERNS:
            return {"type": "array", "items": {"type": "string", "pattern": f"^(?:{sandbox.PATTERNS[name][0]})$(?!\n)"}}
        case _:
            return {"type": "boolean"} if kind_of(place) == "truth" else _TEXT


def _profile() -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        "route": {"enum": list(get_args(Route))},
        "base_url": _ADDRESS,
        "key_variable": {"type": "string", "pattern": f"^(?:{VARIABLE})$(?!\n)"},
        "parameters": {"type": "object"},
    }
    docs = field_docs(Profile)
    return _object({name: {"description": docs.get(name, "")} | kinds.get(name, _TEXT) for name in PROFILE}, ("provider",))


def _price() -> dict[str, Any]:
    docs, number = field_docs(Price), {"type": "number", "minimum": 0, "maximum": MAX_PRICE}
    return _object({name: {"description": docs.get(name, "")} | number for name in PRICE}, ("input", "output"))
