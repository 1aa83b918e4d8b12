"""Ollama cuts a conversation that is longer than its context, and says nothing: asked for the context, and noticed when it happens.

The compatible endpoint can't set the context. It is 4,096 tokens by default on a machine with little graphics memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from sandloop_providers.server_models import ASK_SECONDS, on_this_machine

ANSWER_BYTES = 1_000_000
RULES_TOKENS = 500
"""Of our rules and the two tools, which every request holds beside the conversation."""
USUAL_CHARS = 4
"""Of a token of English; code and tables have fewer."""
FAR_BELOW_CHARS = 8
"""A token of more characters than this, over a whole conversation, is none that was counted."""
SMALLEST_CONTEXT = 512
NEARLY = 0.95


async def context_of(address: str, model: str) -> int | None:
    """The tokens of context with which the server has loaded the model; None when it has not, can't say within 0.3 s, or is not
    on this machine."""
    import httpx2

    if not on_this_machine(address):
        return None
    try:
        url = f"{address.rstrip('/').removesuffix('/v1')}/api/ps"
        async with httpx2.AsyncClient(trust_env=False, timeout=ASK_SECONDS) as client, client.stream("GET", url) as response:
            if response.status_code != 200:
                return None
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > ANSWER_BYTES:
                    return None
        return context_in(json.loads(body), model)
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, ValueError, RecursionError):
        return None


def context_in(answer: object, model: str) -> int | None:
    """The context of the model in an answer of `/api/ps`. A model without a tag is its `latest`."""
    rows = cast("dict[str, Any]", answer).get("models") if isinstance(answer, dict) else None
    for row in cast("list[object]", rows) if isinstance(rows, list) else ():
        facts = cast("dict[str, Any]", row) if isinstance(row, dict) else {}
        if {facts.get("name"), facts.get("model")} & {model, f"{model}:latest"}:
            tokens = facts.get("context_length")
            if isinstance(tokens, int) and not isinstance(tokens, bool) and tokens >= SMALLEST_CONTEXT:
                return tokens
    return None


def room(context: int) -> int:
    """Tokens that the conversation may take in a context that the rules and the reply share with it."""
    return context - context // 4 - min(RULES_TOKENS, context // 4)


def chars_of(messages: Sequence[Mapping[str, Any]]) -> int:
    """Characters of text in a request's messages; pictures have none."""
    count = 0
    for message in messages:
        content = message.get("content")
        if isinstance(content, str):
            count += len(content)
        elif isinstance(content, list):
            count += sum(len(part.get("text", "")) for part in cast("list[dict[str, Any]]", content))
        count += sum(len(call["function"]["arguments"]) for call in message.get("tool_calls", ()))
    return count


@dataclass(slots=True)
class Watch:
    """What a session sent, and what the server counted of it. Pure."""

    context: int | None = None
    _told: bool = False
    _told_short: bool = False
    _before: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def cut(self, chars: int, counted: int) -> str | None:
        """What to tell the user when a request of so many characters was most likely cut; None else, and after the first time.

        Args:
            counted: The tokens that the server counted in it; 0 when it did not count.
        """
        before, self._before = self._before, [*self._before, (chars, counted)]
        if self._told or counted <= 0 or not was_cut(chars, counted, self.context, before):
            return None
        self._told = True
        return (
            f"Ollama counted {counted:,} tokens of a request of about {chars // USUAL_CHARS:,}, so it most likely left out a part "
            "of the conversation without saying so. Give it more context (OLLAMA_CONTEXT_LENGTH=32768 where the server starts, or "
            "'PARAMETER num_ctx 32768' in a Modelfile), or set the limit context_tokens below what it has."
        )

    def shortened(self) -> str | None:
        """What to tell the user when the conversation was shortened for the server's context; None after the first time."""
        if self._told_short:
            return None
        self._told_short = True
        return (
            f"Ollama has loaded this model with a context of {self.context:,} tokens, so old outputs are shortened to fit. For "
            "more, set OLLAMA_CONTEXT_LENGTH=32768 where the server starts, or 'PARAMETER num_ctx 32768' in a Modelfile."
        )


def was_cut(chars: int, counted: int, context: int | None, before: Sequence[tuple[int, int]]) -> bool:
    """Whether a server that counted so many tokens of so many characters left out a part of them.

    Args:
        context: The tokens of its context, where it told them.
        before: Characters and count of earlier requests of the session.
    """
    if context is not None and counted >= context * NEARLY and chars > context * USUAL_CHARS:
        return True
    if counted * FAR_BELOW_CHARS >= chars:
        return False
    if context is not None:
        return counted * 2 >= context
    sizes = (tokens for power in range(10, 21) for tokens in (1 << power, 3 << (power - 1)))
    at_a_ceiling = any(size * NEARLY <= counted <= size for size in sizes)
    stands_still = any(n > 0 and c * 5 <= chars * 4 and n * 0.75 <= counted <= n * 1.1 for c, n in before)
    return at_a_ceiling or stands_still
