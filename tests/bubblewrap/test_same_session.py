"""A notebook's ways, as on the third shelf."""

from __future__ import annotations

from same import same

globals().update(same("test_session"))
