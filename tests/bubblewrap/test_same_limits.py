"""Limits, as on the third shelf."""

from __future__ import annotations

from same import same

OTHERWISE = {
    "test_growing_memory_is_stopped_and_says_memory": "a process over its limit gets an error: test_limits",
    "test_memory_of_many_child_processes_counts_together": "not limited",
    "test_a_fork_bomb_stops_at_the_process_limit": "it stops, and nothing says that it was that limit: test_limits",
    "test_too_many_threads_are_refused": "the same",
    "test_no_scratch_place_takes_endless_files": "not limited",
    "test_processors_beyond_the_limit_are_not_used": "not limited",
    "test_limits_above_the_machine_are_brought_down_to_it": "asks the engine",
}
"""What only control groups or a container engine can do, and what holds here instead."""

globals().update(same("test_limits", OTHERWISE))
