"""Texts of others in a report: every sign visible, their length bounded where they stand in the page."""

from __future__ import annotations

import pytest
from markupsafe import escape

from sandloop.events import Usage
from sandloop.report.code import code
from sandloop.report.figures import kind_of, moment, money, seconds, tokens
from sandloop.report.text import Cut, cut, short, visible, weight


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\ttext\n", "plain\ttext\n"),
        ("Käse 12 °C – 日本", "Käse 12 °C – 日本"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\x1b[31mred\x00", "\\u001b[31mred\\u0000"),
        ("a\u200bb\ufeff", "a\\u200bb\\ufeff"),
        ("lone \ud800", "lone \\ud800"),
        ("e\u0301", "e\u0301"),
        ("e" + "\u0301" * 6, "e" + "\\u0301" * 6),
    ],
)
def test_what_cannot_be_seen_or_moves_others_is_written_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@pytest.mark.parametrize("text", ["a" * 5000, '"' * 5000, "\u202e" * 5000, "é" * 5000, "line\n" * 1000, "<&>\n" * 2000])
@pytest.mark.parametrize("limit", [10, 100, 3000])
def test_a_text_takes_no_more_room_in_the_page_than_it_may(text: str, limit: int) -> None:
    found = cut(text, limit)
    assert len((str(escape(visible(found.head))) + str(escape(visible(found.tail)))).encode()) <= limit
    assert len(found.head) + len(found.tail) + found.left_out == len(text)
    assert text.startswith(found.head)
    assert text.endswith(found.tail)


def test_a_cut_text_keeps_both_ends_and_whole_lines() -> None:
    found = cut("".join(f"line {n}\n" for n in range(1000)), 200)
    assert found.head.startswith("line 0\n")
    assert found.head.endswith("\n")
    assert found.tail.startswith("line ")
    assert found.tail.endswith("line 999\n")
    assert cut("short", 100) == Cut("short")


def test_a_name_is_one_line_of_a_bounded_length() -> None:
    assert short("a\n b\tc", 10) == "a b c"
    assert short("x" * 50, 10) == "xxxxxxxxx…"
    assert len(short("x y" * 10_000_000, 10)) == 10


def test_code_has_colours_and_no_markup_of_its_own() -> None:
    html = code("import os  # <b>\nprint('</code><script>')", "python")
    assert '<span class="kn">import</span>' in html
    assert "<script" not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(("source", "language"), [("1+" * 30_000, "python"), ("x", "no such"), ("+1" * 9000, "python"), ("x", "")])
def test_code_that_colours_would_blow_up_is_plain(source: str, language: str) -> None:
    assert code(source, language) == escape(source)
    assert weight(source) == len(source)


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(None, "unknown"), (0.0, "$0"), (0.00001, "under $0.0001"), (0.0164, "$0.0164"), (12.5, "$12.50"), (1234.0, "$1,234.00")],
)
def test_an_unknown_cost_is_no_cost_of_nothing(dollars: float | None, text: str) -> None:
    assert money(dollars) == text


@pytest.mark.parametrize(("amount", "text"), [(None, ""), (0.42, "0.42 s"), (12.34, "12.3 s"), (200.0, "3 min 20 s")])
def test_times_are_as_people_read_them(amount: float | None, text: str) -> None:
    assert seconds(amount) == text


@pytest.mark.parametrize(
    ("at", "text"),
    [
        ("2026-11-27T10:15:00+00:00", "27 November 2026, 10:15 UTC"),
        ("2026-11-27T10:15:00+02:00", "27 November 2026, 08:15 UTC"),
        ("<b>", "<b>"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
    ],
)
def test_a_moment_is_a_date_in_words_and_what_is_none_stays(at: str, text: str) -> None:
    assert moment(at) == text


def test_tokens_are_told_by_kind() -> None:
    usage = Usage(model="m", input_tokens=3600, cached_tokens=2000, output_tokens=570)
    assert tokens(usage) == (("in", "3,600"), ("of them from the cache", "2,000"), ("out", "570"))


def test_an_unwieldy_type_has_the_name_people_use() -> None:
    assert kind_of("application/vnd.openxmlformats-officedocument.spreadsheetml.sheet") == "Excel workbook"
    assert kind_of("text/csv") == "text/csv"
