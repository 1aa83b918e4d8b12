"""What became of a container, from the engine's own record of it."""

from __future__ import annotations

from typing import Any

import pytest

from sandloop.limits import MB
from sandloop_sandbox.fate import fate, is_told

RUNNING = {"Running": True, "Paused": False, "Status": "running"}


def event(action: str, seconds: float, **attributes: str) -> dict[str, Any]:
    return {"Action": action, "Actor": {"Attributes": attributes}, "timeNano": int(seconds * 1e9)}


STARTED = [event("create", 1.0), event("attach", 1.1), event("start", 1.2)]


@pytest.mark.parametrize(
    ("happened", "state", "part"),
    [
        (
            [event("oom", 5.0), event("die", 5.1, exitCode="137")],
            None,
            "killed for memory: all in it, its files too, may take 800.0 MB",
        ),
        ([event("die", 5.0, exitCode="137"), event("oom", 5.1)], None, "killed for memory"),
        ([event("oom", 5.0), event("kill", 60.0, signal="9"), event("die", 60.1, exitCode="137")], None, "killed or removed"),
        ([event("oom", 5.0), event("die", 60.0, exitCode="137")], None, "main process was killed from outside"),
        ([event("kill", 5.0, signal="9"), event("die", 5.1, exitCode="137"), event("destroy", 5.2)], None, "killed or removed"),
        ([event("kill", 5.0, signal="1"), event("die", 60.0, exitCode="0")], None, "its time was over"),
        ([event("die", 60.0, exitCode="0"), event("destroy", 60.2)], None, "its time was over"),
        ([event("die", 60.0, exitCode="1")], None, "its supervisor ended with exit code 1"),
        ([event("died", 60.0, containerExitCode="1")], None, "its supervisor ended with exit code 1"),
        ([event("destroy", 5.2)], None, "somebody removed"),
        ([], None, "somebody removed"),
        ([event("pause", 5.0)], {**RUNNING, "Paused": True}, "paused from outside"),
        ([], {"Running": False, "Paused": False, "Status": "exited"}, "its container is exited"),
    ],
)
def test_each_end_has_its_own_sentence(happened: list[dict[str, Any]], state: dict[str, Any] | None, part: str) -> None:
    assert part in fate([*STARTED, *happened], state, memory=800 * MB)


@pytest.mark.parametrize("happened", [[], [event("destroy", 5.2)]])
def test_an_engine_that_does_not_remember_the_start_was_restarted(happened: list[dict[str, Any]]) -> None:
    assert "as after a restart of the engine" in fate(happened, None, memory=800 * MB)


def test_nothing_is_said_of_a_container_that_is_well() -> None:
    assert fate(STARTED, RUNNING, memory=800 * MB) == ""


@pytest.mark.parametrize(
    ("happened", "told"),
    [
        ([], False),
        ([event("kill", 5.0)], False),
        ([event("die", 5.0, exitCode="137")], False),
        ([event("die", 5.0, exitCode="137"), event("oom", 5.1)], True),
        ([event("kill", 5.0), event("die", 5.0, exitCode="137")], True),
        ([event("die", 5.0, exitCode="0")], True),
    ],
)
def test_an_end_is_told_once_its_cause_is_known(happened: list[dict[str, Any]], told: bool) -> None:
    assert is_told([*STARTED, *happened]) is told
