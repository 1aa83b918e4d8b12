"""The programs inside the sandbox start with few imports: each costs every session."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import sandloop_image

FOLDER = Path(sandloop_image.__file__).parent.parent


@pytest.mark.parametrize("module", ["supervisor", "kernel"])
def test_a_program_that_every_session_starts_does_without_slow_modules(module: str) -> None:
    source = f"import sys; sys.path.append({str(FOLDER)!r}); import sandloop_image.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", source], capture_output=True, text=True, check=True)
    slow = {"typing", "pathlib", "json", "subprocess", "inspect", "dataclasses", "asyncio", "logging"}
    assert slow.isdisjoint(done.stdout.split())
