"""The one line of a comparison, and the reasons that the record of the runs supports."""

from __future__ import annotations

import pytest

from compared_runs import run
from sandloop.comparing import reasons
from sandloop.comparing.agreement import agreement
from sandloop.comparing.comparison import Agreement, Entry
from sandloop.comparing.facts import Facts, facts
from sandloop.comparing.reasons import RULES, Rule, reason
from sandloop.limits import Limits
from sandloop.options import SandboxOptions

ALL = ("df.temp_max.mean()", "(1461, 6)\n12.4")
DROPPED = ("df = df.dropna()\ndf.temp_max.mean()", "(1458, 6)\n11.9")


async def compared(*entries: Entry, question: str = "What share of the days was rainy?", **more: object) -> Agreement:
    return await agreement(entries, options=SandboxOptions(engine="none"), limits=Limits(), question=question)


LINES: list[tuple[list[Entry], str]] = [
    (
        [
            run("claude", "12.4 %", ALL),
            run("gpt", "It is 12.4 %.", ALL),
            run("gemini", "11.9 %", DROPPED),
            run("qwen", "0.124", ALL),
        ],
        "3 of 4 agree: 12.4 %; gemini says 11.9 %, because it dropped 3 rows",
    ),
    ([run("claude", "12.4 %", ALL), run("gpt", "0.124", ALL)], "Both agree: 12.4 %"),
    ([run("claude", "12.4 %"), run("gpt", "12.4 %"), run("gemini", "12.4 %")], "All 3 agree: 12.4 %"),
    ([run("claude", "12.4 %", ALL), run("gemini", "11.9 %", ALL)], "claude says 12.4 %, gemini 11.9 %"),
    (
        [run("claude", "12.4 %", ALL), run("gemini", "11.9 %", DROPPED)],
        "claude says 12.4 %, gemini 11.9 %, because it dropped 3 rows",
    ),
    (
        [run("gemini", "11.9 %", DROPPED), run("claude", "12.4 %", ALL)],
        "claude says 12.4 %, gemini 11.9 %, because it dropped 3 rows",
    ),
    ([run("claude", "12.4 %", ALL), run("gemini", "11.9 %")], "claude says 12.4 %, gemini 11.9 %, because it ran no code"),
    (
        [run("claude", "12.4 %"), run("gpt", "11.9 %"), run("gemini", "10 %")],
        "No majority: claude says 12.4 %; gpt says 11.9 %; gemini says 10 %",
    ),
    (
        [run("claude", "12.4 %"), run("gpt", "11.9 %"), run("gemini", "11.9 %"), run("qwen", "12.4 %")],
        "No majority: claude and qwen say 12.4 %; gpt and gemini say 11.9 %",
    ),
    (
        [run("claude #1", "12.4 %"), run("claude #2", "12.4 %"), run("claude #3", "11.9 %")],
        "2 of 3 agree: 12.4 %; claude #3 says 11.9 %",
    ),
    (
        [run("a", "12.4 %"), run("b", "12.4 %"), run("c", "12.4 %"), run("d", "11.9 %"), run("e", "11.9 %")],
        "3 of 5 agree: 12.4 %; d and e say 11.9 %",
    ),
    ([run("claude", "12.4 %"), run("gpt", None), run("gemini", "12.4 %")], "Both agree: 12.4 %; gpt did not answer (LimitReached)"),
    ([run("claude", None), run("gpt", "12.4 %")], "Only gpt answered: 12.4 %; claude did not answer (LimitReached)"),
    (
        [run("claude", None), run("gpt", None)],
        "None answered; claude did not answer (LimitReached); gpt did not answer (LimitReached)",
    ),
    ([], "None answered"),
    (
        [run("claude", "Rain is common."), run("gpt", "It often rains in winter.")],
        "2 answered, with nothing to compare but words: they are left to the reader",
    ),
    (
        [run("claude", "12.4 %"), run("gpt", "12.4 %"), run("gemini", "Hard to say.")],
        "2 of 3 agree: 12.4 %; gemini gives nothing to compare",
    ),
]


@pytest.mark.parametrize(("entries", "line"), LINES, ids=[line for _, line in LINES])
async def test_the_line_says_who_agrees_and_who_says_what(entries: list[Entry], line: str) -> None:
    assert (await compared(*entries)).verdict == line


