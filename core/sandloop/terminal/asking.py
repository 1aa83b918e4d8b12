"""A line that a person types."""

from __future__ import annotations

import select
import sys

from rich.console import Console

from sandloop.signals import told_of_signals


def asked(prompt: str, console: Console) -> str:
    """What stdin, a terminal, has to say to the prompt. In the main thread only.

    Raises `EOFError` when it is closed, and what a signal's handler raises, whenever the signal comes: `input` alone would miss one
    that comes just before it reads, and wait on.
    """
    with told_of_signals() as told:
        console.print(prompt, end="", markup=False, highlight=False)
        if sys.platform != "win32":  # there, select knows sockets only
            while sys.stdin not in select.select([sys.stdin, told], [], [])[0]:
                told.recv(4096)
        return input()
