"""The model that a session asks: opened from the settings, with what is known of it until another takes its place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from sandloop.errors import UsageError
from sandloop.plugins import choose_model, provider_factory
from sandloop.ports import Provider
from sandloop.settings import Route, Settings


@dataclass(kw_only=True, slots=True)
class OpenModel:
    """A provider that replies, and what this session has learned of it."""

    named: str
    """The provider's name as its entry point has it; the provider may call itself otherwise."""
    route: Route
    """The one to ask for."""
    provider: Provider
    own_from: int = 0
    """Where in the history its own replies begin: those before go back as text."""
    native_failed: str | None = None
    """Why its interpreter could not be used, once it could not."""


def open_model(settings: Settings, *, route: Route | None, confirmed: bool, runs: Path | None) -> OpenModel:
    """The model that the settings name. Makes no request.

    Args:
        route: What the caller asks for; it wins over the profile's and the settings'.
        confirmed: Whether somebody is asked before code runs, which a provider's interpreter can't do.
        runs: Where runs are kept.

    Raises:
        UsageError: No provider has that name, or the route is native and somebody is to be asked.
        ProviderError: The model needs a key, and none is set.
    """
    choice, profile_route = choose_model(settings)
    route = route or profile_route or settings.route or "auto"
    if confirmed and route == "native":
        raise UsageError("The route is 'native', where nobody can be asked before code runs. Use route 'local', or no confirm.")
    choice = replace(choice, runs=runs)
    return OpenModel(named=choice.provider, route=route, provider=provider_factory(choice.provider)(choice))


def for_another(settings: Settings, model: str, *, before: OpenModel) -> Settings:
    """The settings with which another model is opened. An address is one provider's: another's key must not go there.

    Raises `UsageError` or `ProviderError` as `open_model` does.
    """
    settings = replace(settings, model=model)
    same = choose_model(replace(settings, base_url=None))[0].provider == before.named
    return settings if same else replace(settings, base_url=None)
