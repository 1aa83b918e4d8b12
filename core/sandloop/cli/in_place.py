"""A drawing on stderr that changes in place, where the terminal can do that."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, RenderableType
from rich.live import Live


class InPlace:
    """Shows what `drawn` returns, eight times a second, from start to stop. `drawn` is called from a thread.

    Attributes:
        shows: Whether it does: only on a terminal that can move its cursor. Elsewhere the caller writes lines.
    """

    def __init__(self, drawn: Callable[[], RenderableType], console: Console) -> None:
        self.shows = console.is_terminal and not console.is_dumb_terminal
        self._live = Live(get_renderable=drawn, console=console, refresh_per_second=8, transient=True) if self.shows else None

    def start(self) -> None:
        """From now on."""
        if self._live is not None:
            self._live.start()

    def stop(self) -> None:
        """It is gone."""
        if self._live is not None:
            self._live.stop()
