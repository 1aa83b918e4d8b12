"""Every reply of the corpus gives the cells it means. `python tools/extraction_score.py` prints the score of each class."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from extraction_cases import CORPUS, FILES, outcome, read, score

TOOL = Path(__file__).parents[2] / "tools/extraction_score.py"


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_reply_gives_the_cells_it_means(path: Path) -> None:
    case = read(path)

    assert outcome(case.extracted()) == (case.wanted(), case.facts.get("cut_off", False))


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_a_reply_of_the_corpus_says_where_it_is_seen(path: Path) -> None:
    assert read(path).facts["seen"].strip()


def test_each_cell_of_a_call_bears_its_id() -> None:
    found = read(CORPUS / "call-two.md").extracted()

    assert [c.call_id for c in found.cells] == ["call_0", "call_1"]


def test_the_score_of_each_class_is_full() -> None:
    right, of = score(FILES)

    assert right == of
    assert of.total() >= 200


def test_the_tool_prints_the_score_and_fails_on_a_wrong_one(tmp_path: Path) -> None:
    (tmp_path / "wrong.md").write_text("+++\nclass = 'mine'\nseen = 'nowhere'\n+++\n```python\nprint(1)\n```\n")
    full, wrong = (
        subprocess.run([sys.executable, TOOL, *p], capture_output=True, text=True, check=False) for p in ([], [tmp_path])
    )

    assert (full.returncode, full.stdout.splitlines()[-1].split()) == (0, ["all", str(len(FILES)), "/", str(len(FILES))]), full
    assert (wrong.returncode, wrong.stdout.splitlines()) == (
        1,
        ["mine" + " " * 24 + "   0 / 1", "all" + " " * 25 + "   0 / 1", "wrong: wrong"],
    )
