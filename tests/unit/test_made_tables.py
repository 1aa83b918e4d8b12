"""Tables that answers made, cell by cell: what is the same, what differs and how it is told. Without a sandbox, as on a host."""

from __future__ import annotations

import csv
import io
import json
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compared_runs import run
from sandloop.comparing.agreement import agreement
from sandloop.comparing.comparison import Agreement, Entry, FileRow
from sandloop.comparing.filed import worth_opening
from sandloop.comparing.inside.cells import Cell, cell_of, letters
from sandloop.comparing.inside.differ import MAX_DIFFERENCES, Outcome, compare_books
from sandloop.comparing.inside.match import Given, compared
from sandloop.comparing.inside.table import Table, delimiter_of, table_from_rows, text_rows
from sandloop.comparing.made import FILES_EACH, made_files, too_large
from sandloop.comparing.said import Looked, SaidDifference, SaidGroup, SaidOutcome, checked
from sandloop.comparing.tables import table_rows, words
from sandloop.limits import Limits
from sandloop.options import SandboxOptions

MASSES = "species,mean,n\nAdelie,3700.66,151\nChinstrap,3733.09,68\nGentoo,5076.02,123\n"


def table(text: str, name: str = "a.csv", **more: int) -> Table:
    return table_from_rows("", text_rows(io.StringIO(text, newline=""), delimiter_of(text, name)), **more)


def differ(a: str, b: str) -> Outcome:
    return compare_books([table(a)], [table(b)], 0.001)


def told(outcome: Outcome) -> list[str]:
    return [words(d, "gpt", "claude") for d in outcome.differences]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("12.40", 12.4), (" 7 ", 7), ("1,234,567", 1_234_567), ("12,4", 12.4), ("-0.5", -0.5), ("1e-3", 0.001), ("12.4%", 0.124),
        ("", None), ("NaN", None), ("None", None), ("True", True), ("2014/8/1", "2014-08-01"),
        ("2014-08-01 00:00:00", "2014-08-01"), ("2014-08-01 12:00", "2014-08-01 12:00"), ("007", 7), ("Adelie", "Adelie"),
        ("1.2.3", "1.2.3"), ("1" * 400, "1" * 400),
        ("1e999", "1e999"), ("=SUM(A1)", "=SUM(A1)"), ("٣", "٣"),
    ],
)  # fmt: skip
def test_a_text_becomes_the_cell_that_it_means(text: str, cell: Cell) -> None:
    assert cell_of(text) == cell


SAME = [
    (MASSES, MASSES.replace("3700.66", "3700.662251655629")),
    (MASSES, MASSES.replace("3700.66", "3701").replace("3733.09", "3733").replace("5076.02", "5076")),
    (MASSES, MASSES.replace(",", ";")),
    (MASSES, MASSES.replace(".", ",").replace("s,m", "s;m").replace("n,n", "n;n").replace("e,", "e;").replace("p,", "p;")
     .replace("o,", "o;").replace(",1", ";1").replace(",68", ";68")),
    (MASSES, MASSES.replace("\n", "\r\n").replace("Adelie", "adelie ")),
    (MASSES, "\ufeff"[1:] + MASSES.replace("species", "Species").replace("mean", "Mean ")),
    (MASSES, ",species,mean,n\n0,Adelie,3700.66,151\n1,Chinstrap,3733.09,68\n2,Gentoo,5076.02,123\n"),
    ("share\n12.4%\n", "share\n0.124\n"),
    ("date,x\n2014/08/01,1\n", "date,x\n2014-08-01 00:00:00,1\n"),
    ("a,b\n1,\n", "a,b\n1,NaN\n"),
    ("", ""),
]  # fmt: skip


@pytest.mark.parametrize(("a", "b"), SAME)
def test_tables_that_say_the_same_are_the_same_whatever_wrote_them(a: str, b: str) -> None:
    assert (differ(a, b).same, differ(b, a).same) == (True, True)
    assert told(differ(a, b)) == []


