"""Made files, saved where the user wants them, or where they can be."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from sandloop.errors import UsageError
from sandloop.printable import printable
from sandloop.result import ResultFile


def save(files: Sequence[ResultFile], folder: Path, run: str, console: Console) -> list[Path]:
    """Into `folder`; where that can't be written, into a new one among the temporary files, and it says so."""
    saved: list[Path] = []

    def say(sign: str, text: str) -> None:
        console.print(f"{sign} {escape(printable(text))}", highlight=False, soft_wrap=True)

    for made in files:
        try:
            try:
                path = made.save(folder)
            except UsageError as error:
                say("[yellow]![/]", str(error))
                folder = Path(tempfile.mkdtemp(prefix=f"sandloop-output-{run}-"))
                path = made.save(folder)
            saved.append(path)
            say("[green]saved[/]", str(path))
        except (UsageError, OSError) as error:
            say("[yellow]![/]", str(error))
    return saved
