"""What a session needs of the place where its supervisor runs, whichever engine made it."""

from __future__ import annotations

from typing import Protocol

from sandloop.limits import Limits
from sandloop_sandbox.line import Line


class Cage(Protocol):
    """A place with a supervisor in it, started and checked."""

    limits: Limits

    @property
    def line(self) -> Line:
        """Our line to the supervisor. Raises `SandboxLost` once it has ended."""
        ...

    def end(self) -> None:
        """Hang up, and with that end all that runs there. Idempotent, quick, from any thread."""
        ...
