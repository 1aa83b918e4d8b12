"""Recorded traffic of Gemini's code execution, read as it stands."""

from __future__ import annotations

import base64
import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandloop.checks import unsupported
from sandloop.events import CodeRan, CodeWritten, Event
from sandloop_providers.gemini_stream import Reading
from sandloop_providers.gemini_wire import NATIVE
from sandloop_providers.plain_http import retry_delay

ROOT = Path(__file__).parents[3] / "shared/cassettes/gemini"


def recorded(name: str) -> Any:
    if not (path := ROOT / name).is_file():
        pytest.skip(f"no recordings at {ROOT}")
    return yaml.safe_load(path.read_text())


def read(body: Any) -> tuple[Reading, list[Event]]:
    reading = Reading(family=NATIVE, output_kept=200_000)
    return reading, list(reading.take(body))


def test_recorded_code_and_the_answer_that_it_disproves() -> None:
    bodies = [i["response"]["parsed_body"] for i in recorded("pydantic-ai/test_code_execution.yaml")["interactions"]]
    first, found = read(bodies[0])

    written, ran = ([e for e in found if isinstance(e, kind)] for kind in (CodeWritten, CodeRan))
    assert [e.code_id for e in written] == [e.code_id for e in ran]
    assert all(isinstance(e, CodeRan) and e.exit_code == 0 and "2026" in e.stdout for e in ran)
    contradicted = [
        unsupported(read(body)[0].ended().text, [e.stdout for e in read(body)[1] if isinstance(e, CodeRan)]) for body in bodies
    ]
    assert any(check.number == "2024" for checks in contradicted for check in checks)
    assert json.loads(first.ended().wire or "") == bodies[0]["candidates"][0]["content"]["parts"]


def test_a_recorded_product() -> None:
    name = "chat_code_execution_with_gemini_gemini-3_5-flash_runs_code_server-side_and_replays_the_turn.yml"
    cassette = recorded(f"ruby_llm/{name}")
    body = cassette["http_interactions"][0]["response"]["body"]["string"]
    raw = body if isinstance(body, bytes) else body.encode()
    plain = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    reading, found = read(json.loads(plain if plain.lstrip()[:1] == b"{" else base64.b64decode(plain)))

    assert [e.stdout for e in found if isinstance(e, CodeRan)] == ["result=121932631112635269\n"]
    usage = reading.usage()
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.reasoning_tokens) == (85 + 149, 122 + 87, 87)


def test_a_recorded_refusal_says_when_to_come_back() -> None:
    if not (path := ROOT / "vercel-ai/google-429-retry-info.json").is_file():
        pytest.skip(f"no recordings at {ROOT}")
    assert retry_delay(json.loads(path.read_text())) == 34.4
