"""What the documents say is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from settings_page import TABLES_OF_THE_PAGE, with_tables

from sandloop.prices import Price
from sandloop.settings import Profile
from sandloop.settings.places import SETTABLE, variable_of

ROOT = Path(__file__).parents[2]
INTERNAL = {"SANDLOOP_CANARY"}
"""Set and read by the proofs of the sandbox."""
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "examples").rglob("*.md")),
]


def test_the_tables_of_settings_are_those_of_the_code() -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    assert with_tables(page) == page, "run: python tools/settings_page.py"


@pytest.mark.parametrize("name", TABLES_OF_THE_PAGE)
def test_every_row_of_the_tables_says_what_it_is(name: str) -> None:
    heads, rows = TABLES_OF_THE_PAGE[name]
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows()]
    assert cells
    assert all(len(row) == len(heads) for row in cells), "a bar in a text breaks its table"
    assert all(row[0] and row[-1] for row in cells), "without a word on what it does"


def test_every_setting_is_on_the_page_with_its_variable() -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    for place in SETTABLE:
        assert f"| `{place[-1]}` | `{variable_of(place)}` |" in page
    for cls in (Profile, Price):
        assert all(f"| `{name}` |" in page for name in cls.__dataclass_fields__)


def test_every_variable_that_the_code_reads_is_on_the_page() -> None:
    page = (ROOT / "docs/settings.md").read_text("utf-8")
    ours = [path for part in ("core", "providers", "sandbox") for path in (ROOT / part).rglob("*.py")]
    read = {name for path in ours for name in re.findall(r"\"(SANDLOOP_[A-Z_]*[A-Z])\"", path.read_text("utf-8"))}
    assert {"SANDLOOP_KEYS", "SANDLOOP_DEBUG"} <= read
    assert [name for name in sorted(read - INTERNAL) if f"`{name}`" not in page] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target
