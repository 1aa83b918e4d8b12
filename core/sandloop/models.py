"""What each provider can do on this machine: whether its key is there, what runs the code, what is known of its limits."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sandloop.errors import SandloopError
from sandloop.keys import find_key, where_kept
from sandloop.plugins import PROVIDERS, named, provider_factory, storable, with_kept_key
from sandloop.ports import ModelChoice, ProviderAbout, ProviderFactory
from sandloop.printable import printable
from sandloop.settings import Profile, Settings

SHOWN_MODELS = 3
CHECK_SECONDS = 20.0
Key = Literal["set", "missing", "not needed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRow:
    """One provider, or one profile of the user's."""

    name: str
    """As to give with `-m`."""
    title: str
    key: Key
    variables: tuple[str, ...]
    """Where a key is looked for; which one is set is not told."""
    default_model: str | None
    native: str
    """What runs code at the provider; empty where nothing does."""
    limits: str
    check: str = ""
    """What the server said when it was asked; empty when it was not."""
    works: bool | None = None
    """None: not asked."""
    where: str = ""
    """Where the key is: `environment`, `keyring` or `file`; empty where there is none."""


def model_rows(settings: Settings, environ: Mapping[str, str] | None = None) -> list[ModelRow]:
    """A row for each provider by its name, then one for each profile. Makes no request."""
    environ = os.environ if environ is None else environ
    names: dict[str, list[str]] = {}
    for name, point in named(PROVIDERS).items():  # `claude` and `anthropic` are one
        names.setdefault(point.value, []).append(name)
    rows = [_row(name, provider_factory(name), environ) for name in sorted(map(_shown, names.values()))]
    return rows + [_profile_row(name, profile, environ) for name, profile in sorted((settings.models or {}).items())]


def _shown(names: Sequence[str]) -> str:
    """Of a provider's names its own, else the shortest."""
    own: object = getattr(provider_factory(names[0]), "name", None)
    return next((name for name in names if name == own), min(names, key=len))


async def checked_rows(rows: Sequence[ModelRow], settings: Settings) -> list[ModelRow]:
    """The rows with what their servers say now. Only those are asked that have a key or need none."""
    return list(await asyncio.gather(*(_checked(row, settings) for row in rows)))


def _row(name: str, factory: ProviderFactory, environ: Mapping[str, str]) -> ModelRow:
    about = about_of(name, factory)
    key, where, trouble = _key(factory.key_variables, storable(factory), environ)
    return ModelRow(
        name=name,
        title=about.title,
        key=key,
        where=where,
        check=trouble,
        variables=factory.key_variables,
        default_model=factory.default_model,
        native=about.native,
        limits=about.limits,
    )


def _profile_row(name: str, profile: Profile, environ: Mapping[str, str]) -> ModelRow:
    try:
        factory = provider_factory(profile.provider)
    except SandloopError as error:
        about = ProviderAbout(title=f"profile: {profile.provider}", limits=str(error))
        return ModelRow(
            name=name, title=about.title, key="missing", variables=(), default_model=None, native="", limits=about.limits
        )
    about = about_of(profile.provider, factory)
    variables = (profile.key_variable,) if profile.key_variable else factory.key_variables
    key, where, trouble = _key(variables, variables if profile.key_variable else storable(factory), environ)
    return ModelRow(
        name=name,
        title=f"profile: {about.title}",
        key=key,
        where=where,
        check=trouble,
        variables=variables,
        default_model=profile.model or factory.default_model,
        native="" if profile.route == "local" else about.native,
        limits=about.limits,
    )


def about_of(name: str, factory: ProviderFactory) -> ProviderAbout:
    """What a provider says of itself; a third party's need not."""
    found: object = getattr(factory, "about", None)
    return found if isinstance(found, ProviderAbout) else ProviderAbout(title=name)


def _key(variables: tuple[str, ...], names: tuple[str, ...], environ: Mapping[str, str]) -> tuple[Key, str, str]:
    """Whether there is a key, where it is, and why the store can't say. `names` are those it may be kept under."""
    if any(environ.get(variable) for variable in variables):
        return "set", "environment", ""
    missing: Key = "missing" if variables else "not needed"
    try:
        kept = where_kept(names, environ)
    except SandloopError as error:
        return missing, "", str(error) if variables else ""
    return ("set", kept[1], "") if kept is not None else (missing, "", "")


async def _checked(row: ModelRow, settings: Settings) -> ModelRow:
    if row.key == "missing":
        return row
    profile = (settings.models or {}).get(row.name)
    choice = ModelChoice(provider=row.name)
    if profile is not None:
        choice = ModelChoice(provider=profile.provider, model=profile.model, base_url=profile.base_url)
    ask = getattr(provider_factory(choice.provider), "listed", None)
    if ask is None:
        return row
    try:
        if profile is not None and profile.key_variable:
            choice = dataclasses.replace(choice, key=find_key((profile.key_variable,)))
        choice = with_kept_key(choice, os.environ)
        async with asyncio.timeout(CHECK_SECONDS):
            models: list[str] = await ask(choice)
    except TimeoutError:
        return dataclasses.replace(row, works=False, check=f"no answer within {CHECK_SECONDS:.0f} s")
    except SandloopError as error:
        return dataclasses.replace(row, works=False, check=str(error))
    more = f" and {len(models) - SHOWN_MODELS} more" if len(models) > SHOWN_MODELS else ""
    said = f"answers: {', '.join(models[:SHOWN_MODELS])}{more}" if models else "answers, and lists no model"
    return dataclasses.replace(row, works=True, check=said)


def report(rows: Sequence[ModelRow], *, as_json: bool = False, width: int | None = None) -> str:
    """A table for a person, or JSON."""
    if as_json:
        return json.dumps([dataclasses.asdict(row) for row in rows], indent=2) + "\n"
    from rich.table import Table
    from rich.text import Text

    from sandloop.terminal.text import as_text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for head in ("-m", "key", "native", "local", "what is known"):
        table.add_column(head, overflow="fold")
    for row in rows:
        key = {
            "set": Text("set" if row.where in ("", "environment") else row.where, "green"),
            "missing": Text(row.variables[0] if row.variables else "", "dim"),
            "not needed": Text("–"),
        }
        said = [row.limits, f"default: {row.default_model}" if row.default_model else "", row.check]
        notes = Text(printable("; ".join(part for part in said if part)), {True: "green", False: "red", None: ""}[row.works])
        table.add_row(Text(printable(row.name)), key[row.key], Text(row.native or "–"), Text("yes"), notes)
    return as_text([table], width=width) + "\n"
