"""`make demo-compare`: the report of one question side by side, honest about what is scripted, opened as a person would."""

from __future__ import annotations

import os
from pathlib import Path

import demo_compare
import pytest
from demo import EXAMPLES

from opened_pages import Open
from sandloop.errors import EngineUnavailable
from sandloop_sandbox.engine import engine as find_engine
from wire.families import FAMILIES

SHOWN = ("claude-native", "gemini-native", "deepseek-local")


def no_weights(weights: object, folder: Path) -> None:
    """As on a machine that has none."""


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        find_engine()
    except EngineUnavailable as error:
        if os.environ.get("SANDLOOP_REQUIRE_DOCKER") == "1":
            raise
        pytest.skip(f"needs a Docker engine: {error}")
    for name in ("SANDLOOP_CONFIG", "KEY_OF_TEST"):
        monkeypatch.setenv(name, "set back after the test")
    monkeypatch.setattr(demo_compare, "FAMILIES", [f for f in FAMILIES if f.name in SHOWN])
    monkeypatch.setattr(demo_compare, "kept", no_weights)


def test_the_report_shows_all_columns_and_what_is_scripted(
    open_page: Open, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo_compare.main([str(tmp_path / "out")]) == 0
    told = capsys.readouterr().out
    assert "No provider is asked." in told
    assert "scripted-gemini-native: a script answered over its wire; its output is the script's; wrong on purpose" in told
    assert "scripted-deepseek-local: a script answered over its wire; its code ran in the sandbox" in told
    assert "recorded: the embedded model's words of 2026-11-24; its code ran again now" in told
    assert "embedded: not asked: its weights are not on this machine" in told
    assert "3 of 4 agree" in told
    report = Path(told.splitlines()[-1].removeprefix("report: "))

    opened = open_page(report.read_text("utf-8"), width=1280)
    assert opened.page.locator("article h3").all_inner_texts() == ["recorded", *(f"scripted-{name}" for name in SHOWN)]
    assert "3 of 4 agree" in opened.page.locator(".verdict").inner_text()
    assert "July" in opened.page.locator("td.differs").first.inner_text()
    assert opened.page.locator("#files img").count() == 2  # the recorded chart and that of the local script, made just now
    assert (opened.said, opened.asked, opened.dialogs) == ([], [], [])


def test_one_that_fails_is_said_and_fails_the_whole(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(demo_compare, "SCRIPTS", {"claude-native": list})
    assert demo_compare.main([str(tmp_path / "out")]) == 1
    assert "scripted-claude-native failed: " in capsys.readouterr().out


def test_the_scripts_that_are_right_say_what_the_data_says() -> None:
    rows = [line.split(",") for line in (EXAMPLES / demo_compare.FILE).read_text().splitlines()[1:]]
    months = [[float(row[2]) for row in rows if int(row[0][5:7]) == month] for month in range(1, 13)]
    means = [sum(values) / len(values) for values in months]
    assert [f"{mean:.2f}" for mean in means] == demo_compare.MEANS.split()
    assert f"{max(means):.2f}" in demo_compare.RIGHT
    assert demo_compare.ODD in SHOWN
