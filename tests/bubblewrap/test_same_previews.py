"""Previews, as on the third shelf; what a weakened container shows of them is shown there."""

from __future__ import annotations

from same import same

WEAKENED = (
    "test_a_preview_has_no_descriptor_and_no_environment_of_the_supervisor",
    "test_a_killed_preview_says_that_there_is_none_and_the_session_goes_on",
    "test_ends_are_seen_where_the_kernel_has_no_descriptors_of_processes",
)

globals().update(same("test_forked_previews", WEAKENED))
