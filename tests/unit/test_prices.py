"""What a reply costs: the user's own prices, and containers by this side's clock."""

from __future__ import annotations

from typing import Any

import pytest

from sandloop.events import Usage
from sandloop.prices import Price, own_price, priced
from sandloop_providers.container_time import ANTHROPIC, OPENAI, ContainerClock, Rate

MILLION = 1_000_000


@pytest.mark.parametrize(
    ("price", "usage", "dollars"),
    [
        (Price(input=1, output=2), {"input_tokens": MILLION, "output_tokens": MILLION}, 3),
        (Price(input=0, output=0), {"input_tokens": 5, "output_tokens": 7}, 0),
        (Price(input=4, output=0, cached=1), {"input_tokens": MILLION, "cached_tokens": MILLION // 2}, 2.5),
        (Price(input=4, output=0), {"input_tokens": MILLION, "cached_tokens": MILLION // 2}, 4),
        (Price(input=4, output=0, cache_write=5), {"input_tokens": MILLION, "cache_write_tokens": MILLION // 2}, 4.5),
        (Price(input=1, output=0, cached=0), {"input_tokens": 10, "cached_tokens": 99, "cache_write_tokens": 99}, 0),
    ],
)
def test_tokens_cost_by_kind(price: Price, usage: dict[str, Any], dollars: float) -> None:
    assert price.cost(Usage(model="m", **usage)) == pytest.approx(dollars)


def test_the_first_name_with_a_price_wins_in_any_case() -> None:
    one, two = Price(input=1, output=1), Price(input=2, output=2)
    prices = {"Fast": one, "openai:GPT": two}
    assert own_price(prices, ["fast", "openai:gpt"]) is one
    assert own_price(prices, ["slow", "openai:gpt"]) is two
    assert own_price(prices, ["gpt"]) is None


@pytest.mark.parametrize(
    ("names", "cost"),
    [
        ((), 9),  # what the provider says
        (("fast", "openai:gpt-5", "gpt"), 1),  # as the caller named it
        (("azure:gpt-5", "openai:gpt-5", "gpt"), 1),  # the name that the provider has for itself
        (("openai:gpt-5", "azure:gpt-5-mini", "gpt"), 1),  # before what the server says
        (("azure:gpt-5-mini", "gpt-5"), 1),
        (("gpt-5", "gpt-5-mini"), 1),
        (("gpt-5-mini",), 1),
        (("gpt", "azure"), 9),
    ],
)
def test_a_reply_costs_what_stands_under_the_nearest_name(names: tuple[str, ...], cost: float) -> None:
    prices = {name: Price(input=number, output=0) for number, name in enumerate(names, 1)}
    usage = Usage(model="gpt-5-mini", input_tokens=MILLION, cost=9)
    assert priced(usage, prices, asked="fast", providers=("azure", "openai"), model="gpt-5").cost == cost


MINUTE = 60.0


@pytest.mark.parametrize(
    ("rate", "requests", "seconds", "dollars"),
    [
        # container, began, ended
        (OPENAI, [("a", 0, 10)], 10, 0.0075),  # five minutes at least
        (OPENAI, [("a", 0, 20 * MINUTE)], 1200, 0.03),
        (OPENAI, [("a", 0, 6 * MINUTE + 1)], 361, 0.0105),  # by the minute
        (OPENAI, [("a", 0, 10), ("a", 100, 110)], 110, 0.0075),  # once for both
        (OPENAI, [("a", 0, 10), ("b", 10, 20)], 20, 0.015),  # each its own
        (OPENAI, [("a", 0, MINUTE), ("a", 100 * MINUTE, 101 * MINUTE)], 22 * MINUTE, 0.033),  # it ends by itself while idle
        (ANTHROPIC, [("a", 0, 1)], 1, 0.05 / 12),
        (ANTHROPIC, [("a", 0, 3600)], 3600, 0.05),
        (ANTHROPIC, [("a", 0, 600), ("a", 6000, 6600)], 1500, 0.05 * 1500 / 3600),
        (OPENAI, [("a", 5, 3)], 0, 0.0075),  # never negative
    ],
)
def test_container_time_adds_up(rate: Rate, requests: list[tuple[str, float, float]], seconds: float, dollars: float) -> None:
    clock = ContainerClock(rate)
    told = [clock.used(*request) for request in requests]
    assert sum(s for s, _ in told) == pytest.approx(seconds)
    assert sum(d for _, d in told) == pytest.approx(dollars)
    assert all(s >= 0 and d >= 0 for s, d in told)