DIFFERENT: list[tuple[str, str, bool | None, list[str]]] = [
    (MASSES, MASSES.replace("5076.02", "5092.44"), False, ["gpt: B4 is 5092.44, claude has 5076.02"]),
    (MASSES, MASSES.replace(",123", ",124"), False, ["gpt: C4 is 124, claude has 123"]),
    (MASSES, MASSES.replace("Adelie", "Biscoe"), False, ["gpt: A2 is Biscoe, claude has Adelie"]),
    (MASSES, MASSES.replace("151", ""), False, ["gpt: C2 is empty, claude has 151"]),
    (
        MASSES,
        "species,mean,n\nGentoo,5076.02,123\nAdelie,3700.66,151\nChinstrap,3733.09,68\n",
        True,
        ["gpt has the rows in another order than claude"],
    ),
    (
        MASSES,
        "n,species,mean\n151,Adelie,3700.66\n68,Chinstrap,3733.09\n123,Gentoo,5076.02\n",
        True,
        ["gpt has the columns in another order than claude"],
    ),
    (
        MASSES,
        "species,mean,n\nGentoo,5092.44,123\nAdelie,3700.66,151\nChinstrap,3733.09,68\n",
        False,
        ["gpt: B2 is 5092.44, claude has 5076.02"],
    ),
    (MASSES, MASSES.replace("mean", "avg_mass"), True, ["gpt calls the column avg_mass, claude calls it mean"]),
    (MASSES, MASSES.replace("n\n", "n,z\n", 1).replace("1\n", "1,9\n"), True, ["only gpt has the columns z"]),
    (
        MASSES,
        MASSES.replace("Chinstrap,3733.09,68\n", ""),
        False,
        ["gpt: 2 rows, claude has 3", "only claude has species Chinstrap"],
    ),
    ("a,b\nx,1\n", "c,d,e\n1,2,3\n", None, ["gpt has the columns c, d, e, claude a, b"]),
    ("x\n1.5\n2.5\n2.5\n", "x\n1.5\n2.5\n", False, ["gpt: 2 rows, claude has 3", "only claude has x 2.5"]),
    ("x\n1.5\n", "x\n1.5\n2.5\n3.5\n4.5\n", False, ["gpt: 4 rows, claude has 1", "only gpt has x 2.5, 3.5, 4.5"]),
    ("a,b\n1,=SUM(A1)\n", "a,b\n1,7\n", None, ["gpt: B2 is 7, claude has =SUM(A1): a formula without a value"]),
]


@pytest.mark.parametrize(("claude", "gpt", "same", "differences"), DIFFERENT)
def test_what_differs_is_told_with_its_cell(claude: str, gpt: str, same: bool | None, differences: list[str]) -> None:
    outcome = differ(gpt, claude)
    assert outcome.same is same
    assert told(outcome) == differences


def test_only_the_first_twenty_differences_are_listed_and_the_rest_counted() -> None:
    a = "key,x\n" + "".join(f"k{i},a\n" for i in range(500))
    outcome = differ(a, a.replace(",a", ",b"))
    assert (outcome.same, len(outcome.differences), outcome.more) == (False, MAX_DIFFERENCES, 500 - MAX_DIFFERENCES)


def test_a_table_that_is_read_in_part_is_never_called_the_same() -> None:
    a = "x,y\n" + "".join(f"{i},{i}\n" for i in range(100))
    cut = [table(a, max_cells=50)]
    assert compare_books(cut, [table(a, max_cells=50)], 0.001).same is None
    assert compare_books(cut, [table(a.replace("7,7", "7,8"), max_cells=50)], 0.001).same is False


def test_sheets_are_matched_by_name_and_the_rest_in_order() -> None:
    def sheet(name: str, value: float) -> Table:
        return table_from_rows(name, [["a", "b"], ["x", value]])

    outcome = compare_books([sheet("One", 1.5), sheet("Two", 2.5)], [sheet("two", 2.9), sheet("first", 1.5)], 0.001)
    assert told(outcome) == ["gpt: Two!B2 is 2.5, claude has 2.9"]
    extra = compare_books([sheet("One", 1.5), sheet("Notes", 2.5)], [sheet("One", 1.5)], 0.001)
    assert (extra.same, told(extra)) == (True, ["only gpt has the sheets Notes"])


