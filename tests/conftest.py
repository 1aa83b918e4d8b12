"""What all shelves share."""

from __future__ import annotations

import os

import pytest

os.environ["SANDLOOP_WARM"] = "off"
"""Containers made ahead would come and go in the middle of other tests; those that are about them say so."""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
