"""The kernel that runs this process, if one does, and a place of its page that is drawn again and again."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Mapping
from typing import Any


def place() -> Callable[[Mapping[str, str]], None] | None:
    """Draws a bundle of types and contents below the cell that runs, instead of what it drew there before; from any thread.

    None outside a notebook. IPython is never imported to find that out: whoever runs in a kernel has it.
    """
    get_shell: Any = getattr(sys.modules.get("IPython"), "get_ipython", None)
    shell: Any = get_shell() if get_shell is not None and "ipykernel" in sys.modules else None
    if getattr(shell, "kernel", None) is None:
        return None
    transient, drawn = {"display_id": uuid.uuid4().hex}, False

    def draw(bundle: Mapping[str, str]) -> None:
        nonlocal drawn
        update, drawn = drawn, True
        shell.display_pub.publish(data=dict(bundle), metadata={}, transient=transient, update=update)

    return draw
