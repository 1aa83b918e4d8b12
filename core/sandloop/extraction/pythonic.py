"""Calls of our tools written as Python: `python(code="...")`, `[python(code="...")]`, `print(default_api.python(code="..."))`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from sandloop.extraction.calls import code_of
from sandloop.extraction.cells import Runnable
from sandloop.extraction.language import parse
from sandloop.extraction.tags import tool_kind


def unwrapped(source: str) -> list[tuple[Runnable, str]]:
    """The code when the source is nothing but such calls; else nothing."""
    if "(" not in source[:300]:
        return []
    tree = parse(source)
    if tree is None or not tree.body:
        return []
    code: list[tuple[Runnable, str]] = []
    for statement in tree.body:
        value = statement.value if isinstance(statement, (ast.Expr, ast.Assign)) else None
        calls = list(_calls(value))
        if not calls:
            return []
        for call in calls:
            code += _code(call)
    return code


def _calls(node: ast.expr | None) -> Iterator[ast.Call]:
    match node:
        case ast.List(elts=elements) | ast.Tuple(elts=elements):
            for element in elements:
                yield from _calls(element)
        case ast.Call(func=ast.Name(id="print"), args=[inner]) | ast.Await(value=inner):
            yield from _calls(inner)
        case ast.Call(func=function, keywords=keywords) if tool_kind(name := _dotted(function)):
            if _is_tool(name) or {"code", "language"} <= {k.arg for k in keywords}:
                yield node
        case _:
            pass


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=attr):
            return f"{_dotted(value)}.{attr}"
        case _:
            return ""


def _is_tool(name: str) -> bool:
    """Our tools and their usual namespaces, not `exec`, `eval`, `subprocess.run` or a helper of the script's own."""
    first, _, rest = name.partition(".")
    if first in ("functions", "default_api", "tools", "tool", "api"):
        return bool(rest)
    last = rest or first
    return last == "call" or (not rest and first not in ("exec", "eval", "run", "execute", "code", "compile", "cmd", "command"))


def _code(call: ast.Call) -> list[tuple[Runnable, str]]:
    name = _dotted(call.func).removesuffix(".call")
    fields: dict[str, object] = {}
    for position, argument in enumerate(call.args[:1]):
        if isinstance(argument, ast.Constant):
            fields["code" if position == 0 else str(position)] = argument.value
    for keyword in call.keywords:
        if keyword.arg and isinstance(keyword.value, ast.Constant):
            fields[keyword.arg] = keyword.value.value
    return code_of(name, fields, trusted=False)
