"""Files that the same code made twice, cell by cell: nothing is rounded, and what could not be found out is said."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import pytest

from sandloop.comparing.inside.differ import MAX_DIFFERENCES
from sandloop.comparing.inside.exact import compare_exactly
from sandloop.comparing.inside.read import Unreadable
from sandloop.comparing.said import SaidDifference
from sandloop.events import FileMade
from sandloop.limits import MB, Limits
from sandloop.options import SandboxOptions
from sandloop.runs.differences import CellsSeen, files_differ, holds_cells
from sandloop.runs.opened import cells_seen, words
from sandloop.store import FileStore

NAN = float("nan")
DAY = datetime(2024, 1, 1)


def told(then: dict[str, Sequence[Sequence[object]]], now: dict[str, Sequence[Sequence[object]]]) -> list[str]:
    found = compare_exactly(then.items(), now.items())
    assert found.same is (not found.differences)
    return [words(SaidDifference(d.what, d.sheet, d.place, d.a, d.b)) for d in found.differences]


@pytest.mark.parametrize(
    ("then", "now", "says"),
    [
        ([["a", 1, None, NAN]], [["a", 1, None, NAN]], []),
        ([["a"]], [["a", None]], []),
        ([["A title"], ["a", "b"]], [["a title"], ["a", "b"]], ["S!A1 is a title, then A title"]),
        ([[12.4]], [[12.42]], ["S!A1 is 12.42, then 12.4"]),
        ([[0.1 + 0.2]], [[0.3]], ["S!A1 is 0.3, then 0.30000000000000004"]),
        ([[1]], [["1"]], ["S!A1 is 1 (str), then 1 (int)"]),
        ([[True]], [[1]], ["S!A1 is 1, then True"]),
        ([[None]], [["x"]], ["S!A1 is x, then empty"]),
        ([["=A1"]], [["=A2"]], ["S!A1 is =A2, then =A1"]),
        ([[DAY.replace(microsecond=5)]], [[DAY]], ["S!A1 is 2024-01-01 00:00:00, then 2024-01-01 00:00:00.000005"]),
        ([["b"], ["a"]], [["a"], ["b"]], ["S!A1 is a, then b", "S!A2 is b, then a"]),
        ([["a"]], [["b"], ["c"]], ["S has 2 rows, then 1", "S!A1 is b, then a"]),
        ([[0, "a"]], [["a"]], ["S!A1 is a, then 0", "S!B1 is empty, then a"]),
        ([[[NAN, {"a": 1}]]], [[[NAN, {"a": 1}]]], []),
        ([[[1]]], [[[1.0]]], ["S!A1 is [1.0], then [1]"]),
        ([["a\nb"]], [["a\n- c"]], ["S!A1 is a - c, then a b"]),
    ],
)  # fmt: skip
def test_cells_are_the_same_only_when_nothing_is_another(
    then: list[list[object]], now: list[list[object]], says: list[str]
) -> None:
    assert told({"S": then}, {"S": now}) == says


def test_sheets_are_held_against_each_other_by_place_and_name() -> None:
    assert told({"A": [], "B": []}, {"A": [], "b": [], "C": []}) == ["only now has the sheets b, C; only then has the sheets B"]
    assert told({"A": [["x"]], "B": []}, {"A": [["y"]]}) == ["only then has the sheets B", "A!A1 is y, then x"]


def test_what_is_listed_is_bounded_and_the_rest_counted() -> None:
    then, now = ([[at + more] for at in range(1000 + more)] for more in (0, 1))
    found = compare_exactly([("S", then)], [("S", now)])
    assert found.differences[0].what == "rows"
    assert (len(found.differences), found.more) == (MAX_DIFFERENCES, 1001 - MAX_DIFFERENCES)


def test_what_is_no_workbook_is_unreadable(tmp_path: Path) -> None:
    from sandloop.comparing.inside.exact import sheets_of

    (tmp_path / "a").write_text("a,b\n")
    with pytest.raises(Unreadable, match="no workbook"):
        sheets_of(str(tmp_path / "a"))


def made(name: str, sha: str, size: int = 3) -> FileMade:
    return FileMade(name=name, size=size, mime="application/vnd.openxmlformats", sha256=sha * 64)


@pytest.mark.parametrize(
    ("seen", "change", "same", "differs"),
    [
        (CellsSeen(same=True), "same", True, ""),
        (CellsSeen(same=False, said="B3 is 1, then 2"), "changed", False, "B3 is 1, then 2"),
        (CellsSeen(same=None, said="it took too long"), "changed", None, "\nits cells were not compared: it took too long"),
        (None, "changed", None, "which differs each time"),
    ],
)
def test_a_file_with_other_bytes_is_what_its_cells_are(
    seen: CellsSeen | None, change: str, same: bool | None, differs: str
) -> None:
    cells = {} if seen is None else {"w.xlsx": seen}
    (file,) = files_differ([made("w.xlsx", "a")], [made("w.xlsx", "b")], lambda _: None, cells)
    assert (file.change, file.same_cells) == (change, same)
    assert file.differs.endswith(differs)


def test_only_workbooks_and_parquet_are_opened() -> None:
    assert [holds_cells(name) for name in ("a/B.XLSX", "p.parquet", "a.csv", "a.pdf", "a.docx", "c.png")] == [True] * 2 + [
        False
    ] * 4


async def test_what_is_too_large_or_gone_is_not_opened_and_a_sandbox_that_cannot_be_had_is_said(tmp_path: Path) -> None:
    store = FileStore(file_bytes=MB)
    for sha in "ab":
        store.path(sha * 64).write_bytes(b"PK\3\4" + sha.encode())
    pairs = [(made(name, "a", size), made(name, now)) for name, now, size in (("l", "b", 70 * MB), ("g", "c", 3), ("w", "b", 3))]
    options = SandboxOptions(engine=f"unix://{tmp_path}/none.sock", warm="off")
    seen = await cells_seen(pairs, store, options=options, limits=Limits())
    assert {name: found.same for name, found in seen.items()} == {"l": None, "g": None, "w": None}
    assert (seen["l"].said, seen["g"].said) == ("it is over 60 MB", "its bytes are no longer kept")
    assert seen["w"].said.startswith("no sandbox could: ")
