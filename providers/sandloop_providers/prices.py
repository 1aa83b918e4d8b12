"""What a reply cost, from the price list bundled with genai-prices. Never asks the network.

The list is a maintained library's, so no price stands in this project. A provider or model it does not know costs `None`,
never 0.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from anyio import to_thread

from sandloop.events import Usage


def cost_of(
    *,
    provider: str,
    model: str,
    input_tokens: int,
    output_tokens: int,
    cached_tokens: int = 0,
    cache_write_tokens: int = 0,
) -> float | None:
    """US dollars, or None when the price is unknown. `input_tokens` counts cached and cache-writing tokens too."""
    from genai_prices import Usage as Tokens
    from genai_prices import calc_price  # 40 ms to import, so only when a reply has ended

    try:
        price = calc_price(
            Tokens(
                input_tokens=input_tokens,
                output_tokens=output_tokens,
                cache_read_tokens=cached_tokens or None,
                cache_write_tokens=cache_write_tokens or None,
            ),
            model_ref=model,
            provider_id=provider,
        )
    except (LookupError, ValueError):  # unknown to the list; or counts that contradict each other
        return None
    return float(price.total_price)


async def priced(usage: Usage, *, provider: str, model: str) -> Usage:
    """The usage with its cost by the price list, under the model's own name or the one that was asked for."""
    named = replace(usage, model=usage.model or model)
    price = partial(
        cost_of,
        provider=provider,
        model=named.model,
        input_tokens=named.input_tokens,
        output_tokens=named.output_tokens,
        cached_tokens=named.cached_tokens,
        cache_write_tokens=named.cache_write_tokens,
    )
    # In a thread: the price list takes 0.2 s to load, once.
    return replace(named, cost=await to_thread.run_sync(price))
