"""The example data is what its page says, and the answers to the questions over it are right."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import defaultdict
from pathlib import Path
from statistics import correlation, fmean

import pytest

from sandloop.suite import Question, load_suite

EXAMPLES = Path(__file__).parents[2] / "examples"
SUITE = load_suite(EXAMPLES / "suite/suite.yaml")


def rows(name: str) -> list[dict[str, str]]:
    with (EXAMPLES / name).open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def grouped(pairs: list[tuple[str, float]]) -> dict[str, list[float]]:
    groups: defaultdict[str, list[float]] = defaultdict(list)
    for key, value in pairs:
        groups[key].append(value)
    return dict(groups)


def answers() -> dict[str, list[float]]:
    """The numbers of every answer, from the CSV files."""
    weather, penguins = rows("seattle-weather.csv"), rows("penguins.csv")
    weighed = [r for r in penguins if r["body_mass_g"] != "NA"]
    mass = grouped([(r["species"], float(r["body_mass_g"])) for r in weighed])
    rain = {y: sum(v) for y, v in grouped([(r["date"][:4], float(r["precipitation"])) for r in weather]).items()}
    highs = {m: fmean(v) for m, v in grouped([(r["date"][5:7], float(r["temp_max"])) for r in weather]).items()}
    hours = {h: fmean(v) for h, v in grouped([(r["date"][11:13], float(r["temp"])) for r in rows("seattle-temps.csv")]).items()}
    seattle, francisco = (
        {d: fmean(v) for d, v in grouped([(r["date"][:10], float(r["temp"])) for r in rows(name)]).items()}
        for name in ("seattle-temps.csv", "sf-temps.csv")
    )
    july = [fmean(v for d, v in city.items() if d[5:7] == "07") for city in (seattle, francisco)]
    wettest, warmest = max(rain, key=lambda y: rain[y]), max(hours, key=lambda h: hours[h])
    return {
        "penguins-count": [len(penguins), sum(r["species"] == "Gentoo" for r in penguins)],
        "mean-high": [fmean(float(r["temp_max"]) for r in weather)],
        "hottest-day": [max(float(r["temp_max"]) for r in weather)],
        "snow-days": [sum(r["weather"] == "snow" for r in weather)],
        "mass-by-species": [fmean(mass[s]) for s in ("Adelie", "Chinstrap", "Gentoo")],
        "wettest-year": [int(wettest), rain[wettest]],
        "flipper-and-mass": [
            correlation([float(r["flipper_length_mm"]) for r in weighed], [float(r["body_mass_g"]) for r in weighed])
        ],
        "monthly-highs": [max(highs.values()), min(highs.values())],
        "warmest-hour": [hours[warmest]],
        "two-cities": [sum(seattle[d] > francisco[d] for d in seattle), july[0] - july[1]],
    }


def test_every_question_names_files_that_are_there_and_small() -> None:
    assert len(SUITE.questions) == 10
    assert len({name for question in SUITE.questions for name in question.files}) >= 3
    for question in SUITE.questions:
        for name in question.files:
            assert (SUITE.folder / name).stat().st_size < 300_000
        assert question.expected
        assert question.note


@pytest.mark.parametrize("question", SUITE.questions, ids=lambda q: str(q.id))
def test_the_answer_is_what_the_file_says(question: Question) -> None:
    stated = [(float(e.of[0]), e.tolerance or 0.0) for e in question.expected if e.kind == "approx"]
    computed = answers()[question.id]

    assert len(stated) == len(computed)
    for (value, tolerance), found in zip(stated, computed, strict=True):
        assert abs(value - found) <= max(tolerance / 2, 1e-9)


def test_the_files_are_those_whose_licence_the_page_states() -> None:
    stated = re.findall(r"^([0-9a-f]{64})  (\S+)$", (EXAMPLES / "README.md").read_text(), re.MULTILINE)

    assert len(stated) == 4
    for digest, name in stated:
        assert hashlib.sha256((EXAMPLES / name).read_bytes()).hexdigest() == digest
