"""Recorded answers of the real API, replayed through the real SDK. The recordings stand beside the checkout, not in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandloop.events import CodeDelta, CodeRan, CodeWritten, FileMade, Noted, ReplyEnded, Text, Thinking, Usage
from sandloop_providers.anthropic_blocks import outputs_of
from wire.anthropic_script import Events, Json, recorded_stream
from wire.anthropic_server import AnthropicServer
from wire.anthropic_state import StoredFile
from wire.anthropic_talk import Talk, only

CASSETTES = Path(__file__).parents[3] / "shared/cassettes/anthropic"
FILES = sorted(p for p in CASSETTES.rglob("*") if p.is_file())


class Recording:
    """One recorded answer as stream events, its blocks, and the request it answered where that was recorded."""

    def __init__(self, path: Path) -> None:
        self.request: Json | None = None
        self.events: list[Json] = []
        self.uploads: list[str] = []
        self.deletions: list[str] = []
        match path.suffix:
            case ".json":
                self.events = recorded_stream(json.loads(path.read_text()))
            case ".txt":
                self.events = [json.loads(line) for line in path.read_text().splitlines() if line.strip()]
            case ".yaml":
                for interaction in yaml.safe_load(path.read_text())["interactions"]:
                    self._take(interaction["request"], interaction["response"])
            case _:
                for one in yaml.safe_load(path.read_text())["http_interactions"]:
                    self.request = json.loads(one["request"]["body"]["string"])
                    self.events = recorded_stream(json.loads(one["response"]["body"]["string"]))

    def _take(self, request: Json, response: Json) -> None:
        if request["method"] == "DELETE":
            self.deletions.append(response["parsed_body"]["id"])
        elif "/v1/files" in request["uri"]:
            self.uploads.append(response["parsed_body"]["id"])
        else:
            self.request = request["parsed_body"]
            answer = response.get("parsed_body")
            self.events = recorded_stream(answer) if answer else list(_sse(response["body"]["string"]))

    @property
    def results(self) -> list[Json]:
        """The result blocks, which come whole in their start."""
        blocks = [e["content_block"] for e in self.events if e["type"] == "content_block_start"]
        return [b for b in blocks if b["type"].endswith("_tool_result")]

    @property
    def file_ids(self) -> list[str]:
        """The made files that the results name."""
        return [o.file_id for r in self.results for o in outputs_of(r)]


def _sse(body: str) -> Iterator[Json]:
    for line in body.splitlines():
        if line.startswith("data:"):
            yield json.loads(line[5:])


@pytest.mark.skipif(not FILES, reason=f"no recordings at {CASSETTES}")
@pytest.mark.parametrize("path", FILES or [CASSETTES], ids=lambda p: p.stem[:60])
async def test_a_recorded_answer_is_read_whole(path: Path, tmp_path: Path) -> None:
    recording = Recording(path)
    with AnthropicServer([Events(recording.events)]) as server:
        for file_id in recording.file_ids:
            server.store(StoredFile(f"{file_id}.bin", "application/octet-stream", file_id.encode(), downloadable=True), file_id)
        async with Talk(server, tmp_path) as talk:
            talk.ask("As recorded")
            events = await talk.reply()

    ended, ran = only(events, ReplyEnded)[-1], only(events, CodeRan)
    blocks: list[Json] = json.loads(ended.wire or "")
    assert len(blocks) == sum(e["type"] == "content_block_start" for e in recording.events)
    assert [r for r in blocks if r["type"].endswith("_tool_result")] == recording.results
    calls = {b["id"]: b for b in blocks if b["type"] == "server_tool_use"}
    assert [e.code_id for e in only(events, CodeWritten)] == list(calls)
    assert all(e.source.strip() for e in only(events, CodeWritten))
    assert [e.code_id for e in ran] == [r["tool_use_id"] for r in recording.results]
    for event, block in zip(ran, recording.results, strict=True):
        _same(event, block["content"])
    made = only(events, FileMade)
    assert [f.name for f in made] == [f"{i}.bin" for i in recording.file_ids]
    assert [talk.store.path(f.sha256).read_bytes() for f in made] == [i.encode() for i in recording.file_ids]
    assert only(events, Noted) == []
    assert server.files == {}
    said = [b["text"] for b in blocks if b["type"] == "text"]
    assert "".join(e.text for e in only(events, Text)) == "".join(said)
    assert "".join(e.text for e in only(events, Thinking)) == "".join(b["thinking"] for b in blocks if b["type"] == "thinking")
    assert ended.container
    assert ended.stop == "end"
    (usage,) = only(events, Usage)
    assert usage.input_tokens > 0
    assert usage.output_tokens > 0
    assert usage.cost is not None


def _same(event: CodeRan, content: Json) -> None:
    """A result as an event says what the recorded block says."""
    if "error_code" in content:
        assert event.stopped_by == "provider"
        assert event.stderr.startswith(f"{content['error_code']}: ")
    elif "return_code" in content:
        assert (event.stdout, event.stderr, event.exit_code) == (content["stdout"], content["stderr"], content["return_code"])
        assert event.ok is (content["return_code"] == 0)
    else:
        assert event.ok


@pytest.mark.skipif(not FILES, reason=f"no recordings at {CASSETTES}")
@pytest.mark.parametrize("path", [p for p in FILES if p.suffix in (".yaml", ".yml")] or [CASSETTES], ids=lambda p: p.stem[:60])
async def test_our_request_has_the_shape_of_the_recorded_one(path: Path, tmp_path: Path) -> None:
    recording = Recording(path)
    recorded = recording.request
    assert recorded is not None
    with AnthropicServer([Events(recording.events)]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("As recorded", **({"data_csv": b"item,value\n"} if recording.uploads else {}))
            await talk.reply()

    (ours,) = server.replies_asked
    assert _shape(ours["messages"]) == _shape(recorded["messages"])
    assert [t["name"] for t in ours["tools"]] == [t["name"] for t in recorded["tools"]]
    assert recorded["tools"][0]["type"] <= ours["tools"][0]["type"]
    assert len(server.asked("POST", "/v1/files")) == len(recording.uploads)
    assert len(server.deleted) == len(recording.deletions)


def _shape(messages: list[dict[str, Any]]) -> list[tuple[str, list[list[str]]]]:
    return [(m["role"], [sorted(block) for block in m["content"]]) for m in messages]


@pytest.mark.skipif(not FILES, reason=f"no recordings at {CASSETTES}")
async def test_the_code_of_a_recorded_stream_is_shown_as_it_is_written(tmp_path: Path) -> None:
    path = next(p for p in FILES if p.suffix == ".txt")
    with AnthropicServer([Events(Recording(path).events)]) as server:
        async with Talk(server, tmp_path) as talk:
            talk.ask("As recorded")
            events = await talk.reply()

    written = only(events, CodeWritten)
    shown = "".join(e.text for e in only(events, CodeDelta))
    first, *rest = written
    assert shown == first.source.partition("\n")[2] + "".join(e.source for e in rest)
    assert len(only(events, CodeDelta)) > 100
