"""The documents as a site, built once in each process for all tests that look at it."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent


@cache
def site() -> Path:
    """Its folder. A warning of the build is an error, such as a link or an anchor that leads nowhere."""
    folder = ROOT / f"build/site-of-tests{os.environ.get('PYTEST_XDIST_WORKER', '')}"  # two may build at once
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", str(folder)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr + done.stdout
    return folder
