"""A notebook's ways, as on the third shelf."""

from __future__ import annotations

from same import same

OTHERWISE = {"test_a_session_left_alone_has_the_libraries_when_its_first_cell_comes": "asks the engine"}
"""What only a container engine can do."""

globals().update(same("test_session", OTHERWISE))
