"""What is expected of an answer, held against answers as models write them."""

from __future__ import annotations

import time

import pytest

from sandloop.events import CodeRan
from sandloop.suite import Expectation
from sandloop.suite.matching import Match, search
from sandloop.suite.model import Kind
from sandloop.suite.numbers import stated
from sandloop.suite.outcome import Outcome
from sandloop.suite.plain import judge_plain
from sandloop.suite.sandboxed import read_told


def judged(
    kind: Kind, of: str | tuple[str, ...], answer: str, *, tolerance: float | None = None, files: tuple[str, ...] = ()
) -> Outcome:
    expectation = Expectation(kind=kind, of=(of,) if isinstance(of, str) else of, tolerance=tolerance)
    outcome = judge_plain(expectation, answer, files, search)
    assert outcome is not None
    return outcome


@pytest.mark.parametrize(
    ("number", "tolerance", "answer", "passed"),
    [
        ("35.6", 0.01, "The highest was 35.6 °C on 2014-08-11.", True),
        ("35.6", 0.01, "The highest was **35.60**°C.", True),
        ("35.6", 0.01, "It was 35.7.", False),
        ("35.6", 0.1, "It was 35.7.", True),
        ("344", 0, "There are 344 penguins.", True),
        ("344", 0, "There are 343.9 penguins.", False),
        ("1232.8", 0.5, "In 2014 it was 1,232.8 mm.", True),
        ("1232.8", 0.5, "In 2014 waren es 1.232,8 mm.", True),
        ("1232.8", 0.5, "In 2014 it was 1 232,8 mm.", True),
        ("1461", 0, "1,461 rows", True),
        ("0.871", 0.005, "r ≈ 0.87", True),
        ("0.871", 0.005, "They correlate at 87.1 %.", True),
        ("12.4", 0.05, "12.4%", True),
        ("1200000", 1, "about 1.2 million", True),
        ("1200000", 1, "rund 1,2 Millionen", True),
        ("1200000", 1, "1.2 × 10⁶", True),
        ("10", 0.01, "10,000", False),
        ("7", 0.01, "Step 7: it is 8", False),
        ("-3.2", 0.01, "It fell to −3.2 °C.", True),
        ("-3.2", 0.01, "It rose to 3.2 °C.", False),
        ("2015", 0, "From 2012-2015.", True),
        ("1e-7", None, "p = 1.0e-7", True),
        ("16.439", None, "16.439", True),
        ("16.439", None, "16.44", False),
        ("1", 0, "1. Gentoo: 124\n2. Adelie: 152", False),
        ("124", 0, "1. Gentoo: 124\n2. Adelie: 152", True),
        ("4", 0, "4.", True),
        ("5", 0, "five", False),
        ("5", 0, "", False),
        ("5", 0, "A5 and v5.2.1", False),
        ("5", 0, "9" * 400, False),
    ],
)
def test_a_number_is_found_as_people_and_models_write_it(number: str, tolerance: float | None, answer: str, passed: bool) -> None:
    assert judged("approx", number, answer, tolerance=tolerance).passed is passed


def test_a_wrong_number_is_told_with_the_nearest_ones_first() -> None:
    outcome = judged("approx", "35.6", "On 2014-08-11 it was 35.4, in 2012 it was 33.", tolerance=0.01)
    assert outcome.expected == "the number 35.6 ± 0.01"
    assert outcome.found.startswith("35.4, 33, 11, 08, ")
    assert judged("approx", "5", "none").found == "no number"


@pytest.mark.parametrize(
    ("kind", "of", "answer", "passed"),
    [
        ("contains", ("2014-08-11", "August 11"), "It was august\n 11.", True),
        ("contains", ("2014-08-11",), "It was **2014-08-11**.", True),
        ("contains", ("naïve café",), "NAÏVE CAFÉ", True),
        ("contains", ("x",), "", False),
        ("equals", ("Gentoo",), " **gentoo**.\n", True),
        ("equals", ("Gentoo",), "Gentoo penguins", False),
        ("equals", ("42",), "42", True),
        ("regex", (r"(?i)\b3\s?pm",), "At 3 PM it is warmest.", True),
        ("regex", (r"^4",), "It is 4", False),
    ],
)
def test_texts_are_compared_without_what_says_nothing(kind: Kind, of: tuple[str, ...], answer: str, passed: bool) -> None:
    assert judged(kind, of, answer).passed is passed


@pytest.mark.parametrize(
    ("pattern", "files", "passed"),
    [
        ("*.png", ("chart.png",), True),
        ("*.png", ("Chart.PNG",), True),
        ("*.png", ("out/chart.png",), True),
        ("out/*.png", ("out/chart.png",), True),
        ("*.png", ("chart.png.txt",), False),
        ("chart.png", (), False),
    ],
)
def test_a_made_file_fits_by_its_whole_name_or_its_last_part(pattern: str, files: tuple[str, ...], passed: bool) -> None:
    outcome = judged("makes", pattern, "", files=files)
    assert outcome.passed is passed
    assert outcome.found == (files[0] if files else "no files")


def test_a_pattern_that_backtracks_for_ever_is_ended() -> None:
    began = time.monotonic()
    match = search(r"(a+)+$", "a" * 60 + "!", seconds=0.5)
    assert match == Match(None, "the pattern was not done after 0.5 s")
    assert time.monotonic() - began < 10


def test_what_a_pattern_matches_is_told_and_bounded() -> None:
    assert search("b+", "abbc") == Match("bb")
    assert search("(?s).*", "x" * 10_000) == Match("x" * 500)
    assert search("z", "\ud800 lone surrogate") == Match(None)


def test_code_is_left_to_the_sandbox() -> None:
    assert judge_plain(Expectation(kind="python", of=("True",)), "x", [], search) is None


@pytest.mark.parametrize(
    ("stdout", "true", "says"),
    [
        ('m {"true": true, "found": "True", "problem": null}\n', True, ""),
        ('m {"true": false, "found": "0", "problem": null}\n', False, ""),
        ('m {"true": true, "found": "1", "problem": "NameError: x"}\n', False, "NameError: x"),
        ('m {"true": 1, "found": "1", "problem": null}\n', False, ""),
        ('{"true": true, "found": "True", "problem": null}\n', False, "ended without a value"),
        ('m {"true": true}\n', False, "ended without a value"),
        ("m [1]\n", False, "ended without a value"),
        ("m " + "[" * 100_000 + "\n", False, "ended without a value"),
        ("", False, "ended without a value"),
        ('m {"true": false, "found": "", "problem": "\\u001b[31mred"}\n', False, "\\u001b[31mred"),
    ],
)
def test_what_the_sandbox_says_is_read_as_data(stdout: str, true: bool, says: str) -> None:
    told = read_told(CodeRan(code_id="e1", exit_code=0, stdout=stdout), "m ")
    assert told.true is true
    assert says in told.problem


def test_code_that_a_limit_stopped_is_not_true() -> None:
    ran = CodeRan(code_id="e1", exit_code=137, stdout='m {"true": true, "found": "", "problem": null}\n', stopped_by="time")
    assert read_told(ran, "m ").problem == "its code was stopped by its limit of time"


def test_numbers_of_a_very_long_answer_are_read_soon() -> None:
    began = time.monotonic()
    assert len(stated("1,234 " * 300_000)) == 5_000
    stated("1," * 500_000)
    stated("1" * 1_000_000)
    stated(" " * 1_000_000)
    assert time.monotonic() - began < 10
