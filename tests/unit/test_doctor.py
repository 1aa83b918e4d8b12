"""What the doctor prints."""

from __future__ import annotations

import pytest

from sandloop.doctor import report
from sandloop.ports import Finding


@pytest.mark.parametrize("width", [24, 40, 80])
def test_the_next_command_is_whole_however_narrow_the_window(width: int) -> None:
    command = "sudo-usermod-without-a-blank-in-it-anywhere"
    text = report([(4, Finding(what="engine", state="missing", says="no", do=command))], width=width)
    assert command in "".join(text.split())
