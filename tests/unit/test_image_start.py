"""The programs inside the sandbox start with few imports: each costs every session."""

from __future__ import annotations

import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

import sandloop_image
from sandloop_image import previews, processes

SLOW = {"typing", "pathlib", "json", "subprocess", "inspect", "dataclasses", "asyncio", "logging"}
FOLDER = Path(sandloop_image.__file__).parent.parent


@pytest.mark.parametrize("module", ["supervisor", "kernel"])
def test_a_program_that_every_session_starts_does_without_slow_modules(module: str) -> None:
    source = f"import sys; sys.path.append({str(FOLDER)!r}); import sandloop_image.{module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", source], capture_output=True, text=True, check=True)
    assert SLOW.isdisjoint(done.stdout.split())


def test_what_the_supervisor_imports_for_previews_does_without_them_too() -> None:
    prepare = "from sandloop_image import previews; previews.prepare(); print(*sys.modules)"
    source = f"import sys; sys.path.append({str(FOLDER)!r}); {prepare}"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", source], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) & SLOW == {"json"}
    assert {f"sandloop_image.{name}" for name in previews.NEEDED} <= set(done.stdout.split())


def test_a_python_without_a_module_for_previews_costs_the_preview_only(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n1\n")
    source = f"""
import sys; sys.path.append({str(FOLDER)!r}); sys.modules['_lzma'] = None
from sandloop_image import previews
previews.of({str(tmp_path / "a.csv")!r}, {{}})()
"""
    done = subprocess.run([sys.executable, "-I", "-S", "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("could not be previewed")
    assert "_lzma" in done.stdout


def test_the_end_of_a_child_is_seen_where_the_kernel_shows_it() -> None:
    child = subprocess.Popen(["sleep", "60"])
    (descriptor,) = processes.watch(child.pid)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    assert not poll.poll(0)
    assert not os.get_inheritable(descriptor)
    child.kill()
    assert poll.poll(10_000)
    os.close(descriptor)
    child.wait()
    assert processes.watch(child.pid) == ()
