"""The name that a typo meant. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Sequence


def nearest(name: str, known: Sequence[str], *, cutoff: float = 0.6) -> str | None:
    """The known name that is most like this one, if any is much like it. Upper and lower case are one."""
    lowered = {one.lower(): one for one in reversed(known)}
    return next((lowered[found] for found in difflib.get_close_matches(name.lower(), lowered, n=1, cutoff=cutoff)), None)
