"""A zygote that never gets ready: given up after a few, and every step goes on in a plain kernel."""

from __future__ import annotations

import pytest

from docker_runs import SMALL, says
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import ensure_image
from sandloop_sandbox.prove_docker import open_weakened
from weakenings import entry

pytestmark = pytest.mark.alone

BROKEN = """
from sandloop import interpreters
program = interpreters.program
fails = [interpreters.PYTHON, "-I", "-S", "-c", "open('/tmp/begun', 'a').write('.'); raise SystemExit(1)"]
interpreters.program = lambda module: fails if module == "zygote" else program(module)
"""


@pytest.mark.parametrize("command", [["60", "1"], ["60", "1", "60"]], ids=["asked for", "made ahead"])
async def test_libraries_that_can_not_be_imported_ahead_cost_time_only(engine: Engine, command: list[str]) -> None:
    image = ensure_image(engine.client, lambda line: None)
    session = open_weakened(engine, image, SMALL, change={"Entrypoint": entry(BROKEN), "Cmd": command})
    try:
        assert await says(session, "import numpy; int(numpy.arange(3).sum())") == "3"
        for _ in range(2):
            await session.run("ended", "import os; os._exit(1)", "python", lambda stream, text: None)
            assert await says(session, "import numpy; open('/tmp/begun').read()") == "'...'"
    finally:
        await session.close()
