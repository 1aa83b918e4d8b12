"""What does not depend on the engine holds on this one too: the tests of the third shelf themselves, run with its sessions."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

DOCKER = Path(__file__).parents[1] / "docker"
MODULES = ("test_session", "test_files", "test_hostile", "test_hardening", "test_limits")
OTHERWISE = {
    "test_growing_memory_is_stopped_and_says_memory": "a process over its limit gets an error: test_limits",
    "test_memory_of_many_child_processes_counts_together": "not limited",
    "test_a_fork_bomb_stops_at_the_process_limit": "it stops, and nothing says that it was that limit: test_limits",
    "test_too_many_threads_are_refused": "the same",
    "test_no_scratch_place_takes_endless_files": "not limited",
    "test_a_file_for_a_folder_without_room_is_refused_and_can_come_later": "fills it by the number of files, which is not limited",
    "test_limits_above_the_machine_are_brought_down_to_it": "asks the engine",
    "test_the_network_namespace_has_loopback_only": "there is no /sys: test_attacks",
    "test_the_code_is_nobody_and_can_become_nobody_else": "test_attacks",
    "test_nothing_of_the_host_is_mounted": "the machine's own /usr is: test_attacks",
}
"""Tests of what only control groups can do, or of the engine's own ways, and what holds here instead."""


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"same_{name}", DOCKER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_found = {what: value for name in MODULES for what, value in vars(_module(name)).items() if not what.startswith("__")}
assert set(OTHERWISE) <= set(_found), "a test that is left out does not exist any more"
globals().update({what: value for what, value in _found.items() if what not in OTHERWISE})
