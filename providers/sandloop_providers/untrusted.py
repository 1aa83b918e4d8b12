"""Values of a server's JSON, of which nothing is taken to be there or of its type. Pure; every wire family reads with these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from sandloop.codec import clean_text


def mapping(value: object) -> Mapping[str, Any]:
    """The value when it is a JSON object, else an empty one."""
    return cast("Mapping[str, Any]", value) if isinstance(value, Mapping) else {}


def rows(value: object) -> list[Mapping[str, Any]]:
    """The objects of a JSON list; nothing when it is none."""
    return [mapping(row) for row in cast("list[object]", value)] if isinstance(value, list) else []


def text(value: object) -> str:
    """The value when it is text, else nothing."""
    return value if isinstance(value, str) else ""


def whole_characters(piece: str) -> str:
    """Text without halves of characters. A server may cut one in two; the other half of one at the end is still to come."""
    return clean_text(piece[:-1] if "\ud800" <= piece[-1:] <= "\udbff" else piece)
