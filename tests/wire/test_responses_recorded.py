"""Recorded traffic of OpenAI's interpreter, read as it stands."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandloop.events import CodeRan, CodeWritten, Event, Text
from sandloop_providers.responses_stream import Reading
from sandloop_providers.responses_wire import NATIVE, native_input

ROOT = Path(__file__).parents[3] / "shared/cassettes/openai"


def events(text: str) -> Iterator[Any]:
    """The payloads of a recorded stream."""
    for line in text.splitlines():
        if line.startswith("data: ") and line != "data: [DONE]":
            yield json.loads(line.removeprefix("data: "))


def read(*wire: Any) -> tuple[Reading, list[Event]]:
    reading = Reading(family=NATIVE, output_kept=200_000)
    return reading, [event for one in wire for event in reading.take(one)]


def recorded(name: str) -> Path:
    if not (path := ROOT / name).is_file():
        pytest.skip(f"no recordings at {ROOT}")
    return path


def test_a_recorded_analysis_of_a_file() -> None:
    cassette = yaml.safe_load(recorded("pydantic-ai/test_openai_code_execution_files.yaml").read_text())
    body = next(i["response"]["parsed_body"] for i in cassette["interactions"] if i["request"]["uri"].endswith("/responses"))
    reading, found = read(body)

    written = [e for e in found if isinstance(e, CodeWritten)]
    assert written
    assert all("/mnt/data/" in w.source or w.source for w in written)
    assert "100" in reading.ended(container=None).text
    assert reading.container.startswith("cntr_")
    assert reading.usage() is not None


def test_a_recorded_exception_is_unknown_and_the_made_file_is_cited() -> None:
    body = json.loads(recorded("vercel-ai/openai-code-interpreter-tool.1.json").read_text())
    reading, found = read(body)

    assert [e.outcome for e in found if isinstance(e, CodeRan)] == ["known", "unknown", "known"]
    assert [c.name for c in reading.cited] == ["two_dice_sums_10000.txt"]
    assert "70024" in reading.ended(container=None).text


def test_a_recorded_stream_with_a_picture() -> None:
    cassette = yaml.safe_load(recorded("pydantic-ai/test_openai_responses_code_execution_return_image_stream.yaml").read_text())
    (interaction,) = cassette["interactions"]
    reading, found = read(*events(interaction["response"]["body"]["string"]))

    assert reading.over
    assert sum(isinstance(e, CodeWritten) for e in found) == sum(isinstance(e, CodeRan) for e in found) == 1
    (picture,) = reading.pictures
    assert picture.data.startswith(b"\x89PNG")
    streamed = "".join(e.text for e in found if isinstance(e, Text))
    assert streamed == reading.ended(container=None).text
    assert reading.cited


def test_recorded_items_go_back_as_they_came_but_for_pictures() -> None:
    from sandloop.conversation import Said

    cassette = yaml.safe_load(recorded("pydantic-ai/test_openai_responses_code_execution_return_image_stream.yaml").read_text())
    reading, _ = read(*events(cassette["interactions"][0]["response"]["body"]["string"]))
    ended = reading.ended(container=None)
    said = Said(text=ended.text, narrated=ended.text, family=ended.family, wire=ended.wire)
    back = native_input([said], live=reading.container, encrypted=True)

    assert [i["type"] for i in back if i["type"] != "reasoning"] == [i["type"] for i in reading.items if i["type"] != "reasoning"]
    assert "base64" not in json.dumps(back)
