"""An SDK is imported beside the event loop, once."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import anyio
import pytest

from sandloop_providers.sdk import load

SLOW = "import gc, time\ncollected = gc.isenabled()\ntime.sleep(0.5)\n"


async def test_everything_else_goes_on_while_an_sdk_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "slow_sdk.py").write_text(SLOW)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    turns = 0

    async def go_on() -> None:
        nonlocal turns
        while True:
            await anyio.sleep(0.01)
            turns += 1

    async with anyio.create_task_group() as group:
        group.start_soon(go_on)
        async with anyio.create_task_group() as both:
            both.start_soon(load, "slow_sdk")
            both.start_soon(load, "slow_sdk")
        group.cancel_scope.cancel()
    assert turns > 10
    assert sys.modules["slow_sdk"].collected is False
    assert gc.isenabled()


async def test_what_is_not_there_is_said_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_sdk.py").write_text("import gc, nothing_of_that_name\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError, match="nothing_of_that_name"):
            await load("broken_sdk")
    assert gc.isenabled()
