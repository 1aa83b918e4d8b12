"""What the documents say is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from settings_page import limit_rows, sandbox_rows, with_tables

from sandloop.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]


def test_the_tables_of_settings_are_those_of_the_code() -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    assert with_tables(page) == page, "run: python tools/settings_page.py"
    assert all(row.split("|")[3].strip() for row in limit_rows()), "a limit without a word on what it bounds"
    assert all(row.split("|")[4].strip() for row in sandbox_rows()), "an option without a word on what it does"


def test_every_setting_is_on_the_page_with_its_variable() -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    for name in Settings.__dataclass_fields__:
        assert f"`{name}`" in page or f"[{name}" in page
        assert name in ("limits", "models", "prices", "sandbox") or f"`{PREFIX}{name.upper()}`" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target
