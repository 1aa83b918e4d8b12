"""All layers as one, the nearest first, and which layer each value comes from."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeAlias

from sandloop.errors import BadSetting
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.settings.fields import DEFAULTS, NOTHING, PLAIN, PREFIX, Settings
from sandloop.settings.files import here, is_file, is_there, is_to_read, parsed, project_file, read_text, user_file
from sandloop.settings.places import VARIABLES, Place, meant_variable, variable_of
from sandloop.settings.project import not_from_project
from sandloop.settings.sandbox import checked as checked_option
from sandloop.settings.tables import Found, Problem, Read, read_table
from sandloop.settings.values import checked, from_text, route_named

LayerName: TypeAlias = Literal["call", "environment", "project", "user", "default"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one place says of the settings, and what is wrong with it."""

    name: LayerName
    source: str
    """The path of the file, or the place in words."""
    values: Mapping[Place, Any] = field(default_factory=dict[Place, Any])
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """A setting's value, and where it comes from."""

    place: Place
    value: Any
    layer: LayerName
    source: str
    """The path of the file, or the name of the variable; empty for a default."""


def resolve(
    call: Settings = NOTHING,
    *,
    packages: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Settings:
    """All layers as one, with no field None but `base_url`. Raises `BadSetting` with the place and the nearest right name.

    Args:
        packages: Instead of the sandbox's packages in any layer.
        environ: Instead of the process's environment.
        cwd: Where the search for `sandloop.toml` begins, instead of the current folder.
    """
    layers = read_layers(call, packages=packages, environ=environ, cwd=cwd)
    for layer in layers:
        if layer.problems:
            raise layer.problems[0].error
    return merged(layers)


def read_layers(
    call: Settings = NOTHING,
    *,
    packages: Sequence[str] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> list[Layer]:
    """The layers, the nearest first, each with its problems. Arguments as in `resolve`; raises nothing."""
    environ = os.environ if environ is None else environ
    user, project = user_file(environ), project_file(cwd or here())
    layers = [call_layer(call, packages), environment_layer(environ)]
    if project is not None and not _same(project, user):
        layers.append(file_layer("project", project, user))
    if is_to_read(user):
        layers.append(file_layer("user", user, user))
    return [*layers, DEFAULT_LAYER]


def merged(layers: Sequence[Layer]) -> Settings:
    """The first layer that says something wins, value by value; profiles and prices are merged one by one. Pure."""
    values: dict[Place, Any] = {}
    for layer in reversed(layers):
        values.update(layer.values)
    tables: dict[str, dict[str, Any]] = {"limits": {}, "sandbox": {}, "models": {}, "prices": {}}
    for place, value in values.items():
        if len(place) > 1:
            tables[place[0]][place[1]] = value
    return Settings(
        **{name: values.get((name,)) for name in PLAIN},
        limits=Limits(**tables["limits"]),
        sandbox=SandboxOptions(**tables["sandbox"]),
        models=tables["models"],
        prices=tables["prices"],
    )


def origins(layers: Sequence[Layer]) -> list[Origin]:
    """Each value that holds, with the layer it comes from, in the order of the fields. Pure."""
    nearest: dict[Place, Layer] = {}
    for layer in reversed(layers):
        nearest.update(dict.fromkeys(layer.values, layer))
    order = {place: number for number, place in enumerate(DEFAULT_LAYER.values)}
    order[("base_url",)] = order[("route",)]
    return [
        Origin(place=place, value=layer.values[place], layer=layer.name, source=_source(layer, place))
        for place, layer in sorted(nearest.items(), key=lambda one: (order.get(one[0], len(order)), one[0]))
    ]


def _source(layer: Layer, place: Place) -> str:
    return variable_of(place) if layer.name == "environment" else layer.source


def as_values(settings: Settings) -> Iterator[tuple[Place, Any]]:
    """What a layer of Python says, value by value."""
    for name in PLAIN:
        if (value := getattr(settings, name)) is not None:
            yield (name,), value
    for name, table in (("limits", settings.limits), ("sandbox", settings.sandbox)):
        if table is not None:
            yield from (((name, f.name), getattr(table, f.name)) for f in fields(table))
    for name, rows in (("models", settings.models), ("prices", settings.prices)):
        yield from (((name, row), value) for row, value in (rows or {}).items())


DEFAULT_LAYER = Layer(name="default", source="", values=dict(as_values(DEFAULTS)))


def call_layer(call: Settings, packages: Sequence[str] | None = None) -> Layer:
    """The call's own; limits and options of the sandbox are replaced as a whole."""
    values = dict(as_values(call))
    if packages is not None:
        values["sandbox", "packages"] = packages
    problems: list[Problem] = []
    for place, value in values.items():
        try:
            if place == ("route",):
                route_named(value, "the call")  # a slip must not end as a route that uploads
            elif place[0] == "sandbox" and value is not None:
                values[place] = checked_option(place[1], value)
        except BadSetting as error:
            problems.append(Problem(place, error))
    return Layer(name="call", source="the call", values=values, problems=tuple(problems))


def environment_layer(environ: Mapping[str, str]) -> Layer:
    """`SANDLOOP_ROUTE=local`, `SANDLOOP_STEP_SECONDS=60`: settings, limits and options of the sandbox by their own names."""
    source = "the environment"
    read: list[Read] = []
    for variable, text in environ.items():
        if not variable.startswith(PREFIX):
            continue
        if (place := VARIABLES.get(variable)) is not None:
            try:
                read.append(Found(place, checked(place, from_text(place, text), source)))
            except BadSetting as error:
                read.append(Problem(place, BadSetting(name=variable, why=error.why, where=source, nearest=error.nearest)))
        elif (meant := meant_variable(variable)) is not None:
            # Without this, a wrong SANDLOOP_PREVIEW would send what it was to hold back.
            read.append(Problem((variable,), BadSetting(name=variable, why="does not exist", where=source, nearest=meant)))
    named = environ.get("SANDLOOP_CONFIG")
    if named and named != os.devnull and not is_file(Path(named)):
        why = f"names {named!r}, which {'is no file' if is_there(Path(named)) else 'does not exist'}"
        read.append(Problem(("SANDLOOP_CONFIG",), BadSetting(name="SANDLOOP_CONFIG", why=why, where=source)))
    return _layer("environment", source, read)


def file_layer(name: LayerName, path: Path, user: Path) -> Layer:
    """What a file says."""
    source = str(path)
    try:
        table = parsed(read_text(path), path)
    except BadSetting as error:
        return Layer(name=name, source=source, problems=(Problem((), error),))
    refused = list(not_from_project(table, source, str(user))) if name == "project" else []
    places = {one.place for one in refused}
    read = [one for one in read_table(table, source) if one.place not in places]
    return _layer(name, source, [*refused, *read])


def _layer(name: LayerName, source: str, read: Iterable[Read]) -> Layer:
    read = list(read)
    problems = tuple(one for one in read if isinstance(one, Problem))
    wrong = {one.place for one in problems}
    found = {
        one.place: one.value for one in read if isinstance(one, Found) and not any(p[: len(one.place)] == one.place for p in wrong)
    }
    return Layer(name=name, source=source, values=found, problems=problems)


def _same(one: Path, other: Path) -> bool:
    return is_there(one) and is_there(other) and one.samefile(other)
