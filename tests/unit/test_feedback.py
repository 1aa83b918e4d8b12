"""What the model is told about a run: bounded, plain, and nothing it needs left out."""

from __future__ import annotations

import pytest

from sandloop.events import CodeError, CodeRan, FileMade
from sandloop.feedback import STDOUT_CHARS, describe_run


@pytest.mark.parametrize(
    ("ran", "has"),
    [
        (CodeRan(code_id="c", exit_code=0), ["printed nothing"]),
        (CodeRan(code_id="c", exit_code=0, stdout="3\n"), ["Output:\n3"]),
        (CodeRan(code_id="c", exit_code=0, stdout="3\n", stderr="careful"), ["Output:\n3", "Warnings:\ncareful"]),
        (
            CodeRan(code_id="c", exit_code=1, error=CodeError(name="KeyError", value="'x'", traceback="line 2\nKeyError: 'x'")),
            ["Error:\nline 2\nKeyError: 'x'"],
        ),
        (CodeRan(code_id="c", exit_code=3), ["exit code 3"]),
        (CodeRan(code_id="c", exit_code=137, stopped_by="memory", state="lost"), ["more memory", "variables are gone"]),
        (
            CodeRan(code_id="c", exit_code=137, stopped_by="memory", state="lost", out_of_memory="kernel"),
            ["more memory", "interpreter itself was killed for memory"],
        ),
        (CodeRan(code_id="c", exit_code=0, out_of_memory="child"), ["A process that the code started was killed for memory"]),
        (CodeRan(code_id="c", exit_code=None, stopped_by="time"), ["time limit"]),
    ],
)
def test_it_says(ran: CodeRan, has: list[str]) -> None:
    text = describe_run(ran, ())
    for part in has:
        assert part in text


def test_long_output_keeps_head_and_tail_and_says_what_is_left_out() -> None:
    ran = CodeRan(code_id="c", exit_code=0, stdout="a" * 50_000 + "END", stdout_cut=7)
    text = describe_run(ran, ())
    assert len(text) < STDOUT_CHARS + 200
    assert text.endswith("END")
    assert f"[{50_003 - STDOUT_CHARS + 7} characters are left out here]" in text


def test_made_files_are_named_with_their_size() -> None:
    made = FileMade(name="chart.png", size=2048, mime="image/png", sha256="0" * 64)
    assert "chart.png (2.0 kB)" in describe_run(CodeRan(code_id="c", exit_code=0), (made,))
