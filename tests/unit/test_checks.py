"""Numbers of an answer against what was seen."""

from __future__ import annotations

import time

import pytest

from sandloop.checks import unsupported


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        ("The mean is 12.4.", "12.3891"),
        ("About 12.4 % of them.", "0.12391"),
        ("12.4% of them.", "12.3891"),
        ("1,234,567 rows", "1234567"),
        ("1 234 567 rows", "1234567"),
        ("1.2 million people", "1234567"),
        ("$3.4M in sales", "3412345.07"),
        ("3,4 Mio. Euro", "3412345.07"),
        ("1,23 Millionen, 2,5 Mrd. und 12 Tsd.", "1234567 2500000000 12034"),
        ("1.2 Million, 3.1 lakh, 2.5 trillion", "1234567 312000 2500000000000"),
        ("Minus 5: -5.00", "-5"),
        ("On 2015-08-30 it was 26.11", "month 2015-08-30 26.11"),
        ("3,14 in German", "3.14159"),
        ("1.5e-3", "0.0015"),
        ("| a | 7 |\n|---|---|\n", "a 7"),
        ("## 1. Result\n1. first\n2) second\nall 26", "26"),
        ("```python\nx = 999\n```\nIt is 3.", "3"),
        ("**1. Result**\n- (2) second\n**Step 3:** third\nStep 4: all 26", "26"),
        ("the 1st and the 2nd of them", ""),
        ("am 05.03.2021", "2021-03-05"),
        ("3.4×10^6, 3.4 \\times 10^{6} and 3,4 · 10⁶", "3400000"),
        ("$1{,}234{,}567.9$", "1234567.89"),
        ("no numbers at all", ""),
        ("the model gpt4 and Q3", ""),
        ("a range of 5-7", "5 7"),
        ("0.5 rounds half up from 0.45", "0.45 0.5"),
    ],
)
def test_numbers_that_were_seen_are_no_finding(answer: str, seen: str) -> None:
    assert unsupported(answer, [seen]) == ()


@pytest.mark.parametrize(
    ("answer", "seen", "missing"),
    [
        ("The date is May 2024.", "2026-02-01", ["2024"]),
        ("The mean is 12.5.", "12.3891", ["12.5"]),
        ("42 rows and 7 columns", "(42, 8)", ["7"]),
        ("12.4 %", "12.6 0.126", ["12.4 %"]),
        ("1.3 million", "1234567", ["1.3 million"]),
        ("it was 73, then 74, then 73", "73", ["74"]),
        ("it is 99", "", ["99"]),
        ("The days:\n23.\nThat is all.", "", ["23"]),
        ("in step 7 it was the 42nd", "", ["7", "42"]),
        ("am 06.03.2021", "2021-03-05", ["06"]),
        ("3.5×10^6", "3400000", ["3.5×10^6"]),
    ],
)
def test_numbers_that_stand_nowhere_are_listed_once(answer: str, seen: str, missing: list[str]) -> None:
    assert [check.number for check in unsupported(answer, [seen])] == missing


def test_a_finding_shows_its_line_and_there_are_not_too_many() -> None:
    (check,) = unsupported("First.\nThe total was 17 km.", ["18"])
    assert check.where == "The total was 17 km."
    assert len(unsupported(" ".join(map(str, range(1000, 2000))), [])) == 50


@pytest.mark.parametrize(
    "text", ["1" * 1_000_000, "1," * 500_000, "1 " * 500_000, "```\n" * 100_000, "- " * 500_000, "1e" * 400_000]
)
def test_hostile_texts_take_no_time(text: str) -> None:
    began = time.monotonic()
    unsupported(text, [text])
    assert time.monotonic() - began < 20
