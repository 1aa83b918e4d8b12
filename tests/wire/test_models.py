"""`sandloop models`: what is there, and what the servers say when they are asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from sandloop.cli import app
from sandloop.models import checked_rows, model_rows, report
from sandloop.settings import Profile, Settings
from wire.chat_server import ChatServer

SETTINGS = Settings(
    models={"mine": Profile(provider="compatible", model="m", base_url="http://127.0.0.1:9/v1", key_variable="MINE")}
)


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.chdir(tmp_path)


def test_every_provider_and_profile_has_a_row_and_no_key_is_shown() -> None:
    rows = {
        row.name: row
        for row in model_rows(SETTINGS, {"ANTHROPIC_API_KEY": "sk-secret", "MINE": "also-secret", "SANDLOOP_KEYS": "off"})
    }

    assert {"claude", "openai", "gemini", "mistral", "deepseek", "openrouter", "ollama", "local", "replay", "mine"} <= set(rows)
    assert (rows["claude"].key, rows["openai"].key, rows["ollama"].key, rows["mine"].key) == ("set", "missing", "not needed", "set")
    assert rows["claude"].native
    assert not rows["deepseek"].native
    for width in (60, 200):
        text = report(list(rows.values()), width=width)
        assert "secret" not in text
        assert all(len(line) <= width for line in text.splitlines())


async def test_only_servers_with_a_key_are_asked_and_their_answer_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer(models=("one", "two", "three", "four")) as server:
        models = {
            "up": Profile(provider="compatible", base_url=server.url),
            "down": Profile(provider="compatible", base_url="http://127.0.0.1:9/v1"),
            "keyless": Profile(provider="openai", base_url=server.url, key_variable="NOT_SET"),
        }
        settings = Settings(models=models)
        rows = [row for row in model_rows(settings, {"SANDLOOP_KEYS": "off"}) if row.name in models]
        found = {row.name: row for row in await checked_rows(rows, settings)}

    assert (found["up"].works, found["up"].check) == (True, "answers: one, two, three and 1 more")
    assert found["down"].works is False
    assert "can't be reached" in found["down"].check
    assert found["keyless"].works is None


def test_the_command_prints_rows_as_json() -> None:
    ran = CliRunner().invoke(app, ["models", "--json"])
    assert ran.exit_code == 0
    assert {row["name"] for row in json.loads(ran.stdout)} > {"claude", "openai"}
