"""YAML as a tree whose nodes know where they stand, read with bounds: the file may be anybody's.

Plain values are those of YAML 1.2's core schema, so `no`, `2014-08-11` and `12:30` are text, as they look.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias

import yaml

from sandloop.errors import BadSuite

MAX_BYTES = 500_000
MAX_NODES = 20_000
"""Of the tree as it is used, where an alias counts for all that it stands for."""
MAX_DEPTH = 16
MAX_NAME = 80
"""Characters of a key; none that means anything is as long."""

Scalar: TypeAlias = "str | int | float | bool | None"
_TAGS = {
    f"tag:yaml.org,2002:{name}" for name in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")
}
_NULLS = ("", "~", "null", "Null", "NULL")
_TRUTHS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]{1,3})?")


@dataclass(frozen=True, slots=True)
class Node:
    """A value of the file, and where it stands."""

    value: Scalar | tuple[Node, ...] | dict[str, Node]
    place: str
    """As `questions[2].expected`."""
    line: int
    text: str
    """Of a plain value: as it is written."""
    file: str

    def wrong(self, why: str, do: str) -> BadSuite:
        """The error that says what is wrong here."""
        return BadSuite(file=self.file, line=self.line, place=self.place, why=why, do=do)


def read_tree(text: str, file: str) -> Node:
    """The document. Raises `BadSuite` when it is no YAML, or more than it may be."""
    try:
        _check_events(text, file)
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise BadSuite(file=file, line=line, place="", why=f"is no YAML: {error.problem}", do="Correct it there") from error
    except yaml.YAMLError as error:
        raise BadSuite(file=file, line=1, place="", why=f"is no YAML: {error}", do="Save it as text in UTF-8") from error
    if root is None:
        raise BadSuite(file=file, line=1, place="", why="is empty", do="Write 'models' and 'questions' into it")
    return _Reader(file).node(root, "")


def _check_events(text: str, file: str) -> None:
    """Depth and size before anything is built of it: what builds calls itself at each level."""
    depth = 0
    for number, event in enumerate(_events(text)):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        line = event.start_mark.line + 1 if event.start_mark else 1
        if depth > MAX_DEPTH:
            raise BadSuite(file=file, line=line, place="", why=f"is nested deeper than {MAX_DEPTH} levels", do="Flatten it")
        if number > 3 * MAX_NODES:
            raise BadSuite(file=file, line=line, place="", why=f"holds more than {MAX_NODES} values", do="Make it smaller")


def _events(text: str) -> Iterator[yaml.Event]:
    yield from yaml.parse(text, Loader=yaml.SafeLoader)


class _Reader:
    def __init__(self, file: str) -> None:
        self._file = file
        self._count = 0

    def node(self, node: yaml.Node, place: str, depth: int = 0) -> Node:
        line = node.start_mark.line + 1
        self._count += 1
        if self._count > MAX_NODES or depth > MAX_DEPTH:
            why = f"holds more than {MAX_NODES} values, or repeats itself by its aliases"
            raise BadSuite(file=self._file, line=line, place=place, why=why, do="Make it smaller")
        if node.tag not in _TAGS:
            why = f"has the tag {node.tag[:80]!r}, which means nothing here"
            raise BadSuite(file=self._file, line=line, place=place, why=why, do="Leave the tag out")
        match node:
            case yaml.MappingNode():
                return Node(self._mapping(node, place, depth + 1), place, line, "", self._file)
            case yaml.SequenceNode():
                items = tuple(self.node(item, f"{place}[{number}]", depth + 1) for number, item in enumerate(node.value, 1))
                return Node(items, place, line, "", self._file)
            case yaml.ScalarNode():
                text = self._text(node, place)
                return Node(text if node.style else plain_value(text), place, line, text, self._file)
            case _:
                raise TypeError(type(node))

    def _text(self, node: yaml.ScalarNode, place: str) -> str:
        try:  # JSON writes a character as two escapes
            return str(node.value).encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            why, do = "has half of a character", "Write all of it"
            raise BadSuite(file=self._file, line=node.start_mark.line + 1, place=place, why=why, do=do) from None

    def _mapping(self, node: yaml.MappingNode, place: str, depth: int) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                why, do = "has a key that is no name", "Write names before the colons"
                raise BadSuite(file=self._file, line=key.start_mark.line + 1, place=place, why=why, do=do)
            name = self._text(key, place)[:MAX_NAME]
            where = f"{place}.{name}" if place else name
            if name in found:
                why, do = "stands there twice", "Keep one of the two"
                raise BadSuite(file=self._file, line=key.start_mark.line + 1, place=where, why=why, do=do)
            found[name] = self.node(value, where, depth)
        return found


def plain_value(text: str) -> Scalar:
    """What an unquoted word of YAML is, by the core schema of YAML 1.2 without its octal and hexadecimal numbers."""
    if text in _NULLS:
        return None
    if text in _TRUTHS:
        return _TRUTHS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and math.isfinite(value := float(text)):
        return value
    return text
