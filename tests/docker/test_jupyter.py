"""The example notebook, run by a real kernel as a user's Jupyter would: what each cell shows, and what is drawn meanwhile."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from sandloop_sandbox.engine import Engine

NOTEBOOK = Path(__file__).parents[2] / "examples/notebook.ipynb"


def read() -> Any:
    """The example. `nbformat` has no types."""
    functions: Any = nbformat
    notebook = functions.read(NOTEBOOK, 4)
    functions.validate(notebook)
    return notebook


@dataclass
class Ran:
    """A notebook that was run."""

    cells: list[Any]
    drawn: dict[int, list[Any]] = field(default_factory=dict[int, list[Any]])
    """What was displayed while each cell ran, one after the other."""

    def outputs(self, of: str) -> list[Any]:
        """Of the one cell whose source holds that text."""
        (cell,) = [cell for cell in self.cells if cell.cell_type == "code" and of in cell.source]
        return list(cell.outputs)

    def drawings(self, of: str) -> list[Any]:
        (index,) = [i for i, cell in enumerate(self.cells) if cell.cell_type == "code" and of in cell.source]
        return self.drawn.get(index, [])


class Watching(NotebookClient):
    """A client that keeps what is drawn over."""

    drawn: dict[int, list[Any]]

    def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
        if msg["header"]["msg_type"] in ("display_data", "update_display_data"):
            self.drawn.setdefault(cell_index, []).append(msg["content"])
        return super().process_message(msg, cell, cell_index)


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, engine: Engine) -> Ran:
    folder = tmp_path_factory.mktemp("notebook")
    shutil.copytree(NOTEBOOK.parent, folder / "examples")
    notebook = read()
    settings = {
        "SANDLOOP_CONFIG": os.devnull,
        "SANDLOOP_RUNS": "off",
        "SANDLOOP_WARM": "off",
        "IPYTHONDIR": str(folder / "ipython"),
    }
    client = Watching(notebook, timeout=180, resources={"metadata": {"path": str(folder)}})
    client.drawn = {}
    client.execute(env={**os.environ, **settings})
    return Ran(notebook.cells, client.drawn)


def test_the_example_has_no_outputs_and_runs_with_any_python_kernel() -> None:
    notebook = read()
    assert notebook.metadata.kernelspec == {"name": "python3", "display_name": "Python 3", "language": "python"}
    for cell in notebook.cells:
        assert cell.get("outputs", []) == []
        assert cell.get("execution_count") is None


def test_a_result_shows_itself_with_its_picture_and_its_code_folded(ran: Ran) -> None:
    shown = ran.outputs("result = analyze")[-1].data
    assert shown["text/plain"].startswith("The warmest month is 8 with a mean of 26.11.\n[1 step; local · replay")
    assert '<img src="data:image/png;base64,' in shown["text/html"]
    assert "<details" in shown["text/html"]
    assert "<script" not in shown["text/html"]


def test_a_made_picture_shows_as_one(ran: Ran) -> None:
    assert ran.outputs("result.files[0]")[-1].data["image/png"].startswith("iVBOR")


def test_what_happens_is_drawn_in_one_place_and_one_line_is_left(ran: Ran) -> None:
    drawings = ran.drawings("result = analyze")
    assert len({drawing["transient"]["display_id"] for drawing in drawings}) == 1
    lines = [drawing["data"]["text/plain"] for drawing in drawings]
    assert lines[0].endswith(": waiting")
    assert any("running step 1" in line for line in lines)
    assert any("plt.savefig" in drawing["data"]["text/html"] for drawing in drawings)

    left, result = ran.outputs("result = analyze")
    assert left.output_type == "display_data"
    assert left.data["text/plain"].startswith("✓ replay:examples/recordings/csv.jsonl: answered · 1 step")
    assert result.output_type == "execute_result"


def test_a_comparison_draws_a_row_a_run_and_shows_a_column_a_run(ran: Ran) -> None:
    left, result = ran.outputs("comparison = compare")
    assert [line[0] for line in left.data["text/plain"].splitlines()] == ["✓", "✓"]
    assert result.data["text/html"].count("<section>") == 2
    assert result.data["text/html"].count("On 73 days") >= 2


def test_drawing_can_be_switched_off(ran: Ran) -> None:
    (printed,) = ran.outputs("Settings(notebook=False)")
    assert printed.text.startswith("On 73 days")
    assert ran.drawings("Settings(notebook=False)") == []


def test_the_async_calls_work_in_the_loop_of_the_notebook(ran: Ran) -> None:
    left, result = ran.outputs("await aanalyze")
    assert left.data["text/plain"].startswith("✓")
    assert "On 73 days" in result.data["text/plain"]
