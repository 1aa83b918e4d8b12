"""A run as a notebook and as a script: valid, harmless, runnable where its inputs lie."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from kept_runs import happened
from sandloop.events import (
    Answered,
    CodeError,
    CodeRan,
    CodeWritten,
    Event,
    Failed,
    FileMade,
    InputFile,
    Language,
    Origin,
    ReplyEnded,
    RunStarted,
    Text,
)
from sandloop.export import as_notebook, as_script
from sandloop.export.inert import inert
from sandloop.result import Result
from sandloop.store import FileStore

PNG = b"\x89PNG\r\n\x1a\npicture"
ASKED = RunStarted(
    id="1", question="How\nmany?", model="m", at="now", files=(InputFile(name="a.csv", size=4, mime="text/csv", sha256="a" * 64),)
)


def result(*events: Event) -> Result:
    return Result(events=(ASKED, *events), store=FileStore(file_bytes=1))


def cell(
    source: str,
    ran: CodeRan | None = None,
    *,
    language: Language = "python",
    origin: Origin = "tool_call",
    code_id: str = "c1",
) -> list[Event]:
    written = CodeWritten(code_id=code_id, language=language, source=source, origin=origin)
    return [written, *([ran] if ran is not None else [])]


def ran(code_id: str = "c1", **facts: Any) -> CodeRan:
    told: dict[str, Any] = {"exit_code": 0} | facts
    return CodeRan(code_id=code_id, **told)


def read(text: str) -> Any:
    return nbformat.reads(text, as_version=4)  # type: ignore[no-untyped-call]


def cells(*events: Event) -> list[Any]:
    book = read(as_notebook([result(*events)]))
    nbformat.validate(book)
    return list(book.cells)


def test_a_run_is_question_prose_code_with_its_output_and_answer_and_nothing_twice() -> None:
    head, prose, code, answer = cells(*happened())
    assert head.source.startswith("# How many?\n\nAsked m at now, local: r. Run 1.\n\nNeeds beside it: `a.csv` (4 bytes).")
    assert prose.source == "I look."
    assert (code.cell_type, code.source) == ("code", "print(1)")
    assert [(o.name, o.text) for o in code.outputs] == [("stdout", "1\n")]
    assert answer.source == "One."


def test_a_native_run_keeps_prose_and_code_in_their_order() -> None:
    events: list[Event] = [
        Text(text="First."),
        *cell("1", ran(), origin="provider"),
        Text(text="Then."),
        *cell("ls", ran("c2"), language="bash", origin="provider", code_id="c2"),
        Text(text="Done."),
        ReplyEnded(stop="end", text="First.Then.Done."),
        Answered(text="Done."),
    ]
    assert [c.source for c in cells(*events)[1:]] == ["First.", "1", "Then.", "%%bash\nls", "Done."]


def test_errors_exit_codes_and_what_was_cut_stand_in_the_outputs() -> None:
    error = CodeError(name="KeyError", value="'a'", traceback="Traceback\n  here\nKeyError: 'a'")
    failed = cells(*cell("x", ran(exit_code=1, error=error, stdout="half", stdout_cut=7)))[1]
    assert failed.metadata.tags == ["raises-exception"]
    assert [o.output_type for o in failed.outputs] == ["stream", "error"]
    assert "7 bytes" in failed.outputs[0].text
    assert failed.outputs[1].traceback[-1] == "KeyError: 'a'"
    killed = cells(*cell("x", ran(exit_code=137, stopped_by="memory")))[1]
    assert killed.outputs[0].text == "[stopped by: memory]\n"
    bad = cells(*cell("x", ran(exit_code=7), language="bash"))[1]
    assert bad.outputs[0].text == "[exit code 7]\n"


async def test_pictures_are_shown_where_they_were_made() -> None:
    store = FileStore(file_bytes=100)

    async def pieces() -> AsyncIterator[bytes]:
        yield PNG

    made = await store.add("chart.png", pieces(), code_id="c1")
    gone = FileMade(name="gone.png", size=3, mime="image/png", sha256="b" * 64, code_id="c1")
    whole = Result(events=(ASKED, *cell("draw()", ran()), made, gone), store=store)
    outputs = json.loads(as_notebook([whole]))["cells"][1]["outputs"]
    assert [sorted(o["data"]) for o in outputs] == [["image/png", "text/plain"], ["text/plain"]]


@pytest.mark.parametrize(
    ("events", "says"),
    [
        (cell("rm()", ran(exit_code=None, stopped_by="declined")), "The user did not allow this code"),
        (cell("rm()"), "This code was not run"),
        (cell("a -> b", ran(), language="text", origin="provider"), "An edit by the provider's own tool"),
    ],
)
def test_what_did_not_run_is_no_code_cell_and_no_code_in_a_script(events: list[Event], says: str) -> None:
    shown = cells(*events)[1]
    assert shown.cell_type == "markdown"
    assert says in shown.source
    script = as_script([result(*events)])
    assert says in script
    assert all(line.startswith("#") or not line for line in script.splitlines())


def test_what_was_printed_moves_no_cursor_and_hides_nothing_in_a_script() -> None:
    events = cell("print(1)", ran(stdout="\x1b[2J\x1b]0;mine\x07\u202eevil\n"))
    script = as_script([result(*events)])
    assert not any(character in script for character in "\x1b\x07\u202e")
    assert "# \\u001b[2J\\u001b]0;mine\\u0007\\u202eevil" in script


def test_a_run_without_an_answer_says_why() -> None:
    assert "LimitReached: Too long." in cells(Failed(error="LimitReached", message="Too long."))[-1].source


@pytest.mark.parametrize(
    "text",
    [
        "<img src=http://x/y>",
        "![x](http://x/y)",
        "![x][1]\n\n[1]: http://x/y",
        "<script>alert(1)</script>",
        "<!-- -->",
        "a\n<svg\nonload=x>",
        "> ```\n> <img src=x>\n\n<img src=y>",
        "- ```\n<img src=x>\n```",
        "\\`<img src=x>\\`",
        "```\nunclosed\n\n``` <img src=x>",
    ],
)
def test_prose_loads_nothing_and_runs_nothing(text: str) -> None:
    from markdown_it import MarkdownIt

    shown = MarkdownIt("commonmark").render(inert(text))
    assert not any(tag in shown for tag in ("<img", "<script", "<svg", "<!--"))


def test_prose_without_harm_and_fenced_code_stay_as_they_are() -> None:
    text = "a < b and `x[0]`\n\n```html\n<img src=x>\n![a](b)\n```\n\n*end*"
    assert inert(text) == text


def test_a_notebook_runs_again_where_its_inputs_lie(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    events = [
        *cell("import os\nrows = open(os.path.join(os.environ['INPUT_DIR'], 'a.csv')).read().split()", ran()),
        *cell("1/0", ran("c2", exit_code=1, error=CodeError(name="E", value="", traceback="E")), code_id="c2"),
        *cell("wc -l < a.csv", ran("c3"), language="bash", code_id="c3"),
        *cell("print(rows)", ran("c4"), code_id="c4"),
    ]
    book = read(as_notebook([result(*events)]))
    NotebookClient(book, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert [c.outputs[0].get("text") or c.outputs[0].ename for c in book.cells if c.get("outputs")] == [
        "ZeroDivisionError",
        "2\n",
        "['a', '1']\n",
    ]


def test_a_script_runs_again_where_its_inputs_lie(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    error = CodeError(name="ZeroDivisionError", value="", traceback="ZeroDivisionError")
    events = [
        *cell("rows = open('a.csv').read().split()", ran(stdout="one\ntwo\u2028import os\x0cimport sys\r")),
        *cell("x = 1\nx / 0", ran("c2", exit_code=1, error=error), code_id="c2"),
        *cell('text = """\nkept"""\n1/0', ran("c3", exit_code=1, error=error), code_id="c3"),
        *cell("await nothing()", ran("c4"), code_id="c4"),
        *cell("echo 'it'\"'s\" \\\n  done", ran("c5"), language="bash", code_id="c5"),
        *cell("print(rows, x)", ran("c6"), code_id="c6"),
    ]
    script = as_script([result(*events)])
    (tmp_path / "run.py").write_text(script)
    done = subprocess.run([sys.executable, "run.py"], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "ZeroDivisionError division by zero\nit's done\n['a', '1'] 1\n"
    assert "# This cell failed then:" in script
    assert "# This cell is no plain Python:" in script


def test_questions_of_a_conversation_come_one_after_the_other() -> None:
    text = as_script([result(*happened()), result(*happened(answer="Two."))])
    assert text.index("# One.") < text.index("# Two.")
    assert text.count("# # How many?") == 2
