"""The entry point of the command: until its parts are imported, Ctrl-C ends it at once and without a word, as nothing has begun."""

from __future__ import annotations

import signal


def main() -> None:
    """The `sandloop` command."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # an interrupt in the middle of an import would be a traceback, or lost
    from sandloop.cli import main as run

    run()
