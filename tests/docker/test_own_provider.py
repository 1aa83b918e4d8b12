"""The worked example of docs/providers.md: a provider of one's own, found by its entry point."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from docker_runs import SMALL
from sandloop import analyze, plugins
from sandloop.models import model_rows
from sandloop.settings import Settings
from sandloop_sandbox.engine import Engine

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: Engine) -> Iterator[None]:
    """As after `pip install` of a package with this file and this entry point."""
    about = tmp_path / "own_provider-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: own-provider\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[sandloop.providers]\ncounting = own_provider:counting\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), str(EXAMPLES), *sys.path])
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.chdir(tmp_path)
    importlib.invalidate_caches()
    plugins.named.cache_clear()
    yield
    plugins.named.cache_clear()
    sys.modules.pop("own_provider", None)


@pytest.mark.usefixtures("installed")
def test_a_provider_of_ones_own_answers_from_what_its_code_printed(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n2\n")
    result = analyze("How many lines?", [tmp_path / "a.csv"], settings=Settings(model="counting", limits=SMALL))

    assert result.text == "The files have this many lines:\na.csv 3"
    assert result.route is not None
    assert result.route.reason == "a provider of one's own"
    assert any(row.name == "counting" and row.title == "Counting" for row in model_rows(Settings(), {}))
