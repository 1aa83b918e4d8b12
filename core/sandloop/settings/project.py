"""What a project's file may not say: it comes with a folder that others may have made. Pure.

It must not say where files, keys and records go, nor which key, nor make the sandbox weaker.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from sandloop.settings.hidden import quoted, shown_address
from sandloop.settings.places import Place
from sandloop.settings.sandbox import FIELDS as SANDBOX
from sandloop.settings.sandbox import FROM_PROJECT
from sandloop.settings.tables import Problem, as_table, problem


def not_from_project(table: Mapping[str, Any], source: str, user: str) -> Iterator[Problem]:
    """A problem for each thing that only the user may say."""
    yield from _sandbox(table.get("sandbox"), source, user)
    if "runs_kept" in table:
        yield problem(
            ("runs_kept",), f"may not stand in a project's file, which could remove your runs; put it into {user}", source
        )
    if table.get("runs", "off") != "off":
        why = f"may only be 'off' in a project's file, which could write your files anywhere; put it into {user}"
        yield problem(("runs",), why, source)
    yield from _address((), table, source, user)
    yield from _weights((), table, source, user)
    profiles = as_table(("models",), table.get("models", {}), source)
    rows: dict[str, Any] = {} if isinstance(profiles, Problem) else profiles
    for name, row in rows.items():
        if isinstance(row, dict):
            yield from _profile(("models", name), row, source, user)  # pyright: ignore[reportUnknownArgumentType]


def _sandbox(value: object, source: str, user: str) -> Iterator[Problem]:
    given = {"engine": value} if isinstance(value, str) else value
    for name in given if isinstance(given, dict) else ():  # pyright: ignore[reportUnknownVariableType]
        if name in SANDBOX and name not in FROM_PROJECT:
            why = f"may not stand in a project's file, which could weaken the sandbox; put it into {user} or the environment"
            yield problem(("sandbox", str(name)), why, source)  # pyright: ignore[reportUnknownArgumentType]


def _profile(place: Place, row: Mapping[str, Any], source: str, user: str) -> Iterator[Problem]:
    yield from _address(place, row, source, user)
    yield from _weights(place, row, source, user)
    if "key_variable" in row:
        why = f"may not stand in a project's file, which could send any secret anywhere; put the profile into {user}"
        yield problem((*place, "key_variable"), why, source)
    parameters = row.get("parameters")
    for name, value in parameters.items() if isinstance(parameters, dict) else ():  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        if name == "weights" or isinstance(value, dict | list):
            why = f"may not stand in a project's file: it could name servers or files; put the profile into {user}"
            yield problem((*place, "parameters", str(name)), why, source)  # pyright: ignore[reportUnknownArgumentType]


def _address(place: Place, row: Mapping[str, Any], source: str, user: str) -> Iterator[Problem]:
    address = row.get("base_url")
    if isinstance(address, str) and address and not _is_loopback(address):
        why = f"is {quoted(shown_address(address))}, but a project's file may name only this machine"
        yield problem((*place, "base_url"), f"{why}; put it into {user} or the environment", source)


def _weights(place: Place, row: Mapping[str, Any], source: str, user: str) -> Iterator[Problem]:
    model = row.get("model")
    if isinstance(model, str) and model.lower().endswith(".gguf"):
        why = f"is a file of weights, which a project's file may not name: it would be loaded on this machine; name it in {user}"
        yield problem((*place, "model"), why, source)


def _is_loopback(address: str) -> bool:
    try:
        host = urlsplit(address).hostname or ""
    except ValueError:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
