"""The benchmark comes through a small round: each subject does its work, figures come out, and nothing is left."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import anyio
import pytest

from bench import main
from data import Data
from figures import Sample
from ground import Ground
from measures import first_output, first_table
from report import OTHERS
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import ensure_image
from subjects import make
from table import MEASURES

pytestmark = pytest.mark.alone


@pytest.mark.parametrize("name", ["ours", "limit", "limit_warm", "exec", "run"])
async def test_a_subject_runs_code_over_a_file_and_leaves_nothing(
    name: str, engine: Engine, tmp_path: Path, ours: Callable[[], set[str]]
) -> None:
    before = ours()
    subject = make(name, engine, ensure_image(engine.client, lambda line: None))
    ground = Ground(engine, Data(tmp_path))
    samples: list[Sample] = [*await first_output("cold")(ground, subject), *await first_table(ground, subject)]
    await subject.close()
    assert [sample.row for sample in samples] == ["cold", "table"]
    assert all(sample.value > 0 for sample in samples)
    await _until_gone(lambda: ours() <= before)


async def test_a_round_gives_figures_ratios_and_json(tmp_path: Path) -> None:
    written = tmp_path / "figures.json"
    done = await anyio.to_thread.run_sync(main, ["--rounds", "1", "--only", "step,in,close,import", "--json", str(written)])
    assert done == 0
    found = json.loads(written.read_text())
    rows = {row["id"]: row for row in found["rows"]}
    assert set(rows) == {"step", "in", "out", "files_memory", "close", "gone", "import", "help"}
    assert all("ours" in row["figures"] for row in rows.values())
    assert set(rows["step"]["ratios"]) == set(OTHERS)
    assert all(ratio > 0 for ratio in rows["step"]["ratios"].values())
    assert rows["step"]["figures"]["ours"]["samples"] > 1
    assert found["failures"] == []


def test_every_row_has_a_name_of_its_own() -> None:
    names = [row.id for measure in MEASURES for row in measure.rows]
    assert len(names) == len(set(names))


async def _until_gone(gone: Callable[[], bool]) -> None:
    with anyio.fail_after(20):
        while not await anyio.to_thread.run_sync(gone):
            await anyio.sleep(0.05)
