"""Scratch folders of dead processes are removed, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandloop.scratch import scratch_folder, sweep

MAKE = (
    "from sandloop.scratch import scratch_folder; print(scratch_folder(), flush=True); import os, signal; os.kill(os.getpid(), 9)"
)


def test_what_a_killed_process_left_is_removed_and_what_lives_stays(tmp_path: Path) -> None:
    environ = os.environ | {"TMPDIR": str(tmp_path)}
    left = Path(
        subprocess.run([sys.executable, "-c", MAKE], env=environ, capture_output=True, text=True, check=False).stdout.strip()
    )
    mine = tmp_path / scratch_folder().name
    mine.mkdir()
    (left / "file").write_text("x")
    others = [tmp_path / name for name in ("sandloop-notes", "sandloop-1-99999999-x", "other")]
    for folder in others:
        folder.mkdir()
    left.with_name(f"{left.name}-link").symlink_to(tmp_path / "other")

    assert sweep(tmp_path) == [left]
    assert mine.exists()
    assert all(folder.exists() for folder in others)


def test_a_scratch_folder_is_private() -> None:
    folder = scratch_folder()
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.rmdir()
