"""One entry of `expected`, with all that can be known to be wrong with it before anything is asked."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping

from sandloop.suite.model import KINDS, Expectation, Kind
from sandloop.suite.plain import folded, whole
from sandloop.suite.tree import Node
from sandloop.suite.typed import filled, number, one_or_more, table, text
from sandloop.suite.variables import Value

MAX_PATTERN = 2_000
"""Characters of a pattern or a piece of code."""
_KEYS = (*KINDS, "name", "tolerance")
_ANY_OF: tuple[Kind, ...] = ("contains", "makes")


def expectation(node: Node, values: Mapping[str, Value]) -> Expectation:
    """What it expects, with the variables put in. Raises `BadSuite`."""
    row = table(node, _KEYS)
    kinds: list[Kind] = [kind for kind in KINDS if kind in row]
    if len(kinds) != 1:
        why = f"has {' and '.join(kinds)}" if kinds else "expects nothing"
        raise node.wrong(why, f"Write exactly one of {', '.join(KINDS)}")
    kind, wanted = kinds[0], row[kinds[0]]
    if "tolerance" in row and kind != "approx":
        raise row["tolerance"].wrong(f"means nothing to '{kind}'", "It belongs to 'approx'")
    if isinstance(wanted.value, tuple) and kind not in _ANY_OF:
        raise wanted.wrong("is a list", "Write one value, and another entry for another one")
    # Code is given the variables as data; braces in it are Python's.
    items = one_or_more(wanted)
    of = [text(wanted)] if kind == "python" else [filled(item, values) for item in items]
    for one, item in zip(of, items, strict=True):
        _check(kind, one, item)
    return Expectation(
        kind=kind,
        of=tuple(of),
        name=filled(row["name"], values) if "name" in row else "",
        tolerance=_tolerance(row["tolerance"], values) if "tolerance" in row else None,
    )


def _tolerance(node: Node, values: Mapping[str, Value]) -> float:
    off = number(filled(node, values))
    if off is None or off < 0:
        raise node.wrong(f"is {node.text[:80]!r}", "Write a number of at least 0")
    return off


def _check(kind: Kind, of: str, node: Node) -> None:
    if kind in ("regex", "python") and len(of) > MAX_PATTERN:
        raise node.wrong(f"has {len(of)} characters", f"Use at most {MAX_PATTERN}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # such as one about an escape in a string
        _check_read(kind, of, node)


def _check_read(kind: Kind, of: str, node: Node) -> None:
    match kind:
        case "approx" if number(of) is None:
            raise node.wrong(f"is {of[:80]!r}", "Write a number, with a point before its decimals")
        case "contains" | "equals" if not (folded if kind == "contains" else whole)(of):
            raise node.wrong(f"is {of[:80]!r}", "Marks of bold and code don't count here; use 'regex'")
        case "regex":
            try:
                re.compile(of)
            except (re.error, OverflowError, RecursionError) as error:
                raise node.wrong(f"is no regular expression: {error}", "Correct it, or use 'contains'") from None
        case "python":
            _check_python(of, node)
        case _:
            pass


def _check_python(source: str, node: Node) -> None:
    """Read, not run: that happens in the sandbox."""
    try:
        body = ast.parse(source.strip()).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise node.wrong(f"is no Python: {error}", "Write an expression") from None
    if not body or not isinstance(body[-1], ast.Expr):
        raise node.wrong("does not end with an expression", "Write what has to be true on its last line")
