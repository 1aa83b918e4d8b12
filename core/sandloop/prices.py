"""Prices of the user's own, which win over what a server reports and over any price list. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sandloop.events import Usage

MILLION = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """US dollars for a million tokens. `input` and `output` must be given; cached tokens cost like others unless said."""

    input: float
    """Of what the model reads."""
    output: float
    """Of what it writes."""
    cached: float | None = None
    """Of input read from a cache."""
    cache_write: float | None = None
    """Of input written to a cache."""

    def cost(self, usage: Usage) -> float:
        """US dollars of one reply."""
        cached = min(usage.cached_tokens, usage.input_tokens)
        written = min(usage.cache_write_tokens, usage.input_tokens - cached)
        dollars = (
            (usage.input_tokens - cached - written) * self.input
            + cached * (self.input if self.cached is None else self.cached)
            + written * (self.input if self.cache_write is None else self.cache_write)
            + usage.output_tokens * self.output
        )
        return dollars / MILLION


def own_price(prices: Mapping[str, Price], names: Iterable[str]) -> Price | None:
    """The price under the first of these names that has one. Upper and lower case are one."""
    lowered = {name.lower(): price for name, price in prices.items()}
    return next((lowered[name.lower()] for name in names if name.lower() in lowered), None)


def priced(usage: Usage, prices: Mapping[str, Price], *, asked: str, providers: Sequence[str], model: str) -> Usage:
    """The usage of one reply, at the user's own price where there is one.

    Args:
        asked: The model as the caller named it; its price wins.
        providers: The names of its provider.
        model: As the provider calls it; the server may say another in `usage`.
    """
    models = (model, usage.model)
    names = [f"{provider}:{name}" for name in models if name for provider in providers]
    price = own_price(prices, [asked, *names, *models])
    return usage if price is None else replace(usage, cost=price.cost(usage))
