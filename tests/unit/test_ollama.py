"""When a conversation was cut by a server that does not say so."""

from __future__ import annotations

from typing import Any

import pytest

from sandloop_providers.ollama import Watch, chars_of, context_in, room, was_cut

Before = list[tuple[int, int]]


@pytest.mark.parametrize(
    ("why", "chars", "counted", "context", "before", "cut"),
    [
        ("all of it was counted", 40_000, 10_000, None, [], False),
        ("a dense table has three characters a token", 30_000, 10_000, None, [], False),
        ("long words and blanks have six", 24_000, 4_000, None, [], False),
        ("exactly at a usual context", 40_000, 4_096, None, [], True),
        ("a little under one", 40_000, 4_010, None, [], True),
        ("at half as much again", 60_000, 6_144, None, [], True),
        ("far below, at no ceiling, and nothing to compare with", 40_000, 2_400, None, [], False),
        ("the conversation grew and the count did not", 60_000, 2_400, None, [(12_000, 2_500)], True),
        ("it stands still while nothing grew", 40_000, 2_400, None, [(39_000, 2_400)], False),
        ("only what was new was counted", 60_000, 200, None, [(40_000, 10_000)], False),
        ("an earlier request was not counted", 60_000, 200, None, [(4_000, 0)], False),
        ("at the context that the server told", 20_000, 4_090, 4_096, [], True),
        ("near its context, and all of it there", 14_000, 4_000, 4_096, [], False),
        ("old messages were dropped until it fitted", 40_000, 2_500, 4_096, [], True),
        ("far below, and far from the context", 40_000, 2_500, 32_768, [], False),
        ("a short question", 2_000, 500, None, [], False),
    ],
)
def test_a_cut_is_seen_from_the_count(why: str, chars: int, counted: int, context: int | None, before: Before, cut: bool) -> None:
    assert was_cut(chars, counted, context, before) is cut, why


def test_it_is_told_once_and_says_what_to_do() -> None:
    watch = Watch()
    assert watch.cut(2_000, 500) is None
    said = watch.cut(40_000, 4_096)
    assert said is not None
    assert "4,096 tokens" in said
    assert "OLLAMA_CONTEXT_LENGTH" in said
    assert "context_tokens" in said
    assert watch.cut(80_000, 4_096) is None
    assert Watch().cut(40_000, 0) is None  # the server did not count


@pytest.mark.parametrize(
    ("answer", "context"),
    [
        ({"models": [{"name": "m:latest", "context_length": 4096}]}, 4096),
        ({"models": [{"name": "m", "context_length": 8192}]}, 8192),
        ({"models": [{"name": "other", "context_length": 1024}, {"model": "m:latest", "context_length": 4096}]}, 4096),
        ({"models": [{"name": "m:7b", "context_length": 4096}]}, None),
        ({"models": [{"name": "m", "context_length": "4096"}]}, None),
        ({"models": [{"name": "m", "context_length": True}]}, None),
        ({"models": [{"name": "m", "context_length": 3}]}, None),
        ({"models": [{"name": "m"}]}, None),
        ({"models": [3, None]}, None),
        ({"models": {}}, None),
        ([], None),
        (None, None),
    ],
)
def test_the_context_of_a_loaded_model_is_read(answer: object, context: int | None) -> None:
    assert context_in(answer, "m") == context


def test_there_is_room_beside_the_rules_and_a_reply() -> None:
    assert room(4096) == 4096 - 1024 - 500
    assert room(512) == 256


def test_characters_are_those_of_text_and_calls_and_none_of_pictures() -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:" + "A" * 9_999}}
    messages: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "12345"}, picture]},
        {"role": "assistant", "content": "12", "tool_calls": [{"function": {"arguments": "123"}}]},
        {"role": "tool", "content": "1"},
    ]
    assert chars_of(messages) == 11