def test_columns_are_called_as_in_a_spreadsheet() -> None:
    assert [letters(i) for i in (0, 25, 26, 701, 702)] == ["A", "Z", "AA", "ZZ", "AAA"]


def test_a_title_over_the_header_and_blank_rows_under_the_table_are_no_rows() -> None:
    found = table_from_rows("s", [["Report", None], [None, None], ["a", "b"], ["x", 1], [None, None]])
    assert (found.header, found.columns, found.first) == (["a", "b"], [["x"], [1]], 4)


def given_files(*made: tuple[int, str, str]) -> tuple[list[Given], dict[int, list[Table]]]:
    files = [Given(i, entry, name, "table", text) for i, (entry, name, text) in enumerate(made)]
    return files, {i: [table(text)] for i, (_, _, text) in enumerate(made)}


def test_files_are_matched_by_name_then_by_columns_and_the_only_ones_with_each_other() -> None:
    other = "month,rain\n1,5\n"
    files, books = given_files(
        (0, "a.csv", MASSES), (0, "b.csv", other), (1, "b.csv", other.replace("5", "6")), (1, "z.csv", MASSES), (2, "q.csv", MASSES)
    )
    groups = compared(files, books, 0.001)
    assert [[f.id for f in group.files] for group in groups] == [[0, 3, 4], [1, 2]]
    assert [group.classes for group in groups] == [[[0, 3, 4]], [[1], [2]]]


def test_a_file_that_cannot_be_read_is_unknown_unless_its_bytes_are_the_same() -> None:
    files, books = given_files((0, "a.csv", MASSES), (1, "a.csv", MASSES + "\n"), (2, "a.csv", MASSES))
    assert [(g.classes, g.unknown) for g in compared(files, {0: books[0], 2: books[2]}, 0.001)] == [([[0, 2]], [1])]
    assert [(g.classes, g.unknown) for g in compared([files[0], files[2]], {}, 0.001)] == [([[0, 2]], [])]


async def looked(*entries: Entry) -> Agreement:
    return await agreement(entries, options=SandboxOptions(engine="none"), limits=Limits(), question="Which species?")


def rows_of(found: Agreement) -> dict[str, FileRow]:
    return {next((name for name in row.names if name), ""): row for row in found.files}


async def test_without_a_sandbox_small_csv_files_are_compared_and_the_rest_is_said_not_to_be() -> None:
    png = b"\x89PNG\r\n\x1a\n"
    one = {"a.csv": MASSES.encode(), "b.xlsx": b"PK\3\4one", "c.png": png + b"one", "d.md": b"1"}
    two = {"a.csv": MASSES.replace("123", "124").encode(), "b.xlsx": b"PK\3\4two", "c.png": png + b"two"}
    found = await looked(
        run("claude", "Gentoo", files=one),
        run("gpt", "Gentoo", files=two),
        run("gemini", "Gentoo", files={"a.csv": MASSES.encode(), "d.md": b"2"}),
    )
    rows = rows_of(found)
    assert (found.agree, found.verdict) == (
        False,
        "2 of 3 agree: Gentoo; the files of gpt differ: in a.csv, gpt: C4 is 124, claude has 123",
    )
    assert (rows["a.csv"].same, rows["a.csv"].differences) == (False, ("gpt: C4 is 124, claude has 123",))
    assert rows["b.xlsx"].same is None
    assert "no sandbox could compare them" in rows["b.xlsx"].differences[0]
    assert rows["c.png"].same is None
    assert rows["c.png"].distances == (0.0, None, None)
    assert rows["d.md"].differences == ("their contents differ, and files of this kind are not compared",)


