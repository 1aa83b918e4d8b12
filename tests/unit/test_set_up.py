"""Shell blocks beside Python that are for the user's own machine, and those that are not."""

from __future__ import annotations

import pytest

from sandloop.extraction.cells import Cell
from sandloop.extraction.set_up import without_set_up


def cells(*sources: str) -> list[Cell]:
    """What begins with `$ ` is a shell block."""
    return [
        Cell(language="bash" if s.startswith("$ ") else "python", source=s.removeprefix("$ "), origin="fenced") for s in sources
    ]


@pytest.mark.parametrize(
    "dropped",
    [
        "$ pip install pandas",
        "$ python total.py",
        "$ python3 -u ./total.py a.csv",
        "$ python3.12 -X utf8 total.py",
        "$ python -W ignore /workspace/total.py",
        "$ # first\npip install pandas\npython total.py",
        "$ streamlit run total.py",
        "$ python -m total",
    ],
)
@pytest.mark.parametrize("cell", ["print(1)", "# total.py\nprint('Usage: python total.py FILE')", '"""python total.py"""\nx = 1'])
def test_a_script_that_nobody_wrote_is_not_started(cell: str, dropped: str) -> None:
    assert without_set_up(cells(cell, dropped)) == cells(cell)


@pytest.mark.parametrize(
    "kept",
    [
        ("open('total.py', 'w').write('x')", "$ python total.py"),
        ("open('/workspace/total.py', 'w').write('x')", "$ python ./total.py"),
        ("open(b'total.py', 'w').write('x')", "$ python -u total.py"),
        ("%%writefile total.py\nprint(1)", "$ python total.py"),
        ("$ cat > total.py <<'EOF'\nprint(1)\nEOF", "x = 1  # for total.py", "$ python total.py"),
        ("print(1)", "$ python -c 'print(2)'"),
        ("print(1)", "$ ls\npython total.py"),
        ("print(1)", "$ wc -l sales.csv"),
        ("$ pip install pandas",),
        ("$ python total.py",),
    ],
)
def test_everything_else_runs(kept: tuple[str, ...]) -> None:
    assert without_set_up(cells(*kept)) == cells(*kept)
