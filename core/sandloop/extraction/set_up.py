"""Shell commands that are for the user's own machine, not for the sandbox."""

from __future__ import annotations

import ast
import re

from sandloop.extraction.cells import Cell
from sandloop.extraction.language import parse

INSTALL = re.compile(
    r"\s*[!%]?\s*(?:sudo\s+)?(?:python3?\s+-m\s+)?(?:uv\s+)?(?:pip3?|conda|mamba|apt|apt-get|brew|uv)\s+(?:-\S+\s+)*(?:install|add|update|sync|upgrade)\b"
)
"""The beginning of a line that installs packages."""


def is_install(source: str) -> bool:
    """Whether it does nothing but install packages, which the sandbox can't."""
    lines = _without_comments(source)
    return bool(lines) and all(INSTALL.match(line) for line in lines)


def _without_comments(source: str) -> list[str]:
    return [line for line in source.split("\n") if line.strip() and not line.lstrip().startswith("#")]


def without_set_up(cells: list[Cell]) -> list[Cell]:
    """Without shell blocks that are for the user's own machine: installing packages, starting a script that nobody wrote."""
    if all(c.language == "bash" for c in cells):
        return cells
    starts = {i: started for i, c in enumerate(cells) if c.language == "bash" and (started := _started(c.source)) is not None}
    written = frozenset[str]().union(*(_named(c) for i, c in enumerate(cells) if i not in starts))
    return [c for i, c in enumerate(cells) if i not in starts or starts[i] & written]


def _started(source: str) -> frozenset[str] | None:
    """The scripts that these commands start, when they do nothing else but install packages; None when they do."""
    lines = _without_comments(source)
    scripts = [_script(line) for line in lines]
    if not all(script or INSTALL.match(line) for script, line in zip(scripts, lines, strict=True)):
        return None
    return frozenset(filter(None, scripts))


def _script(line: str) -> str:
    """The name of the script that a command starts."""
    start = re.match(
        r"\s*(?:python(?:3(?:\.\d+)?)?(?:\s+-[WX]\s*\S+|\s+-(?!c)\w+)*|streamlit run|jupyter \w+)\s+(?P<name>[\w./-]+)", line
    )
    return start["name"].rpartition("/")[2] if start and not start["name"].startswith("-") else ""


def _named(cell: Cell) -> frozenset[str]:
    """What may be the name of a file that this code writes: its texts, not its comments and what it says about itself."""
    tree = parse(cell.source) if cell.language == "python" else None
    if tree is None:
        texts = [word for line in _without_comments(cell.source) for word in re.split(r"[^\w./-]+", line)]
    else:
        said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        values = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and id(node) not in said]
        texts = [value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value) for value in values]
    return frozenset(text.rpartition("/")[2] for text in texts)
