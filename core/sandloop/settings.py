"""Settings in layers, the nearest first: the call, the environment, `sandloop.toml` found upwards, the user's file, defaults.

Keys of vendors are never settings: they come from the environment (or a key store) under the vendors' own names.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args
from urllib.parse import urlsplit

from sandloop.errors import BadSetting
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.prices import Price
from sandloop.settings_sandbox import FIELDS as _SANDBOX
from sandloop.settings_sandbox import checked_options, only_from_project, sandbox_table, truth

Route: TypeAlias = Literal["auto", "native", "local"]
PREFIX = "SANDLOOP_"
OTHER_VARIABLES = ("config", "base_image", "weights", "allow_remote_docker", "debug", "compatible_key")
"""Read elsewhere; not settings."""
MAX_LIMIT = 1e15
"""A petabyte, or 30 million years: more than that, and infinity, is a slip, and not every clock can count it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A `[models.NAME]` table: a name of the user's own for a provider, a model and how to reach it."""

    provider: str
    model: str | None = None
    route: Route | None = None
    base_url: str | None = None
    key_variable: str | None = None
    """The environment variable that holds the key; never the key itself."""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How runs are made. None means that this layer says nothing."""

    model: str | None = None
    """A profile's name, `provider:model`, or a provider for its default model."""
    route: Route | None = None
    """`auto`: native where the model runs code and the files fit, else local. `local` never uploads a file."""
    limits: Limits | None = None
    preview: bool | None = None
    """Tell the model columns, first rows and the like, made inside the sandbox."""
    show_pictures: bool | None = None
    """Show made pictures to a model that can see them."""
    sandbox: SandboxOptions | None = None
    """Where and how local code runs."""
    base_url: str | None = None
    """The server's address, for a provider that takes one."""
    models: Mapping[str, Profile] | None = None
    prices: Mapping[str, Price] | None = None
    """What tokens cost, by a profile's name, `provider:model` or a model's own name."""
    runs: str | None = None
    """Where runs are kept: a folder, `on` for the user's own data folder, or `off`."""
    runs_kept: int | None = None
    """Runs kept; the oldest beyond it are removed when a new one starts."""


DEFAULTS = Settings(
    model="claude",
    route="auto",
    limits=Limits(),
    preview=True,
    show_pictures=True,
    sandbox=SandboxOptions(),
    models={},
    prices={},
    runs="on",
    runs_kept=500,
)
_PLAIN = ("model", "route", "preview", "show_pictures", "base_url", "runs", "runs_kept")
MAX_RUNS = 1_000_000
_LIMITS = {f.name: f.type for f in fields(Limits)}
_PRICE = tuple(f.name for f in fields(Price))
MAX_PRICE = 1e6
"""Of a million tokens, in US dollars: a dollar a token. More is a slip."""
_ENVIRONMENT = {
    **dict.fromkeys(_PLAIN, ""),
    **dict.fromkeys(_LIMITS, "limits"),
    **{"sandbox" if name == "engine" else name: "sandbox" for name in _SANDBOX},
}
"""Each variable's name, without the prefix, and the table it stands in."""


def layered(*nearest_first: Settings) -> Settings:
    """The first layer that says something wins, field by field; limits, profiles and prices are merged one by one."""
    chosen: dict[str, Any] = {}
    for f in fields(Settings):
        said = [v for s in nearest_first if (v := getattr(s, f.name)) is not None]
        chosen[f.name] = said[0] if said else None
        if f.name in ("models", "prices"):
            chosen[f.name] = {name: row for layer in reversed(said) for name, row in layer.items()}
    return Settings(**chosen)


