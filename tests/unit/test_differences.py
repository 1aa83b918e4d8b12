"""What a run's code did again, held against what it did then."""

from __future__ import annotations

from typing import Any

import pytest

from sandloop.events import CodeError, CodeRan, CodeWritten, FileMade
from sandloop.runs.differences import (
    DIFF_LINES,
    CellAgain,
    FileAgain,
    Replayed,
    cell_differs,
    environment_differs,
    files_differ,
    short_diff,
)

ERROR = CodeError(name="KeyError", value="'a'", traceback="KeyError: 'a'")


def ran(**facts: Any) -> CodeRan:
    told: dict[str, Any] = {"exit_code": 0} | facts
    return CodeRan(code_id="c", **told)


def made(name: str, sha: str = "a", mime: str = "text/csv", size: int = 3) -> FileMade:
    return FileMade(name=name, size=size, mime=mime, sha256=sha * 64)


@pytest.mark.parametrize(
    ("then", "now", "says"),
    [
        (ran(stdout="1\n"), ran(stdout="1"), []),
        (ran(exit_code=None, stdout="1"), ran(stdout="1"), []),
        (ran(exit_code=None, outcome="unknown"), ran(exit_code=1), []),
        (ran(seconds=1.0), ran(seconds=2.0), []),
        (ran(), ran(exit_code=1), ["exit code 1, then 0"]),
        (ran(exit_code=None), ran(exit_code=1), ["it failed, then it went well"]),
        (ran(stdout="1"), ran(stdout="2"), ["stdout differs:\n--- then\n+++ now\n@@ -1 +1 @@\n-1\n+2"]),
        (ran(stderr="w"), ran(), ["stderr differs"]),
        (ran(exit_code=1, error=ERROR), ran(exit_code=1, error=ERROR), []),
        (ran(exit_code=1, error=ERROR), ran(), ["exit code 0, then 1", "the error is none, then KeyError: 'a'"]),
        (ran(exit_code=None), ran(exit_code=137, stopped_by="time"), ["stopped by time, then by itself"]),
    ],
)
def test_a_cell(then: CodeRan, now: CodeRan, says: list[str]) -> None:
    found = cell_differs(then, now)
    assert len(found) == len(says)
    assert all(said.startswith(wanted) for said, wanted in zip(found, says, strict=True))


def test_a_diff_is_bounded_in_lines_in_their_length_and_in_what_it_reads() -> None:
    diff = short_diff("\n".join(map(str, range(1000))), "x" * 10_000)
    assert len(diff.splitlines()) == DIFF_LINES + 1
    assert max(map(len, diff.splitlines())) < 500
    assert "too long to compare" in short_diff("a" * 600_000, "b")


def test_files_are_the_same_changed_missing_or_new() -> None:
    contents = {"a": "1\n2\n", "b": "1\n3\n"}
    then = [made("same.csv"), made("text.csv", "x"), made("text.csv", "a"), made("book.xlsx", "a", "application/zip"), made("gone")]
    now = [made("same.csv"), made("text.csv", "b"), made("book.xlsx", "b", "application/zip", 4), made("more")]
    found = {
        f.name: f for f in files_differ(then, now, lambda f: contents.get(f.sha256[0]) if f.mime.startswith("text/") else None)
    }
    assert {name: f.change for name, f in found.items()} == {
        "same.csv": "same",
        "text.csv": "changed",
        "book.xlsx": "changed",
        "gone": "missing",
        "more": "new",
    }
    assert "-2\n+3" in found["text.csv"].differs
    assert found["book.xlsx"].differs.startswith("3 bytes then, 4 now; such a file usually holds the time")


@pytest.mark.parametrize(
    ("then", "now", "says"),
    [
        ({"python": "3.11"}, {"python": "3.11"}, ()),
        ({"python": "3.11"}, {"python": "3.12"}, ("python: 3.11 then, 3.12 now",)),
        ({"sandbox": {"image": "a"}}, {"sandbox": {"image": "b"}}, ("image: a then, b now",)),
        ({"sandbox": {"packages": []}}, {"sandbox": {"packages": ["x"]}}, ("packages: none then, ['x'] now",)),
        ({"sandbox": None}, {"sandbox": {"image": "b"}}, ("the code ran at a provider then, in the local sandbox now",)),
        ({}, {"python": "3"}, ("it is not known what it was made with then",)),
        ({"sandbox": "nonsense"}, {}, ()),
    ],
)
def test_the_environment(then: dict[str, Any], now: dict[str, Any], says: tuple[str, ...]) -> None:
    assert environment_differs(then, now) == says


def test_a_replay_is_the_same_whatever_the_environment() -> None:
    code = CodeWritten(code_id="c", language="python", source="1", origin="fenced")
    same = CellAgain(code=code, then=ran(), now=ran())
    other = CellAgain(code=code, then=ran(), now=ran(exit_code=1), differs=("exit code 1, then 0",))
    new = FileAgain(name="x", change="new", then=None, now=made("x"))
    assert Replayed(run="1", cells=(same,), files=(), environment=("image",)).same
    assert not Replayed(run="1", cells=(same, other), files=()).same
    assert not Replayed(run="1", cells=(same,), files=(new,)).same
    assert Replayed(run="1", cells=(same,), files=(new,)).to_plain()["files"][0]["now"]["name"] == "x"
