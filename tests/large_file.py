"""Moves a large file into a sandbox and out again, and says how much memory that took. A program of its own: memory has a peak."""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from dataclasses import replace
from pathlib import Path

from docker_runs import SMALL, says
from hostile_wire import file_at
from sandloop.limits import MB
from sandloop.options import SandboxOptions
from sandloop.result import ResultFile
from sandloop.store import FileStore
from sandloop_sandbox.docker import open_docker

LIMITS = replace(SMALL, input_bytes=320 * MB, disk=320 * MB, file_bytes=320 * MB, step_seconds=120)


async def main(small: Path, large: Path, folder: Path) -> None:
    session = await open_docker(LIMITS, SandboxOptions(), lambda line: None).open()
    store = FileStore(file_bytes=LIMITS.file_bytes)

    async def there_and_back(path: Path) -> dict[str, object]:
        await session.put([file_at(path)])
        told = await says(
            session, f"import os, shutil; shutil.copyfile({path.name!r}, 'out'); print(os.path.getmtime({path.name!r}))"
        )
        made = await store.add(f"back-{path.name}", session.get("out"), code_id="c")
        saved = ResultFile(made, store).save(folder)
        return {"saved": str(saved), "sha256": made.sha256, "modified": float(told), "mode": saved.stat().st_mode & 0o777}

    await there_and_back(small)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    told = await there_and_back(large)
    told["grown"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    await session.close()
    print(json.dumps(told))


if __name__ == "__main__":
    asyncio.run(main(*map(Path, sys.argv[1:])))
