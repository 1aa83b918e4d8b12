"""What is said when a question is over: made files saved and shown, numbers without support, tokens and cost."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from sandloop.cli.ends import put, stdout_is_terminal
from sandloop.cli.files import save
from sandloop.result import Result, ResultFile
from sandloop.terminal.pictures import MAX_BYTES, Way, Window, escapes, way_of

MOST_PICTURES = 5
"""Shown of one answer; all of them are saved."""


def save_and_show(result: Result, folder: Path, console: Console, *, pictures: bool) -> list[Path]:
    """Save the made files, and show the pictures among them where the terminal can."""
    paths = save(result.files, folder, result.id, console)
    way = way_of(os.environ) if pictures and stdout_is_terminal() else None
    if way is not None:
        show_pictures(result.files, way)
    return paths


def show_pictures(files: Sequence[ResultFile], way: Way) -> None:
    """The first few pictures, as the terminal wants them."""
    window = terminal_window()
    shown = [f for f in files if f.mime in ("image/png", "image/jpeg") and f.size <= MAX_BYTES]
    for file in shown[:MOST_PICTURES]:
        for piece in escapes(file.bytes(), way, window):
            put(piece, end="")


def terminal_window() -> Window:
    """The size of the terminal that stdout is, in pixels too where it says."""
    columns = shutil.get_terminal_size().columns
    try:
        import fcntl
        import struct
        import termios

        answer = fcntl.ioctl(sys.stdout.fileno(), termios.TIOCGWINSZ, bytes(8))
        _, told, width, _ = struct.unpack("HHHH", answer)
    except (ImportError, OSError, ValueError):
        return Window(columns=columns)
    return Window(columns=told or columns, width=width)


def tell_checks(result: Result, console: Console) -> None:
    """Numbers of the answer that nothing supports."""
    if result.checks:
        numbers = ", ".join(check.number for check in result.checks[:10])
        console.print(f"[yellow]![/] in no output, file or question: {numbers}", highlight=False, soft_wrap=True)


def tell_cost(result: Result, console: Console) -> None:
    """Tokens, and what they cost as far as that is known."""
    usage = result.usage
    if usage.input_tokens or usage.output_tokens:
        cost = f", about ${result.cost:.4f}" if result.cost is not None else ""
        if result.estimated_container_cost is not None:
            cost += f", at the provider about ${result.estimated_container_cost:.4f} more (container time estimated)"
        console.print(f"[dim]{usage.input_tokens} tokens in, {usage.output_tokens} out{cost}[/]", highlight=False, soft_wrap=True)
