"""Providers and sandboxes, found by name at call time. Ours come through the same door as anybody's: entry points."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import cast

from sandloop.errors import BadSetting, MissingKey, UnknownModel, UsageError
from sandloop.keys import checked_key, find_key, kept_key
from sandloop.ports import Finding, ModelChoice, ProviderFactory, SandboxFactory, SandboxToolsFactory
from sandloop.settings import Profile, Route, Settings, nearest

PROVIDERS = "sandloop.providers"
SANDBOXES = "sandloop.sandboxes"
SANDBOX_TOOLS = "sandloop.sandbox_tools"
CHECKS = "sandloop.checks"
_KEYS = ("_KEY", "_TOKEN")
"""How variables of keys end; others of a provider may hold the path of a file, or a name."""


@lru_cache(maxsize=4)
def named(group: str) -> Mapping[str, EntryPoint]:
    """The entry points of a group, by name. A name that two packages claim is refused."""
    found: dict[str, EntryPoint] = {}
    for point in sorted(entry_points(group=group), key=lambda p: p.name):
        if point.name in found and found[point.name].value != point.value:
            raise UsageError(
                f"Two packages offer {point.name!r} in {group}: {found[point.name].value} and {point.value}. Uninstall one."
            )
        found[point.name] = point
    return found


def provider_factory(name: str) -> ProviderFactory:
    """The factory of the provider of that name. Raises `UnknownModel`."""
    points = named(PROVIDERS)
    if name not in points:
        raise UnknownModel(model=name, known=tuple(points), nearest=nearest(name, tuple(points)))
    return cast("ProviderFactory", points[name].load())


def sandbox_factory(name: str) -> SandboxFactory:
    """The factory of the sandbox of that name. Raises `BadSetting`."""
    points = named(SANDBOXES)
    if name not in points:
        raise BadSetting(name="sandbox", why=f"is {name!r}; known are {', '.join(points)}", nearest=nearest(name, tuple(points)))
    return cast("SandboxFactory", points[name].load())


def sandbox_tools_factory(name: str) -> SandboxToolsFactory:
    """The factory of the tools of the sandbox of that name. Raises `BadSetting`."""
    points = named(SANDBOX_TOOLS)
    if name not in points:
        raise BadSetting(name="sandbox", why=f"is {name!r}, which has no tools; those of {', '.join(points)} have")
    return cast("SandboxToolsFactory", points[name].load())


def checks() -> Mapping[str, Callable[[], list[Finding]]]:
    """What the doctor asks, by name, in the order of the names."""
    return {name: cast("Callable[[], list[Finding]]", point.load()) for name, point in named(CHECKS).items()}


def choose_model(settings: Settings, environ: Mapping[str, str] | None = None) -> tuple[ModelChoice, Route | None]:
    """Which provider and model `settings.model` names, and the route of its profile if it has one. Raises `UsageError`.

    A profile's name wins; then `provider:model` or `provider/model`; then a provider's own name; then a model whose name begins
    with a provider's (`claude-…`).
    """
    name = settings.model or ""
    profile = (settings.models or {}).get(name)
    environ = os.environ if environ is None else environ
    if profile is not None:
        return _from_profile(name, profile, environ), profile.route
    provider, model = _split(name, settings)
    return with_kept_key(ModelChoice(provider=provider, model=model or None, base_url=settings.base_url), environ), None


def provider_named(settings: Settings) -> str:
    """The provider that `settings.model` names, by itself or through a profile. Raises `UnknownModel`."""
    profile = (settings.models or {}).get(settings.model or "")
    return profile.provider if profile is not None else _split(settings.model or "", settings)[0]


def with_kept_key(choice: ModelChoice, environ: Mapping[str, str]) -> ModelChoice:
    """With the key that the store has for its provider, where neither the choice nor the environment has one.

    The store is not looked at for a provider that needs no key. Raises `KeyStoreFailed`, `BadKey` and `UnknownModel`.
    """
    factory = provider_factory(choice.provider)
    names = storable(factory)
    if choice.key:
        return choice
    for variable in (*factory.key_variables, *names, *getattr(factory, "optional_keys", ())):
        if key := environ.get(variable):
            if variable in names or variable.endswith(_KEYS):
                checked_key(variable, key)
            return choice
    return replace(choice, key=kept_key(names, environ)) if names else choice


def storable(factory: ProviderFactory) -> tuple[str, ...]:
    """The names under which a provider's key can be kept."""
    names: tuple[str, ...] = getattr(factory, "storable_keys", factory.key_variables)
    return names


def _from_profile(name: str, profile: Profile, environ: Mapping[str, str]) -> ModelChoice:
    key = None
    if profile.key_variable is not None:
        key = find_key((profile.key_variable,), environ)
        if not key:
            raise MissingKey(provider=f"The profile {name!r}", variables=(profile.key_variable,))
    choice = ModelChoice(
        provider=profile.provider,
        model=profile.model,
        base_url=profile.base_url,
        key=key,
        parameters=profile.parameters,
    )
    return choice if key else with_kept_key(choice, environ)


def _split(name: str, settings: Settings) -> tuple[str, str]:
    known = tuple(named(PROVIDERS))
    for separator in (":", "/"):
        provider, found, model = name.partition(separator)
        if found and provider in known:
            return provider, model
    if name in known:
        return name, ""
    family = next((p for p in known if name.startswith(p + "-")), None)
    if family is not None:
        return family, name
    everything = (*known, *(settings.models or {}))
    raise UnknownModel(model=name, known=everything, nearest=nearest(name.partition(":")[0], everything))
