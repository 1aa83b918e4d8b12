"""`sandloop extract`: the cells that would run from a model's reply, without running them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from sandloop.cli.ends import ending_well, put, stdout_is_terminal

MAX_BYTES = 10_000_000
"""A reply at its length limit has about 64 kB; more than this is another kind of file."""


def extract(
    reply: Annotated[str, typer.Argument(metavar="REPLY", help="A file with a model's reply as text; '-' reads it from stdin.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print objects with 'language', 'source' and 'origin'.")] = False,
) -> None:
    """Show the cells that would run from a model's reply, in order. Nothing runs, and no model is asked."""
    import json

    from sandloop.events import ReplyEnded
    from sandloop.extraction import extract as cells_of
    from sandloop.printable import printable
    from sandloop.terminal.blocks import fenced

    with ending_well():
        found = cells_of(ReplyEnded(stop="end", text=_read(reply)))
        if not found.cells:
            print(f"sandloop: nothing in this reply would run: {printable(found.why)}.", file=sys.stderr)
        if as_json:
            rows = [{"language": cell.language, "source": cell.source, "origin": cell.origin} for cell in found.cells]
            put(json.dumps(rows, indent=2))
        elif found.cells:
            blocks = "\n\n".join(fenced(cell.source, cell.language) for cell in found.cells)
            put(printable(blocks) if stdout_is_terminal() else blocks)


def _read(name: str) -> str:
    """The reply. Raises `BadFile`."""
    from sandloop.errors import BadFile
    from sandloop.sizes import human_size

    try:
        if name == "-":
            content = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise BadFile(name=name, why=f"can't be read: {error.strerror}", do="Name a file with a model's reply") from error
    if len(content) > MAX_BYTES:
        raise BadFile(name=name, why=f"is over {human_size(MAX_BYTES)}", do="Give the text of one reply")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadFile(name=name, why="is not text in UTF-8", do="Give the text of one reply") from None