async def test_a_table_that_was_saved_twice_has_its_differences_listed_once() -> None:
    def saved(text: str) -> dict[str, bytes]:
        return {"a.csv": text.encode(), "a.tsv": text.replace(",", "\t").encode(), "b.csv": MASSES.encode() + text.encode()[-15:]}

    found = await looked(
        run("claude", "Gentoo", files=saved(MASSES)), run("gpt", "Gentoo", files=saved(MASSES.replace("123", "124")))
    )
    assert [(row.same, row.differences) for row in found.files] == [
        (False, ("gpt: C4 is 124, claude has 123",)),
        (False, ("the same differences as in a.csv",)),
        (False, ("gpt: C5 is 124, claude has 123",)),
    ]


def test_a_table_in_a_workbook_is_the_same_one_unless_another_sheet_differs_too() -> None:
    def told_of(*sheets: str, more: int = 0, unknown: bool = False) -> tuple[str, ...]:
        entries = [run(label, "1", files={"a.csv": label.encode(), "b.xlsx": label.encode()}) for label in ("claude", "gpt")]
        made, _ = made_files(entries)

        def group(a: int, b: int, more: int, *sheets: str) -> SaidGroup:
            differences = tuple(SaidDifference("cell", sheet, "B2", "1", "2") for sheet in sheets)
            return SaidGroup((a, b), ((a,), (b,)), (a,) if unknown else (), (SaidOutcome(b, a, False, more, differences),))

        looked = Looked((group(0, 2, 0, ""), group(1, 3, more, *sheets)))
        return table_rows(looked, made, entries, {})[1].differences

    assert told_of("Means") == ("the same differences as in a.csv, in the sheet Means",)
    assert told_of("") == ("the same differences as in a.csv",)
    assert told_of("Means", "Notes") == ("gpt: Means!B2 is 1, claude has 2", "gpt: Notes!B2 is 1, claude has 2")
    assert told_of("Means", more=1)[0] == "gpt: Means!B2 is 1, claude has 2"
    assert told_of("Means", unknown=True)[0] == "gpt: Means!B2 is 1, claude has 2"


async def test_files_of_the_same_bytes_are_the_same_and_nothing_is_opened_for_them() -> None:
    files = {"a.xlsx": b"PK\3\4x", "b.png": b"\x89PNG\r\n\x1a\nx", "c.txt": b"x"}
    found = await looked(run("claude", "5", files=files), run("gpt", "5", files=files))
    assert [(row.kind, row.same, row.differences) for row in found.files] == [
        ("workbook", True, ()),
        ("picture", True, ()),
        ("other", True, ()),
    ]
    assert found.agree is True
    assert not worth_opening(made_files([run("a", "", files=files), run("b", "", files=files)])[0])


async def test_what_only_one_made_is_said_and_differs_from_nothing() -> None:
    found = await looked(run("claude", "5", files={"a.csv": b"x\n1\n"}), run("gpt", "5"))
    assert (found.agree, found.files[0].same, found.files[0].differences) == (True, None, ("only claude made it",))


async def test_the_files_of_a_run_that_failed_are_shown_and_decide_nothing() -> None:
    found = await looked(
        run("claude", "5", files={"a.csv": b"x\n1\n"}), run("gpt", None, files={"a.csv": b"x\n2\n"}), run("gemini", "5")
    )
    assert (found.agree, found.files[0].same) == (True, False)


async def test_files_whose_bytes_are_gone_and_too_many_files_are_told() -> None:
    entry = run("claude", "5", files={f"{i}.csv": b"x\n%d\n" % i for i in range(FILES_EACH + 3)})
    other = run("gpt", "5", files={"0.csv": b"x\n99\n"})
    assert entry.result is not None
    entry.result.files["0.csv"].path.unlink()
    found = await looked(entry, other)
    assert "claude: not compared, its bytes are not here" in rows_of(found)["0.csv"].differences
    assert found.files[-1].differences == ("claude: 3 more files were not compared",)


def test_a_file_that_is_too_large_is_not_opened() -> None:
    entries = [run("a", "1", files={"a.csv": b"x"}), run("b", "1", files={"a.csv": b"," * 60_000_001})]
    made, _ = made_files(entries)
    assert too_large(made) == {1: "it is over 60 MB"}


def said(**changes: object) -> str:
    group = {"files": [0, 1], "classes": [[0], [1]], "unknown": [], "outcomes": []}
    return json.dumps({"groups": [{**group, **changes}], "looks": {}, "unread": {}})


