"""The parts of the inside that need no container: how a cell ends, and what a folder is said to hold."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandloop_image.cell import Cells
from sandloop_image.folder import Listing, Refused, open_regular


@pytest.fixture
def cells(tmp_path: Path) -> Iterator[Cells]:
    main = sys.modules["__main__"]
    yield Cells(str(tmp_path))
    sys.modules["__main__"] = main


def test_the_last_expression_is_shown_and_remembered(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    for number, source in enumerate(("x = 3\nx + 1", "_ * 2"), 1):
        claim = cells.run(number, source)
        assert (claim.exit_code, claim.error) == (0, None)
    assert capsys.readouterr().out == "4\n8\n"


def test_a_future_import_holds_for_the_cells_after_it(cells: Cells, capsys: pytest.CaptureFixture[str]) -> None:
    cells.run(1, "from __future__ import annotations")
    cells.run(2, "def f(x: nothing_of_that_name): pass\nf.__annotations__")

    assert capsys.readouterr().out == "{'x': 'nothing_of_that_name'}\n"


def test_our_own_frames_are_not_in_a_traceback(cells: Cells) -> None:
    error = cells.run(7, "import json\njson.loads('{')").error

    assert error is not None
    assert error[0] == "JSONDecodeError"
    assert error[2].count('File "') == 1
    assert 'File "<step 7>", line 2' in error[2]


def test_a_module_of_the_users_in_the_working_folder_stays_in_the_traceback(cells: Cells, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def f():\n    raise ValueError('here')\n")
    source = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nimport mine\nsys.path.pop(0)\nmine.f()"
    error = cells.run(1, source).error

    assert error is not None
    assert "mine.py" in error[2]


def test_a_chain_of_the_users_own_errors_is_told_whole(cells: Cells) -> None:
    error = cells.run(1, "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('second') from e").error

    assert error is not None
    assert "ZeroDivisionError" in error[2]
    assert error[2].endswith("ValueError: second\n")


def test_a_listing_follows_no_link_and_names_what_it_left_out(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("12345")
    (tmp_path / "link").symlink_to("/etc/passwd")
    os.mkfifo(tmp_path / "fifo")
    listing = Listing(str(tmp_path))

    assert listing.files[:2] == ["a/file", "5"]
    assert listing.skipped == ["fifo", "is not a regular file", "link", "is a link"]


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", "a//file", "a/."])
def test_a_name_that_climbs_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Refused, match="plain path"):
        open_regular(str(tmp_path), name, 10)


def test_a_file_is_opened_up_to_its_bound(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("12345")
    opened = open_regular(str(tmp_path), "file", 5)
    os.close(opened)

    with pytest.raises(Refused, match="larger"):
        open_regular(str(tmp_path), "file", 4)
