"""Which runs of a comparison wait for each other, and why."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sandloop.plugins import PROVIDERS, choose_model, named, provider_factory
from sandloop.settings import Settings

AT_ONCE = 8
"""Runs at the same time: eight sandboxes at once are measured, more are not."""
AT_ONE_PROVIDER = 4
"""Of one account: more only meets its rate limit, and then waits anyway."""
HERE = "this machine"


@dataclass(frozen=True, slots=True)
class Lane:
    """Runs of one lane share something: an account, or this machine's processor."""

    name: str
    at_once: int


def lane_of(model: str, settings: Settings) -> Lane:
    """The lane of a model. Models that compute on this machine share one and go one by one: side by side, each would be timed
    at a part of the machine's speed, and they may not fit into its memory together.

    Args:
        model: As the caller names it.
        settings: All layers, resolved.

    Raises:
        UsageError, ProviderError: As `choose_model`.
    """
    choice, _ = choose_model(replace(settings, model=model))
    factory = provider_factory(choice.provider)
    computes_here = getattr(factory, "computes_here", None)
    if computes_here is not None and computes_here(choice):
        return Lane(HERE, 1)
    one = named(PROVIDERS)[choice.provider].value  # a provider may have two names
    return Lane(f"{one} {choice.base_url or ''}".strip(), AT_ONE_PROVIDER)
