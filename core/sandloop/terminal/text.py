"""What rich draws, as text: tables and lines for stdout."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, RenderableType


def as_text(parts: Iterable[RenderableType], *, width: int | None = None, colour: bool = False) -> str:
    """The parts below each other, without blanks at the ends of lines and without a last line break.

    Args:
        width: In columns; None: the terminal's.
        colour: Whether the terminal shows any.
    """
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=colour, color_system="standard" if colour else None)
    for part in parts:
        console.print(part, highlight=False)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())
