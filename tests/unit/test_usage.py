"""Tokens by kind, from each provider's own fields. The counts are those of recorded traffic where there is some."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from sandloop.events import Usage
from sandloop_providers import anthropic_stream, chat_stream, gemini_stream, mistral_stream, responses_stream

Counts = tuple[int, int, int, int, int]
"""In, out, of those read from a cache, written to one, and reasoning."""


def chat(usage: Mapping[str, Any]) -> Usage | None:
    reading = chat_stream.Reading()
    list(reading.take({"choices": [], "usage": usage}))
    return reading.usage()


def groq(usage: Mapping[str, Any]) -> Usage | None:
    reading = chat_stream.Reading()
    list(reading.take({"choices": [], "x_groq": {"id": "req_1", "usage": usage}}))
    return reading.usage()


def claude(usage: Mapping[str, Any]) -> Usage | None:
    """The counts as a stream gives them: most at the start, what came out at the end."""
    reading = anthropic_stream.Reading(family="f", output_kept=100)
    reading.take({"type": "message_start", "message": {"usage": {**usage, "output_tokens": 1}}})
    reading.take({"type": "message_delta", "delta": {}, "usage": {k: v for k, v in usage.items() if "output" in k}})
    return reading.usage()


def openai(usage: Mapping[str, Any]) -> Usage | None:
    reading = responses_stream.Reading(family="f", output_kept=100)
    list(reading.take({"type": "response.completed", "response": {"status": "completed", "usage": usage, "output": []}}))
    return reading.usage()


def gemini(usage: Mapping[str, Any]) -> Usage | None:
    """A stream counts in every chunk, and only the last is right."""
    reading = gemini_stream.Reading(family="f", output_kept=100)
    for counted in ({"promptTokenCount": 1, "candidatesTokenCount": 999}, usage):
        list(reading.take({"candidates": [], "usageMetadata": counted}))
    return reading.usage()


def mistral(usage: Mapping[str, Any]) -> Usage | None:
    reading = mistral_stream.Reading(output_kept=100)
    list(reading.take({"type": "conversation.response.done", "usage": usage}))
    return reading.usage()


TABLE: list[tuple[str, Callable[[Mapping[str, Any]], Usage | None], dict[str, Any], Counts]] = [
    (
        "DeepSeek",
        chat,
        {
            "prompt_tokens": 563,
            "completion_tokens": 116,
            "total_tokens": 679,
            "prompt_tokens_details": {"cached_tokens": 512},
            "completion_tokens_details": {"reasoning_tokens": 60},
            "prompt_cache_hit_tokens": 512,
            "prompt_cache_miss_tokens": 51,
        },
        (563, 116, 512, 0, 60),
    ),
    (
        "DeepSeek, its own fields only",
        chat,
        {"prompt_tokens": 563, "completion_tokens": 116, "prompt_cache_hit_tokens": 512, "prompt_cache_miss_tokens": 51},
        (563, 116, 512, 0, 0),
    ),
    (
        "OpenRouter",
        chat,
        {
            "prompt_tokens": 17,
            "completion_tokens": 2177,
            "prompt_tokens_details": {"audio_tokens": 0, "cached_tokens": 5, "cache_write_tokens": 7},
            "completion_tokens_details": {"image_tokens": 0, "reasoning_tokens": 960},
            "cost": 0.00435825,
            "is_byok": False,
        },
        (17, 2177, 5, 7, 960),
    ),
    (
        "Groq, in the last chunk",
        groq,
        {
            "prompt_tokens": 336,
            "completion_tokens": 96,
            "prompt_tokens_details": {"cached_tokens": 256},
            "completion_tokens_details": {"reasoning_tokens": 59},
            "queue_time": 0.005,
        },
        (336, 96, 256, 0, 59),
    ),
    ("Groq, without a cache", chat, {"prompt_tokens": 301, "completion_tokens": 52, "total_tokens": 353}, (301, 52, 0, 0, 0)),
    (
        "llama.cpp behind GPUStack",
        chat,
        {
            "prompt_tokens": 269,
            "completion_tokens": 137,
            "completion_tokens_details": {"accepted_prediction_tokens": 0, "reasoning_tokens": 99},
            "prompt_tokens_details": {"cached_tokens": 66},
            "draft_tokens": 0,
        },
        (269, 137, 66, 0, 99),
    ),
    (
        "Mistral",
        chat,
        {"prompt_tokens": 159, "total_tokens": 187, "completion_tokens": 28, "prompt_tokens_details": {"cached_tokens": 0}},
        (159, 28, 0, 0, 0),
    ),
    (
        "details that are null",
        chat,
        {"prompt_tokens": 3, "completion_tokens": 4, "prompt_tokens_details": None, "completion_tokens_details": None},
        (3, 4, 0, 0, 0),
    ),
    ("a count that is none", chat, {"prompt_tokens": 3, "completion_tokens": -4, "total_tokens": True}, (3, 0, 0, 0, 0)),
    (
        "OpenAI Responses",
        openai,
        {
            "input_tokens": 2772,
            "input_tokens_details": {"cached_tokens": 1024},
            "output_tokens": 1166,
            "output_tokens_details": {"reasoning_tokens": 896},
            "total_tokens": 3938,
        },
        (2772, 1166, 1024, 0, 896),
    ),
    (
        "Claude counts cached input apart",
        claude,
        {
            "input_tokens": 100,
            "cache_read_input_tokens": 30,
            "cache_creation_input_tokens": 20,
            "cache_creation": {"ephemeral_5m_input_tokens": 20, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 50,
            "output_tokens_details": {"thinking_tokens": 15},
            "server_tool_use": None,
        },
        (150, 50, 30, 20, 15),
    ),
    (
        "Gemini counts thoughts and what its tool read apart",
        gemini,
        {
            "promptTokenCount": 85,
            "candidatesTokenCount": 122,
            "thoughtsTokenCount": 87,
            "toolUsePromptTokenCount": 149,
            "cachedContentTokenCount": 40,
            "totalTokenCount": 443,
        },
        (85 + 149, 122 + 87, 40, 0, 87),
    ),
    (
        "Mistral counts what its interpreter read apart",
        mistral,
        {"prompt_tokens": 90, "completion_tokens": 30, "total_tokens": 150, "connector_tokens": 30, "connectors": {"code": 1}},
        (120, 30, 0, 0, 0),
    ),
    (
        "Mistral without its interpreter",
        mistral,
        {"prompt_tokens": 90, "completion_tokens": 30, "total_tokens": 120, "connector_tokens": None},
        (90, 30, 0, 0, 0),
    ),
]


@pytest.mark.parametrize(("read", "usage", "counts"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_tokens_are_read_by_kind(read: Callable[[Mapping[str, Any]], Usage | None], usage: dict[str, Any], counts: Counts) -> None:
    found = read(usage)
    assert found is not None
    assert (
        found.input_tokens,
        found.output_tokens,
        found.cached_tokens,
        found.cache_write_tokens,
        found.reasoning_tokens,
    ) == counts
    assert found.cost is None
    assert found.cached_tokens + found.cache_write_tokens <= found.input_tokens


@pytest.mark.parametrize("read", [chat, groq, openai, mistral])
def test_what_was_not_counted_is_no_usage(read: Callable[[Mapping[str, Any]], Usage | None]) -> None:
    assert read({}) is None