@pytest.mark.parametrize(("entries", "line"), LINES, ids=[line for _, line in LINES])
async def test_each_entry_that_answered_is_in_one_group(entries: list[Entry], line: str) -> None:
    found = await compared(*entries)
    assert sorted(label for group in found.groups for label in group) == sorted(e.label for e in entries if e.answered)
    assert found.agree is (None if "agree" not in line and "says" not in line and "say" not in line else "say" not in line)


async def test_where_several_numbers_are_given_the_line_names_the_one_that_differs() -> None:
    masses = "Adelie: 3700.66 g, Chinstrap: 3733.09 g, Gentoo: 5076.02 g"
    found = await compared(
        run("claude", masses), run("gpt", masses), run("gemini", masses.replace("5076.02", "5092.44")), question="Mean body mass?"
    )
    assert found.verdict == "2 of 3 agree: Gentoo: 5076.02 g; gemini says 5092.44 g"
    assert (await compared(run("claude", masses), run("gpt", masses))).verdict == "Both agree: 3700.66 g, 3733.09 g, 5076.02 g"


GUESSED: list[tuple[list[Entry], str]] = [
    (
        [run("claude", "On 73 days.", ("", "73")), run("gpt", "On 73 days.", ("raise", ""), checks=["73"])],
        "Both agree: 73; that number stands in none of the outputs of gpt",
    ),
    (
        [
            run("claude", "12.4 %", ALL),
            run("gpt", "12.4 %", ("df", "1,461 rows"), checks=["12.4 %"]),
            run("gemini", "11.9 %", DROPPED),
        ],
        "2 of 3 agree: 12.4 %; that number stands in none of the outputs of gpt; gemini says 11.9 %, because it dropped 3 rows",
    ),
    (
        [run(name, "12.4 %", checks=["12.4 %"]) for name in ("claude", "gpt")] + [run("gemini", "12.4 %", ALL)],
        "All 3 agree: 12.4 %; that number stands in none of the outputs of claude and gpt",
    ),
    (
        [run("claude", "mean: 1.5 kg, median: 2.5 kg", ALL), run("gpt", "mean: 1.5 kg, median: 2.5 kg", ALL, checks=["2.5"])],
        "Both agree: 1.5 kg, 2.5 kg; not all of these numbers stand in the outputs of gpt",
    ),
    (
        [run("claude", "12.4 %", checks=["12.4 %"]), run("gpt", None)],
        "Only claude answered: 12.4 %, which stands in none of its outputs; gpt did not answer (LimitReached)",
    ),
    ([run("claude", "12.4 % of 1461", ALL), run("gpt", "12.4 %", ALL, checks=["1461"])], "Both agree: 12.4 %"),
]


@pytest.mark.parametrize(("entries", "line"), GUESSED, ids=[line for _, line in GUESSED])
async def test_a_number_that_agrees_and_stands_in_no_output_of_its_own_run_is_told(entries: list[Entry], line: str) -> None:
    assert (await compared(*entries)).verdict == line


async def test_outliers_that_differ_in_other_numbers_are_told_with_what_they_differ_in() -> None:
    found = await compared(
        run("a", "mean: 1.5 kg, median: 2.5 kg"),
        run("b", "mean: 1.5 kg, median: 2.5 kg"),
        run("c", "mean: 1.5 kg, median: 2.5 kg"),
        run("d", "mean: 1.9 kg, median: 2.5 kg"),
        run("e", "mean: 1.5 kg, median: 2.9 kg"),
        question="?",
    )
    assert found.verdict == "3 of 5 agree: mean: 1.5 kg; d says 1.9 kg; e says 2.9 kg for median, not 2.5 kg"


async def test_names_and_values_of_others_are_shortened_and_made_safe() -> None:
    found = await compared(run("x\x1b[2J\u202e", f"12.4 {'%' * 5}"), run("y" * 500, "11.9 %"), run("z\n\nz", "11.9 %"))
    assert "\x1b" not in found.verdict
    assert "\n" not in found.verdict
    assert len(found.verdict) < 300


