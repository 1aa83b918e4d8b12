"""A run as a Python script in cells (`# %%`), with the outputs of then as comments. It runs where the input files lie beside it."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Sequence

from sandloop.events import CodeRan
from sandloop.export.pieces import Cell, Prose, ended_how, pieces
from sandloop.printable import printable
from sandloop.result import Result

SHOWN_LINES = 40
"""Of the output of a cell, as comments."""
_TRY = "try:\n{body}\nexcept Exception as error:  # it failed then, too\n    print(type(error).__name__, error)"


def as_script(results: Sequence[Result]) -> str:
    """The results of a conversation, one or more, as the text of a script.

    Bash cells are run through `subprocess`. A cell that no plain script can hold, such as one with `await` at its top, and one
    that did not run then, is a comment.
    """
    found = pieces(results)
    parts: list[str] = []
    if any(isinstance(p, Cell) and p.step.code.language == "bash" for p in found):
        parts.append("import subprocess")
    if any(isinstance(p, Cell) and "PUT_DIR" in p.step.code.source for p in found):
        parts.append('import os\n\nfor name in ("INPUT_DIR", "OUTPUT_DIR"):\n    os.environ.setdefault(name, ".")')
    for piece in found:
        match piece:
            case Prose(text=text):
                parts.append(f"# %% [markdown]\n{_comment(text)}")
            case Cell() if piece.runs:
                parts.append(_cell(piece))
            case Cell():
                left_out = f"{ended_how(piece.step)}\n{piece.step.code.source.rstrip()}"
                parts.append(f"# %% [markdown]\n{_comment(left_out)}")
    return "\n\n".join(parts) + "\n"


def _cell(cell: Cell) -> str:
    code, ran = cell.step.code, cell.step.ran
    source = code.source.rstrip()
    body = _bash(source) if code.language == "bash" else _python(source, fails=ran is not None and not ran.ok)
    return "\n".join(part for part in ("# %%", body, "" if ran is None else _output(ran, cell)) if part)


def _python(source: str, *, fails: bool) -> str:
    """As it is where a script can hold it; one that failed then must not end the script."""
    try:
        tree = ast.parse(source)
        compile(source, "cell", "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return _comment(f"This cell is no plain Python:\n{source}")
    if not fails:
        return source
    guarded = _TRY.format(body=textwrap.indent(source, "    "))
    match ast.parse(guarded).body:
        case [ast.Try(body=body)] if ast.dump(ast.Module(body, [])) == ast.dump(ast.Module(tree.body, [])):
            return guarded
        case _:  # a text over several lines would not stay what it is
            return _comment(f"This cell failed then:\n{source}")


def _bash(source: str) -> str:
    lines = [f"        {line!r}" for line in source.splitlines(keepends=True)] or ["        ''"]
    return "subprocess.run(\n    [\n        'bash',\n        '-c',\n" + "\n".join(lines) + ",\n    ],\n    check=False,\n)"


def _output(ran: CodeRan, cell: Cell) -> str:
    text = ran.stdout.rstrip()
    if ran.error is not None:
        text = f"{text}\n{ran.error.traceback.rstrip()}".strip()
    elif not ran.ok:
        text = f"{text}\n{ran.stderr.rstrip()}".strip()
    lines = text.splitlines()
    left = [f"… {len(lines) - SHOWN_LINES} more lines"] if len(lines) > SHOWN_LINES else []
    files = [f"It made {made.name} ({made.size} bytes)." for made in cell.step.files]
    shown = [*lines[:SHOWN_LINES], *left, *files]
    return _comment("\n".join(["Output:", *shown])) if shown else ""


def _comment(text: str) -> str:
    """No line of it can become code, nor look like some: every character that ends a line for Python or an editor begins a comment
    again, and none hides what follows it."""
    return "\n".join(f"# {line}".rstrip() for line in printable(text).splitlines())
