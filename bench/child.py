"""What has to be measured in a process of its own, as memory once taken is not given back: prints one line of JSON.

python bench/child.py files SUBJECT PATH     # megabytes a second in and out, and growth in megabytes
python bench/child.py endless SUBJECT        # growth in megabytes by five seconds of endless output
"""

from __future__ import annotations

import functools
import json
import sys
import time
from pathlib import Path

import anyio

from closed import limits
from ours import Ours
from sandloop_sandbox.engine import Engine, engine
from sandloop_sandbox.image import ensure_image
from subject import FILE
from subjects import make

SECONDS = 5.0
ENDLESS = "while True:\n    print('x' * 100)"


def held(key: str) -> float:
    """Megabytes of this process: `VmRSS` now, `VmHWM` at most so far."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{key}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"/proc/self/status has no {key}")


async def files(found: Engine, name: str, path: Path) -> dict[str, float]:
    """A file in and out again."""
    subject = make(name, found, ensure_image(found.client, lambda line: None))
    session = await subject.open()
    await session.run("print(1)")
    size, before = path.stat().st_size / 1e6, held("VmRSS")
    began = time.perf_counter()
    await session.put(path)
    inside = time.perf_counter() - began
    # Inputs are read-only and not among what comes out: a copy is.
    await session.run(f"import os, shutil\nshutil.copyfile('{FILE}', 'copy.bin')\nprint(os.path.getsize('copy.bin'))")
    began = time.perf_counter()
    came = await session.get("copy.bin")
    outside = time.perf_counter() - began
    grown = held("VmHWM") - before
    await session.close()
    if came != path.stat().st_size:
        raise RuntimeError(f"{came} bytes of {path.stat().st_size} came back")
    return {"in": size / inside, "out": size / outside, "files_memory": max(0.0, grown)}


async def endless(found: Engine) -> dict[str, float]:
    """Output without end, up to the step's time."""
    session = await Ours(found, bounds=limits(step_seconds=SECONDS, output_total=10**12)).open()
    await session.run("print(1)")
    before = held("VmRSS")
    stopped = await session.stopped_by(ENDLESS)
    grown = held("VmHWM") - before
    await session.close()
    if stopped != "time":
        raise RuntimeError(f"endless output was stopped by {stopped!r}, not by its time")
    return {"grown": max(0.0, grown)}


async def measure(what: str, subject: str, path: str = "") -> dict[str, float]:
    """The figures by name."""
    found = engine()
    return await (files(found, subject, Path(path)) if what == "files" else endless(found))


if __name__ == "__main__":
    print(json.dumps(anyio.run(functools.partial(measure, *sys.argv[1:]))))
