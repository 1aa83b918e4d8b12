"""`make demo-providers`: one table of what each did, honest about what is scripted."""

from __future__ import annotations

from pathlib import Path

import demo_providers
import pytest

from sandloop_sandbox.engine import Engine
from wire.families import FAMILIES

SHOWN = ("claude-native", "claude-local", "gemini-native", "mistral-native", "deepseek-local")


def no_weights(weights: object, folder: Path) -> None:
    """As on a machine that has none."""


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch, engine: Engine) -> None:
    for name in ("SANDLOOP_CONFIG", "KEY_OF_TEST"):
        monkeypatch.setenv(name, "set back after the test")
    monkeypatch.setattr(demo_providers, "FAMILIES", [f for f in FAMILIES if f.name in SHOWN])
    monkeypatch.setattr(demo_providers, "kept", no_weights)


def test_the_table_says_what_each_did_and_what_is_scripted(capsys: pytest.CaptureFixture[str]) -> None:
    before = Path.cwd()
    assert demo_providers.main() == 0
    told = capsys.readouterr().out

    assert "no provider was asked" in told
    assert "the script's" in told
    rows = [line.split() for line in told.splitlines() if demo_providers.ANSWER in line]
    assert [row[:4] for row in rows] == [
        ["claude", "native", "1", "16.439"],
        ["claude", "local", "1", "16.439"],
        ["gemini", "native", "1", "16.439"],
        ["mistral", "native", "1", "16.439"],
        ["deepseek", "local", "1", "16.439"],
    ]
    assert ["mean.csv" in row for row in rows] == [True, True, False, False, True]
    why = next(line for line in told.splitlines() if line.startswith("deepseek (local): "))
    assert why.endswith("runs no code itself")
    assert "embedded model: not run: its weights are not on this machine" in told
    assert Path.cwd() == before


def test_one_that_fails_is_said_and_fails_the_whole(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_providers, "SCRIPTS", {"claude-native": list})
    assert demo_providers.main() == 1
    assert "claude: failed: " in capsys.readouterr().out


def test_every_wire_family_has_its_native_and_its_local_row() -> None:
    assert set(demo_providers.SCRIPTS) <= {f.name for f in FAMILIES}
    assert {f.name for f in FAMILIES if f.route == "native"} <= set(demo_providers.SCRIPTS)
