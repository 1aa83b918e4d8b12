"""Whether answers agree: their numbers, dates and words, side by side."""

from __future__ import annotations

import time
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agreement_cases import ADELIE_TABLE, CASES
from sandloop.comparing.groups import grouped, relation
from sandloop.comparing.inside.close import TOLERANCE
from sandloop.comparing.numbers import aligned, shown_rows
from sandloop.comparing.stated import stated
from sandloop.comparing.words import shown_words, word_row


def agree(answers: list[str], question: str = "", tolerance: float = TOLERANCE) -> bool | None:
    numbers, words = aligned(answers, question, tolerance), word_row(answers, question)
    pairs = relation(numbers, words, [], tolerance)
    return all(pairs.values()) if pairs else None


@pytest.mark.parametrize(
    ("one", "other", "wanted", "question"),
    [pytest.param(*case, id=f"{kind}-{i}") for kind, cases in CASES.items() for i, case in enumerate(cases)],
)
def test_two_answers_agree_or_do_not_in_whichever_order_they_come(one: str, other: str, wanted: bool | None, question: str) -> None:
    assert agree([one, other], question) is wanted
    assert agree([other, one], question) is wanted


@pytest.mark.parametrize(
    "text", sorted({text for cases in CASES.values() for case in cases for text in case[:2] if stated(case[0])})
)
def test_an_answer_agrees_with_itself(text: str) -> None:
    assert agree([text, text]) is not False


def test_the_tolerance_is_relative_and_can_be_none() -> None:
    assert agree(["16.44", "16.45"], tolerance=0.0) is False
    assert agree(["16.44", "16.45"], tolerance=0.01) is True
    assert agree(["100 g", "101 g"], tolerance=0.01) is True
    assert agree(["100 g", "102 g"], tolerance=0.01) is False


def test_whole_numbers_without_a_unit_are_counts_and_must_be_equal() -> None:
    assert agree(["1461", "1460"], tolerance=0.01) is False


def test_rows_say_what_a_number_is_of_who_says_what_and_who_differs() -> None:
    answers = [ADELIE_TABLE, "Adelie: 3.7 kg, Gentoo: 5.1 kg", "Gentoo 5076.0 g and Adelie 3900 g"]
    rows = shown_rows(aligned(answers, "", TOLERANCE), 3, TOLERANCE)
    assert [(row.what, row.unit, row.values, row.differs) for row in rows] == [
        ("Adelie, mean", "g", ("3700.66", "3.7 kg", "3900 g"), (False, False, True)),
        ("Gentoo, mean", "g", ("5076.02", "5.1 kg", "5076.0 g"), (False, False, False)),
    ]


def test_where_no_value_is_said_by_most_all_of_them_differ() -> None:
    (row,) = shown_rows(aligned(["1.5", "2.5"], "", TOLERANCE), 2, TOLERANCE)
    assert row.differs == (True, True)
    words = word_row(["August", "July"], "Which month?")
    assert words is not None
    assert shown_words(words, 2).differs == (True, True)


def test_an_answer_that_is_missing_has_no_value() -> None:
    (row,) = shown_rows(aligned(["1.5", None, "1.5"], "", TOLERANCE), 3, TOLERANCE)
    assert row.values == ("1.5", None, "1.5")


def test_the_largest_group_comes_first_and_one_that_nothing_connects_is_alone() -> None:
    answers = ["11.9 %", "12.4 %", "0.124", "12.40 percent", "It rains."]
    pairs = relation(aligned(answers, "", TOLERANCE), None, [], TOLERANCE)
    assert grouped(range(5), pairs) == [[1, 2, 3], [0], [4]]


def test_who_agrees_in_a_number_and_differs_in_a_table_does_not_agree() -> None:
    numbers = aligned(["12.4", "12.4", "12.4"], "", TOLERANCE)
    pairs = relation(numbers, None, [[[0, 2], [1]]], TOLERANCE)
    assert grouped(range(3), pairs) == [[0, 2], [1]]


REPEATED = [
    "1", "1,", "1 ", "a: 1, ", "|1", "| a | 1 |\n", "```\n", "**1**", "`1`", "$1", "\\[1\\]", "(", "2014-08-11 ", "August ",
    "August 5 ", "1 km/h ", "1e", "-", " ", "\n", "1 x 10^", "12:30:", "_", '"', "\0 1", "1: ", "a", "#", "\\boxed{", "٣٫٥ ",
    "𝟙", "|-", "1.", "~", "A: 1.5; ",
]  # fmt: skip
HOSTILE = [*(text * (1_000_000 // len(text)) for text in REPEATED), "|" + "-" * 1_000_000 + "x|\n|", "\ud800 1"]


@pytest.mark.parametrize("text", HOSTILE, ids=[repr(text[:8]) for text in HOSTILE])
def test_hostile_answers_of_a_megabyte_take_seconds_and_raise_nothing(text: str) -> None:
    began = time.process_time()
    agree([text, text[::-1]], text[:10_000])
    assert time.process_time() - began < 10


PIECES = st.sampled_from(
    [
        *"0123456789.,-−+%$€|:;()*`#\n ",
        "mean",
        "of",
        "A",
        "B",
        "°C",
        "kg",
        "k",
        "M",
        "2014",
        "August",
        "8",
        "| a | 1 |\n",
        "\\(",
        "e5",
        "%",
    ]
)


@settings(deadline=None)
@given(st.lists(st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=40), min_size=2, max_size=3), st.text(max_size=20))
def test_nothing_that_answers_say_raises_and_the_rows_fit_the_answers(answers: list[str], question: str) -> None:
    rows = aligned(answers, question, TOLERANCE)
    words = word_row(answers, question)
    pairs = relation(rows, words, [], TOLERANCE)
    groups = grouped(range(len(answers)), pairs)
    assert sorted(at for group in groups for at in group) == list(range(len(answers)))
    assert all(pairs.get(pair) is not False for group in groups for pair in combinations(sorted(group), 2))
    assert all(len(row.values) == len(row.differs) == len(answers) for row in shown_rows(rows, len(answers), TOLERANCE))
