"""The list of kept runs, in terminals of any width."""

from __future__ import annotations

import pytest

from sandloop.cli.runs_text import table_lines
from sandloop.runs import RunSummary

IDS = [f"2026010{n}-120000-abcdef" for n in (1, 2)]
RUNS = [
    RunSummary(id=IDS[0], at="2026-01-01T12:00:00+00:00", status="answered", question="How many rows?", model="claude"),
    RunSummary(id=IDS[1], status="interrupted", question="Which\nday \x1b[2J was the hottest of all?", model="m" * 200, cost=0.01),
]


def shown(width: int | None) -> list[str]:
    return [line.plain.rstrip() for line in table_lines(RUNS, width)]


@pytest.mark.parametrize("width", [30, 40, 50])
def test_where_a_line_is_too_short_for_the_question_it_stands_below(width: int) -> None:
    first, question, second, other = shown(width)
    assert (first.startswith(IDS[0]), question) == (True, "  How many rows?")
    assert (second.startswith(IDS[1]), other[:25]) == (True, "  Which day \\u001b[2J was")


@pytest.mark.parametrize("width", [60, 80, 99, 120, 200])
def test_where_there_is_room_a_run_has_one_line_with_its_question(width: int) -> None:
    assert [line.split("  ")[-1].strip()[:14] for line in shown(width)] == ["How many rows?", "Which day \\u00"]


@pytest.mark.parametrize("width", [1, 10, 30, 36, 37, 57, 80, 100, 110, 200])
def test_no_line_is_wider_than_the_terminal(width: int) -> None:
    assert max(line.cell_len for line in table_lines(RUNS, width)) <= width


def test_into_a_pipe_goes_all_of_it() -> None:
    assert [line.split("  ")[-1].strip() for line in shown(None)] == [
        "How many rows?",
        "Which day \\u001b[2J was the hottest of all?",
    ]