def resolve(
    call: Settings = Settings(),
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
    environ = os.environ if environ is None else environ
    layers: list[Settings] = []
    limits: dict[str, Any] = {}
    sandbox: dict[str, Any] = {}
    for source, table in reversed([*_file_tables(cwd or Path.cwd(), environ), _env_table(environ)]):
        layers.append(_from_table(table, source))
        limits = _checked_limits(table.get("limits", {}), source) | limits
        sandbox = sandbox_table(table.get("sandbox", {}), source) | sandbox
    if call.route is not None:
        route_named(call.route, "the call")  # a slip must not end as a route that uploads
    merged = layered(call, *layers, DEFAULTS)
    options = call.sandbox or SandboxOptions(**sandbox)
    options = checked_options(options if packages is None else replace(options, packages=tuple(packages)))
    return replace(merged, limits=call.limits or replace(Limits(), **limits), sandbox=options)


def _file_tables(cwd: Path, environ: Mapping[str, str]) -> list[tuple[str, dict[str, Any]]]:
    """The user's file, then the nearest `sandloop.toml` upwards: farthest first."""
    from platformdirs import user_config_path

    user = Path(environ["SANDLOOP_CONFIG"]) if environ.get("SANDLOOP_CONFIG") else user_config_path("sandloop") / "config.toml"
    project = next((p for folder in (cwd, *cwd.parents) if (p := folder / "sandloop.toml").is_file()), None)
    tables = [(str(user), _read(user))] if user.is_file() else []
    if project is not None:
        tables.append((str(project), _only_harmless(_read(project), str(project), user)))
    return tables


def _only_harmless(table: dict[str, Any], source: str, user: Path) -> dict[str, Any]:
    """A project's file comes with a folder that others may have made: it must not say where files and keys go, nor which key."""
    only_from_project(table.get("sandbox"), source, str(user))
    profiles = _table("models", table.get("models", {}), source).items()
    rows = [("", table), *((f"models.{name}.", _table(f"models.{name}", row, source)) for name, row in profiles)]
    for place, row in rows:
        address = str(row.get("base_url", ""))
        if address and not _is_loopback(address):
            why = f"is {address!r}, but a project's file may name only this machine"
            raise BadSetting(name=f"{place}base_url", why=f"{why}; put it into {user} or the environment", where=source)
        if "key_variable" in row:
            why = f"may not stand in a project's file, which could send any secret anywhere; put the profile into {user}"
            raise BadSetting(name=f"{place}key_variable", why=why, where=source)
        for name, value in _table(f"{place}parameters", row.get("parameters", {}), source).items():
            if name == "weights" or isinstance(value, dict | list):
                why = f"may not stand in a project's file: it could name servers or files; put the profile into {user}"
                raise BadSetting(name=f"{place}parameters.{name}", why=why, where=source)
    return table


def _is_loopback(address: str) -> bool:
    host = urlsplit(address).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise BadSetting(name=path.name, why=f"can't be read: {error}", where=str(path)) from error


def _env_table(environ: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """`SANDLOOP_ROUTE=local`, `SANDLOOP_STEP_SECONDS=60`: settings and limits by their own names."""
    table: dict[str, Any] = {"limits": {}, "sandbox": {}}
    for name, target in _ENVIRONMENT.items():
        if (value := environ.get(PREFIX + name.upper())) is not None:
            (table[target] if target else table)["engine" if name == "sandbox" else name] = value
    for variable in environ:
        _refuse_slip(variable)
    return "the environment", table


def _refuse_slip(variable: str) -> None:
    """A variable one letter off a setting's: without this, a wrong `SANDLOOP_PREVIEW` would send what it was to hold back.

    Only what is very near: other programs and profiles' key variables may begin with our prefix, too.
    """
    name = variable.removeprefix(PREFIX).lower()
    known = tuple(_ENVIRONMENT)
    if variable.startswith(PREFIX) and name not in (*known, *OTHER_VARIABLES):
        meant = next(iter(difflib.get_close_matches(name, known, n=1, cutoff=0.8)), None)
        if meant is not None:
            raise BadSetting(name=variable, why="does not exist", where="the environment", nearest=PREFIX + meant.upper())


def _from_table(table: Mapping[str, Any], source: str) -> Settings:
    known = (*_PLAIN, "sandbox", "limits", "models", "prices")
    for name in table:
        if name not in known:
            raise BadSetting(name=name, why="does not exist", where=source, nearest=nearest(name, known))
    chosen: dict[str, Any] = {}
    for name in _PLAIN:
        if name in table:
            chosen[name] = _plain(name, table, source)
    if "route" in chosen:
        chosen["route"] = route_named(chosen["route"], source)
    if "models" in table:
        chosen["models"] = {name: _profile(name, row, source) for name, row in _table("models", table["models"], source).items()}
    if "prices" in table:
        chosen["prices"] = {name: _price(name, row, source) for name, row in _table("prices", table["prices"], source).items()}
    return Settings(**chosen)


def _plain(name: str, table: Mapping[str, Any], source: str) -> Any:
    match name:
        case "preview" | "show_pictures":
            return truth(name, table[name], source)
        case "runs_kept":
            text = str(table[name])
            number = int(text) if text.isdecimal() and len(text) < 9 else 0
            if not 0 < number <= MAX_RUNS:
                raise BadSetting(name=name, why=f"is {table[name]!r}, but must be from 1 to {MAX_RUNS}", where=source)
            return number
        case _:
            return _text(name, table, source)


def _price(model: str, row: object, source: str) -> Price:
    table = _table(f"prices.{model}", row, source)
    for name, value in table.items():
        place = f"prices.{model}.{name}"
        if name not in _PRICE:
            raise BadSetting(name=place, why="does not exist", where=source, nearest=nearest(name, _PRICE))
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_PRICE:
            why = f"is {value!r}, but must be US dollars for a million tokens, from 0 to {MAX_PRICE:.0e}"
            raise BadSetting(name=place, why=why, where=source)
    for name in ("input", "output"):
        if name not in table:
            raise BadSetting(name=f"prices.{model}", why=f"has no '{name}'", where=source)
    return Price(**{name: float(value) for name, value in table.items()})


def _checked_limits(table: object, source: str) -> dict[str, Any]:
    return {name: checked_limit(name, value, source) for name, value in _table("limits", table, source).items()}


def checked_limit(name: str, value: object, source: str) -> int | float | None:
    """One limit in its own type. Raises `BadSetting`."""
    if name not in _LIMITS:
        raise BadSetting(name=name, why="does not exist", where=source, nearest=nearest(name, tuple(_LIMITS)))
    if value in ("none", "") and "None" in str(_LIMITS[name]):
        return None
    try:
        number = float(str(value)) if "float" in str(_LIMITS[name]) else int(str(value))
    except ValueError:
        raise BadSetting(name=name, why=f"is {value!r}, but must be a number", where=source) from None
    if not 0 < number < MAX_LIMIT:
        raise BadSetting(name=name, why=f"is {value!r}, but must be above 0 and under {MAX_LIMIT:.0e}", where=source)
    return number


def _profile(name: str, row: object, source: str) -> Profile:
    table = _table(name, row, source)
    known = tuple(f.name for f in fields(Profile))
    for key in table:
        if key in ("key", "api_key"):
            raise BadSetting(
                name=f"models.{name}.{key}", why="holds a key; name a variable in 'key_variable' instead", where=source
            )
        if key not in known:
            raise BadSetting(name=f"models.{name}.{key}", why="does not exist", where=source, nearest=nearest(key, known))
    if "provider" not in table:
        raise BadSetting(name=f"models.{name}", why="has no 'provider'", where=source)
    texts = {k: _text(k, table, source) for k in ("provider", "model", "base_url", "key_variable") if k in table}
    route = route_named(_text("route", table, source), source) if "route" in table else None
    return Profile(**texts, route=route, parameters=_table("parameters", table.get("parameters", {}), source))


def route_named(text: str, source: str = "") -> Route:
    """The route of that name. Raises `BadSetting`."""
    for route in get_args(Route):
        if text == route:
            return route  # type: ignore[no-any-return]
    raise BadSetting(name="route", why=f"is {text!r}, but must be auto, native or local", where=source)


def _table(name: str, value: object, source: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise BadSetting(name=name, why="must be a table", where=source)
    return {str(k): v for k, v in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]


def _text(name: str, table: Mapping[str, Any], source: str) -> str:
    if not isinstance(table[name], str) or not table[name]:
        raise BadSetting(name=name, why=f"is {table[name]!r}, but must be text", where=source)
    return str(table[name])


def nearest(name: str, known: tuple[str, ...]) -> str | None:
    """The known name that a typo most likely meant."""
    return next(iter(difflib.get_close_matches(name, known, n=1)), None)
