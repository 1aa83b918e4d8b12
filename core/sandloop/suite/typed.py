"""A node of a compare file as the kind of value that is wanted there, or the error that says what stands there instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TypeAlias, get_args

from sandloop.errors import BadSetting
from sandloop.limits import Limits
from sandloop.settings import Route, checked_limit, nearest
from sandloop.suite.tree import Node
from sandloop.suite.variables import UnknownVariable, Value, in_single_braces, put_in

MAX_TEXT = 50_000
"""Characters of a text."""
Table: TypeAlias = Mapping[str, Node]


def table(node: Node, known: tuple[str, ...] | None = None) -> Table:
    """A mapping with none but the known keys."""
    if not isinstance(node.value, dict):
        raise node.wrong("is no table", "Write 'name: value' lines")
    for name, value in node.value.items():
        if known is not None and name not in known:
            meant = nearest(name, known)
            raise value.wrong("does not exist", f"Did you mean {meant!r}?" if meant else f"Known are {', '.join(known)}")
    return node.value


def listed(node: Node) -> tuple[Node, ...]:
    """A list."""
    if not isinstance(node.value, tuple):
        raise node.wrong("is no list", "Begin each of its entries with '- '")
    return node.value


def one_or_more(node: Node) -> tuple[Node, ...]:
    """A list, or one value as a list of it."""
    items = node.value if isinstance(node.value, tuple) else (node,)
    if not items:
        raise node.wrong("is empty", "Write at least one")
    return items


def text(node: Node) -> str:
    """A text; numbers are taken as they are written."""
    if isinstance(node.value, dict | tuple) or not node.text.strip():
        raise node.wrong("is no text", "Write one, in quotes where it begins with a sign")
    if len(node.text) > MAX_TEXT:
        raise node.wrong(f"has {len(node.text)} characters", f"Use at most {MAX_TEXT}")
    return node.text


def filled(node: Node, values: Mapping[str, Value]) -> str:
    """A text with the variables put in."""
    written = text(node)
    if single := in_single_braces(written, values):
        raise node.wrong(f"has the variable {single!r} in single braces", f"Write {{{{ {single} }}}}")
    try:
        return put_in(written, values)
    except UnknownVariable as error:
        meant = nearest(error.name, tuple(values))
        do = f"Did you mean {meant!r}?" if meant else f"Variables here are {', '.join(values) or 'none'}"
        raise node.wrong(f"uses the variable {error.name!r}, which does not exist", do) from None


def whole(node: Node, most: int) -> int:
    """A whole number from 1."""
    if not isinstance(node.value, int) or isinstance(node.value, bool) or not 1 <= node.value <= most:
        raise node.wrong(f"is {node.text[:80]!r}", f"Write a whole number from 1 to {most}")
    return node.value


def variable(node: Node) -> Value:
    """A value of a variable."""
    if node.value is None or isinstance(node.value, dict | tuple) or len(node.text) > MAX_TEXT:
        raise node.wrong("is no text and no number", "Write one value, or a flat list of them")
    return Value(node.value, node.text)


def route(node: Node) -> Route:
    """`auto`, `native` or `local`."""
    found: Route | None = next((name for name in get_args(Route) if name == text(node)), None)
    if found is None:
        raise node.wrong(f"is {node.text[:80]!r}", "Write auto, native or local")
    return found


def limits(node: Node) -> dict[str, float]:
    """Limits by their own names."""
    chosen: dict[str, float] = {}
    for name, item in table(node, tuple(f.name for f in fields(Limits))).items():
        try:
            value = checked_limit(name, text(item), item.file)
        except BadSetting as error:
            raise item.wrong(error.why, "Write a number") from error
        if value is None:
            raise item.wrong("has no value", "Write a number, or leave it out")
        chosen[name] = value
    return chosen


def number(written: str) -> float | None:
    """The finite number that this text is, if it is one."""
    try:
        value = float(written)
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None
