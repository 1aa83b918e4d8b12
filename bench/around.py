"""What is measured around the sandbox: the import, the command line, and what the loop adds to a run."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import anyio

import sandloop
from figures import Sample
from ground import Ground
from sandloop.events import CodeRan, ReplyEnded, SandboxOpened
from subject import Subject

EXAMPLES = Path(__file__).parent.parent / "examples"
REPLY_SECONDS = 2.0
"""A quick model's time for a reply with code. The recording answers at once, so its share would be all."""
QUESTION = (
    "Compute the mean temp_max of each calendar month over all years, draw it as a bar chart and save the chart. "
    "Which month is warmest, and what is its mean?"
)
PROGRAMS = {
    "bare": "pass",
    "import": "import sandloop",
    "help": "import sys; from sandloop.cli import main; sys.argv = ['sandloop', '--help']; main()",
}


async def imports(ground: Ground, subject: Subject) -> list[Sample]:
    """New processes of Python, one right after the other, and what two of them take beyond the bare one."""
    seconds = {name: await anyio.to_thread.run_sync(_process, program) for name, program in PROGRAMS.items()}
    return [
        Sample(row=name, subject=subject.name, value=1000 * (seconds[name] - seconds["bare"]))
        for name in PROGRAMS
        if name != "bare"
    ]


def _process(program: str) -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", program], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


async def loop(ground: Ground, subject: Subject) -> list[Sample]:
    """A recorded run, whose code runs for real: all of its time that was not the code's own."""
    await subject.ready()
    began = time.perf_counter()
    result = await sandloop.aanalyze(
        QUESTION,
        [EXAMPLES / "seattle-weather.csv"],
        model=f"replay:{EXAMPLES / 'recordings' / 'csv.jsonl'}",
        route="local",
        settings=sandloop.Settings(sandbox=sandloop.SandboxOptions(warm="process", pool=1), runs=str(ground.data.runs)),
    )
    seconds = time.perf_counter() - began
    code = sum(e.seconds or 0.0 for e in result.events if isinstance(e, CodeRan))
    model = REPLY_SECONDS * sum(isinstance(e, ReplyEnded) for e in result.events)
    warm = any(isinstance(e, SandboxOpened) and e.warm for e in result.events)
    added = seconds - code
    return [
        Sample(row="loop", subject=subject.name, value=1000 * added, warm=warm),
        Sample(row="share", subject=subject.name, value=100 * added / (added + code + model), warm=warm),
    ]
