"""A run as Markdown: code, what it printed, the answer."""

from __future__ import annotations

import pytest

from sandloop.events import Answered, CodeError, CodeRan, CodeWritten, Event, ReplyEnded
from sandloop.extraction import extract
from sandloop.result import Result
from sandloop.store import FileStore
from sandloop.terminal.blocks import fenced, steps_and_answer


def markdown(*events: Event) -> str:
    return steps_and_answer(Result(events=events, store=FileStore(file_bytes=1)))


def cell(number: int, source: str = "print(1)") -> CodeWritten:
    return CodeWritten(code_id=f"c{number}", language="python", source=source, origin="fenced")


def test_each_cell_stands_before_what_it_printed_and_the_answer_last() -> None:
    ran = CodeRan(code_id="c1", exit_code=0, stdout="1\n", stderr="careful\n")
    assert markdown(cell(1), ran, cell(2, "x = 1"), CodeRan(code_id="c2", exit_code=0), Answered(text="It is 1.")) == (
        "```python\nprint(1)\n```\n\n```text\n1\ncareful\n```\n\n```python\nx = 1\n```\n\nIt is 1."
    )


def test_an_error_a_stop_and_a_cut_are_told_and_a_cell_that_never_ran_stands_alone() -> None:
    error = CodeError(name="KeyError", value="'x'", traceback="Traceback:\nKeyError: 'x'\n")
    failed = CodeRan(code_id="c1", exit_code=1, error=error, stdout="1\n", stdout_cut=7)
    stopped = CodeRan(code_id="c2", exit_code=137, stopped_by="memory")
    assert markdown(cell(1), failed, cell(2), stopped, cell(3)) == (
        "```python\nprint(1)\n```\n\n```text\n1\n[7 bytes of the middle are left out]\nTraceback:\nKeyError: 'x'\n```\n\n"
        "```python\nprint(1)\n```\n\n```text\n[not run to its end: memory]\n```\n\n```python\nprint(1)\n```"
    )


@pytest.mark.parametrize("source", ["print('```')", "'''\n```python\nx\n```\n'''", "x = '`````'"])
def test_no_content_ends_its_own_fence(source: str) -> None:
    found = extract(ReplyEnded(stop="end", text=fenced(source, "python")))
    assert [c.source for c in found.cells] == [source]