async def test_repeats_of_a_long_name_are_told_apart_by_its_end() -> None:
    name = f"replay:/home/somebody/{'recordings/' * 30}xlsx.jsonl"
    found = await compared(
        *(run(f"{name} #{number}", said) for number, said in enumerate(("12.4 %", "12.4 %", "11.9 %", "11.9 %"), 1))
    )
    for number in range(1, 5):
        assert found.verdict.count(f"xlsx.jsonl #{number}") == 1
    assert len(found.verdict) < 300


async def test_many_models_make_a_line_that_can_be_read() -> None:
    entries = [run(f"m{i}", f"{i}.5 %") for i in range(40)] + [run(f"f{i}", None) for i in range(40)]
    line = (await compared(*entries)).verdict
    assert "36 more differ" in line
    assert "36 more did not answer" in line
    assert len(line) < 400


NONE = Facts()
WELL = Facts(ran=1, well=1)


def known(**facts_: object) -> Facts:
    return Facts(ran=1, well=1, **{k: frozenset(v) if isinstance(v, set) else v for k, v in facts_.items()})  # type: ignore[arg-type]


SUPPORTED: list[tuple[Rule, Facts, list[Facts], str]] = [
    (reasons.no_code, NONE, [WELL, WELL], "it ran no code"),
    (reasons.all_failed, Facts(ran=2), [WELL], "none of its code ended well"),
    (reasons.dropped_rows, known(rows={1458}, calls={"dropna"}), [known(rows={1461})], "it dropped 3 rows"),
    (reasons.dropped_rows, known(rows={1461, 1460}, calls={"drop_duplicates"}), [known(rows={1461})] * 2, "it dropped 1 row"),
    (reasons.other_rows, known(rows={1458}), [known(rows={1461})] * 2, "it worked on 1,458 rows, the others on 1,461"),
    (reasons.other_rows, known(rows={2922}), [known(rows={1461})], "it worked on 2,922 rows, the other on 1,461"),
    (reasons.unsupported, known(unsupported={"11.9 %"}), [WELL], "that number stands in none of its outputs"),
    (reasons.unsupported, known(unsupported={"11.9"}), [WELL], "that number stands in none of its outputs"),
    (reasons.another_sheet, known(sheets={"2013"}), [known(sheets={"2012"})], "only it reads the sheet 2013; the other: 2012"),
    (
        reasons.another_column,
        known(columns={"date", "temp_min"}),
        [known(columns={"date", "temp_max"}), known(columns={"temp_max"})],
        "only it uses the column temp_min; the others: temp_max",
    ),
    (
        reasons.another_aggregate,
        known(aggregates={"median", "sum"}),
        [known(aggregates={"mean", "sum"})],
        "only it takes the median; the other the mean",
    ),
    (reasons.left_out, known(calls={"dropna"}), [WELL], "only its code leaves out rows with missing values (dropna)"),
    (reasons.filled_in, WELL, [known(calls={"dropna"})] * 2, "only its code does not call dropna"),
]
NOT_SUPPORTED: list[tuple[Rule, Facts, list[Facts]]] = [
    (reasons.no_code, NONE, [WELL, NONE]),
    (reasons.no_code, Facts(ran=1), [WELL]),
    (reasons.all_failed, Facts(ran=2, well=1), [WELL]),
    (reasons.all_failed, Facts(ran=2), [WELL, Facts(ran=1)]),
    (reasons.dropped_rows, known(rows={1458}), [known(rows={1461})]),
    (reasons.dropped_rows, known(rows={1458}, calls={"dropna"}), [known(rows={1461}), known(rows={1461, 1458})]),
    (reasons.dropped_rows, known(rows={1458}, calls={"dropna"}), [known(rows={1461}), known(rows={1400})]),
    (reasons.dropped_rows, known(rows={1458}, calls={"dropna"}), [known(rows={1461}), WELL]),
    (reasons.dropped_rows, known(rows={12}, calls={"dropna"}), [known(rows={1461})]),
    (reasons.dropped_rows, known(calls={"dropna"}), [known(rows={1461})]),
    (reasons.other_rows, known(rows={12}), [known(rows={1461})]),
    (reasons.other_rows, known(rows={1461}), [known(rows={1461})]),
    (reasons.other_rows, WELL, [known(rows={1461})]),
    (reasons.unsupported, known(unsupported={"1461"}), [WELL]),
    (reasons.another_sheet, known(sheets={"2013"}), [WELL]),
    (reasons.another_sheet, known(sheets={"2013"}), [known(sheets={"2013", "2012"})]),
    (reasons.another_column, known(columns={"a", "b"}), [known(columns={"c"})]),
    (reasons.another_column, known(columns={"a"}), [known(columns={"c"}), known(columns={"d"})]),
    (reasons.another_aggregate, known(aggregates={"median", "mean"}), [known(aggregates={"mean"})]),
    (reasons.another_aggregate, known(aggregates={"median"}), [known(aggregates={"mean", "maximum"})]),
    (reasons.left_out, known(calls={"dropna"}), [known(calls={"dropna"})]),
    (reasons.left_out, known(calls={"dropna"}), [NONE]),
    (reasons.filled_in, WELL, [known(calls={"dropna"}), WELL]),
    (reasons.filled_in, NONE, [known(calls={"dropna"})]),
]


