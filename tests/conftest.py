"""What all shelves share."""

from __future__ import annotations

import os
import sys

import pytest

os.environ["SANDLOOP_WARM"] = "off"
"""Containers made ahead would come and go in the middle of other tests; those that are about them say so."""

os.environ["SANDLOOP_RUNS"] = "off"
"""No test writes into the user's folder of runs; those that are about runs name one of their own."""

os.environ["SANDLOOP_KEYS"] = "off"
os.environ["PYTHON_KEYRING_BACKEND"] = "keyring.backends.null.Keyring"
"""No test comes near the user's keys; those that are about kept keys name a file, or a keyring, of their own."""

os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, sys.path))
"""Where the processes that tests start find what the tests share, and this checkout."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
