"""The supervisor where no container engine set its limits: it sets its own first, for itself and all it starts.

A limit once set can't be raised again without a privilege that nobody inside has.
"""

from __future__ import annotations

import resource
import sys

from . import supervisor


def main() -> None:
    """`alone NAME=NUMBER,... SECONDS THREADS`: the limits by their names in `resource`, then what the supervisor takes."""
    for text in sys.argv.pop(1).split(","):
        name, _, number = text.partition("=")
        resource.setrlimit(getattr(resource, f"RLIMIT_{name.upper()}"), (int(number), int(number)))
    supervisor.main()
