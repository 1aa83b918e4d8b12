"""How fast the sandbox is, beside a bare limit and what people do by hand, measured in the same run.

python bench/bench.py --rounds 30 --json FILE --only cold,step
"""

from __future__ import annotations

import argparse
import functools
import json
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import anyio
from rich.console import Console

from data import Data
from figures import line
from ground import Ground
from report import as_json, as_table
from rounds import take_rounds
from sandloop.errors import SandloopError
from sandloop_sandbox.engine import engine
from sandloop_sandbox.image import ensure_image
from subject import Subject
from subjects import make
from table import MEASURES

WIDTH = 160
"""Of the table where no terminal has a width of its own."""
RESULTS = Path(__file__).parent / "results"


def arguments(argv: list[str]) -> argparse.Namespace:
    """The command line."""
    rows = [row.id for measure in MEASURES for row in measure.rows]
    parser = argparse.ArgumentParser(description="Measure the sandbox.")
    parser.add_argument("--rounds", type=int, default=30, help="samples of each; 3 for a short look")
    parser.add_argument("--json", type=Path, help="where the figures go; default: a file in bench/results")
    parser.add_argument("--only", default="", help=f"rows, with commas between: {', '.join(rows)}")
    given = parser.parse_args(argv)
    given.only = [row for row in given.only.split(",") if row] or rows
    if given.rounds < 1 or not set(given.only) <= set(rows):
        parser.error(f"--rounds is 1 or more, and --only takes some of: {', '.join(rows)}")
    return given


async def measure(given: argparse.Namespace, console: Console) -> int:
    """Measure, print and write. Returns 1 when a subject failed."""
    found = engine()
    image = ensure_image(found.client, console.print)
    table = [some for some in MEASURES if any(row.id in given.only for row in some.rows)]

    @functools.cache
    def subject(name: str) -> Subject:
        return make(name, found, image)

    with tempfile.TemporaryDirectory(prefix="sandloop-bench-") as folder, console.status("") as status:
        ground = Ground(found, Data(Path(folder)))
        samples, failures = await take_rounds(given.rounds, table, subject, ground, status.update)
    lines = [line(row, samples) for some in table for row in some.rows]
    Console(width=None if sys.stdout.isatty() else WIDTH).print(as_table(lines))
    for failure in failures:
        console.print(f"failed: {failure.row}, {failure.subject}: {failure.said}", markup=False)
    path = given.json or RESULTS / f"{datetime.now(UTC):%Y%m%d-%H%M%S}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(as_json(lines, samples, failures, rounds=given.rounds, engine=found.name), indent=1) + "\n")
    console.print(f"written: {path}")
    return 1 if failures else 0


def main(argv: list[str]) -> int:
    """Exit code 1 when a subject failed, 4 without an engine."""
    console = Console(stderr=True)
    try:
        return anyio.run(measure, arguments(argv), console)
    except SandloopError as error:
        console.print(str(error), markup=False)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
