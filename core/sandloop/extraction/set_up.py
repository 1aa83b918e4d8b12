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
    lines = [line for line in source.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    return bool(lines) and all(INSTALL.match(line) for line in lines)


def without_set_up(cells: list[Cell]) -> list[Cell]:
    """Without shell blocks that are for the user's own machine: installing packages, starting a script that nobody wrote."""
    others = [c.source for c in cells if c.language == "python"]
    if not others:
        return cells
    named = "\n".join(map(_texts, others))
    return [c for c in cells if c.language == "python" or not (is_install(c.source) or _starts_unwritten(c.source, named))]


def _texts(source: str) -> str:
    """What may be the name of a file that this code writes: its strings, not its comments and what it says about itself."""
    tree = parse(source)
    if tree is None:
        return "\n".join(line for line in source.split("\n") if not line.lstrip().startswith("#"))
    said = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return "\n".join(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in said
    )


def _starts_unwritten(source: str, named: str) -> bool:
    lines = [line for line in source.split("\n") if line.strip() and not line.lstrip().startswith("#")]
    started = [re.match(r"\s*(?:python3?|streamlit run|jupyter \w+)\s+(?:-\w+\s+)*([\w./-]+)", line) for line in lines]
    return all(s or is_install(line) for s, line in zip(started, lines, strict=True)) and not any(
        s and s.group(1) in named for s in started
    )