def two() -> list[Entry]:
    return [run("a", "1", files={"a.csv": b"1"}), run("b", "1", files={"a.csv": b"2"})]


LOOK = {"width": 4, "height": 4, "lights": [0] * 272}
DIFFERENCE = {"what": "cell", "sheet": "", "place": "B2", "a": "1", "b": "2"}


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", "null", "{", '{"groups": 5}', said(files=[0, 9]), said(files=[0]), said(files=[0, 0]), said(classes=[[0, 1], []]),
        said(classes=[[0], [1], [1]]), said(unknown=[1]), said(files=["0", "x"]),
        said(outcomes=[{"a": 0, "b": 7, "same": False, "more": 0, "differences": [DIFFERENCE]}]),
        said(outcomes=[{"a": 0, "b": 1, "same": False, "more": 0, "differences": [DIFFERENCE] * 21}]),
        said(outcomes=[{"a": 0, "b": 1, "same": False, "more": 0, "differences": [{**DIFFERENCE, "a": "x" * 3_000}]}]),
        json.dumps({"groups": [], "looks": {"0": {**LOOK, "lights": [0] * 5}}, "unread": {}}),
        json.dumps({"groups": [], "looks": {"0": {**LOOK, "lights": [256] * 272}}, "unread": {}}),
        json.dumps({"groups": [], "looks": {"0": {**LOOK, "width": 0}}, "unread": {}}),
        json.dumps({"groups": [], "looks": {"8": LOOK}, "unread": {}}),
        json.dumps({"groups": [], "looks": {}, "unread": {"8": "x"}}),
        "[" * 100_000,
    ],
)  # fmt: skip
def test_what_the_sandbox_says_is_refused_when_it_is_not_about_the_files_that_were_given(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        checked(text, made_files(two())[0])


def test_what_the_sandbox_says_is_taken_when_it_fits() -> None:
    outcome = {"a": 1, "b": 0, "same": False, "more": 3, "differences": [DIFFERENCE]}
    found = checked(said(outcomes=[outcome]), made_files(two())[0])
    assert found.groups[0].outcomes[0].differences[0].place == "B2"


TEXTS = st.lists(st.lists(st.sampled_from(["1", "1.5", "x", "", "=A1", "é", "nan", "2014-01-01", " "]), max_size=4), max_size=6)


@settings(deadline=None)
@given(TEXTS, TEXTS)
def test_no_two_tables_break_the_comparison_and_each_is_itself(a: list[list[str]], b: list[list[str]]) -> None:
    def tabled(rows: list[list[str]]) -> Table:
        return table_from_rows("", [[cell_of(text) for text in row] for row in rows])

    assert compare_books([tabled(a)], [tabled(a)], 0.001).same is not False
    outcome, back = compare_books([tabled(a)], [tabled(b)], 0.001), compare_books([tabled(b)], [tabled(a)], 0.001)
    assert outcome.same == back.same


def test_many_cells_are_compared_in_seconds() -> None:
    text = "key,x,y\n" + "".join(f"{i},{i % 97}.5,a\n" for i in range(60_000))
    began = time.process_time()
    one, other = table(text), table(text)
    other.columns[1][50_000] = 5.25
    assert told(compare_books([one], [other], 0.001)) == ["gpt: B50002 is 45.5, claude has 5.25"]
    assert time.process_time() - began < 5


def test_a_field_that_is_too_long_is_an_error_of_the_csv_module() -> None:
    with pytest.raises(csv.Error):
        table("a,b\n" + "x" * 200_000 + ",1\n")


def test_what_runs_inside_imports_nothing_of_ours_and_nothing_but_the_standard_library_at_the_top() -> None:
    from sandloop.comparing import inside

    for path in Path(inside.__path__[0]).glob("*.py"):
        imported = [line.split()[1] for line in path.read_text().splitlines() if line.startswith(("import ", "from "))]
        assert not {name.partition(".")[0] for name in imported} & {"sandloop", "openpyxl", "pandas", "PIL", "pyarrow", "xlrd"}
