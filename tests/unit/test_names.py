"""Names that strangers chose: safe on any disk, shown without tricks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandloop.names import MAX_BYTES, clean_component, clean_path, without_collision
from sandloop.printable import printable


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("sales.csv", "sales.csv"),
        ("Umsätze 2024.xlsx", "Umsätze 2024.xlsx"),
        ("東京.csv", "東京.csv"),
        ("../../etc/passwd", "__.._etc_passwd"),
        ("a\nb.csv", "a_b.csv"),
        ("-rf", "rf"),
        ("~root", "root"),
        (".bashrc", "_bashrc"),
        ("con.txt", "_con.txt"),
        ("COM1", "_COM1"),
        ("name. ", "name"),
        ("a\u202egpj.exe", "a_gpj.exe"),
        ("a\u200bb", "a_b"),
        ("", "unnamed"),
        ("...", "unnamed"),
        ("\ud800.csv", "_.csv"),
        ('a<b>:"c"|d?*', "a_b___c__d__"),
    ],
)
def test_clean_component(name: str, clean: str) -> None:
    assert clean_component(name) == clean


@given(st.text())
def test_a_clean_component_is_one_safe_part_and_stays_as_it_is(name: str) -> None:
    clean = clean_component(name)
    assert clean
    assert not set(clean) & set('/\\:*?"<>|\0\n\r')
    assert clean not in (".", "..")
    assert not clean.startswith((".", "-", "~", " "))
    assert len(clean.encode()) <= MAX_BYTES
    assert clean_component(clean) == clean


@given(st.text())
def test_a_clean_path_never_climbs(name: str) -> None:
    parts = clean_path(name).split("/")
    assert all(parts)
    assert ".." not in parts
    assert not clean_path(name).startswith("/")


def test_a_long_name_keeps_its_suffix() -> None:
    clean = clean_component("x" * 500 + ".csv")
    assert clean.endswith(".csv")
    assert len(clean.encode()) <= MAX_BYTES


def test_collisions_are_numbered_without_regard_to_case() -> None:
    assert without_collision("A.csv", {"a.csv", "a-2.csv"}) == "A-3.csv"


@pytest.mark.parametrize("hidden", ["\x1b[2J", "\x07", "\u202e", "\u200b", "\x9b31m", "\x00", "\u2028"])
def test_nothing_printable_moves_the_cursor_or_hides(hidden: str) -> None:
    shown = printable(f"a{hidden}b")
    assert all(c.isprintable() for c in shown)
    assert shown.startswith("a\\u")


def test_newlines_tabs_and_letters_stay() -> None:
    assert printable("a\tb\nñ 東京\r\nx") == "a\tb\nñ 東京\nx"