@pytest.mark.parametrize(("rule", "one", "others", "text"), SUPPORTED, ids=[text for *_, text in SUPPORTED])
def test_a_rule_gives_its_reason_where_the_record_has_it(rule: Rule, one: Facts, others: list[Facts], text: str) -> None:
    assert rule(one, others, "11.9 %") == text


@pytest.mark.parametrize(
    ("rule", "one", "others"), NOT_SUPPORTED, ids=[f"{case[0].__name__}-{i}" for i, case in enumerate(NOT_SUPPORTED)]
)
def test_a_rule_gives_none_where_the_record_does_not_have_it(rule: Rule, one: Facts, others: list[Facts]) -> None:
    assert rule(one, others, "11.9 %") is None


def test_each_rule_is_tried_with_and_without_support() -> None:
    rules = {rule for rule, _ in RULES}
    assert {case[0] for case in SUPPORTED} == {case[0] for case in NOT_SUPPORTED} == rules


def test_what_the_record_shows_to_bear_on_the_number_is_a_because_and_the_rest_is_told_as_what_it_is() -> None:
    assert str(reason(NONE, [WELL], "1")) == ", because it ran no code"
    assert (
        str(reason(known(aggregates={"median"}), [known(aggregates={"mean"})], "1"))
        == " (only it takes the median; the other the mean)"
    )
    assert reason(WELL, [WELL], "1") is None
    assert reason(NONE, [], "1") is None


def test_the_facts_of_a_run_come_from_the_code_that_ended_well_and_from_what_it_printed() -> None:
    entry = run(
        "x",
        "12.4",
        (
            "import pandas as pd\ndf = pd.read_excel('a.xlsx', sheet_name='2013').dropna()\nprint(df.temp_max.mean())",
            "1,458 rows\n12.4",
        ),
        ("raise df.drop_duplicates()", "(9, 9)"),
        ("duckdb.sql('select MEDIAN(x) from df')\n%timeit 1", ""),
        ("duckdb.sql('select MAX(x) from df')", "RangeIndex: 1461 entries, 0 to 1460"),
        ("def broken(:", ""),
        checks=["12.4"],
        preview="columns: 'temp_max' float64, 'temp_min' float64",
    )
    found = facts(entry.result)
    assert (found.ran, found.well) == (5, 4)
    assert found.rows == {1458, 1461}
    assert "dropna" in found.calls
    assert "drop_duplicates" not in found.calls
    assert found.aggregates == {"mean", "maximum"}
    assert found.columns == {"temp_max"}
    assert found.sheets == {"2013"}
    assert found.unsupported == {"12.4"}


def test_a_run_that_never_began_has_no_facts() -> None:
    assert facts(None) == Facts()


@pytest.mark.parametrize(
    "source", ["(" * 5_000, "a" * 1_000_000, "x = " + "[" * 300 + "]" * 300, "\0", "f('" + "select " * 100_000 + "')"]
)
def test_no_source_breaks_the_reading_of_facts(source: str) -> None:
    assert facts(run("x", "1", (source, "1 " * 500_000)).result).ran == 1
