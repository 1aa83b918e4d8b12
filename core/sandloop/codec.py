"""Events as JSON and back, without loss. pydantic is imported when used: `import sandloop` stays light."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from sandloop.errors import UsageError
from sandloop.events import Event

if TYPE_CHECKING:
    from pydantic import TypeAdapter


@lru_cache(maxsize=1)
def _adapter() -> TypeAdapter[Event]:
    from pydantic import Field, TypeAdapter

    return TypeAdapter(Annotated[Event, Field(discriminator="kind")])


def to_json(event: Event) -> str:
    """One line of JSON."""
    return _adapter().dump_json(scrub(event)).decode()


def to_plain(event: Event) -> dict[str, Any]:
    """The event as plain dictionaries and lists."""
    plain: dict[str, Any] = _adapter().dump_python(event, mode="json")
    return plain


def from_json(line: str | bytes) -> Event:
    """The event of one line of JSON. Raises `UsageError` when it is none."""
    from pydantic import ValidationError

    try:
        return _adapter().validate_json(line)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise UsageError(f"This is not an event of a run: {first['msg']}. Give a file that sandloop wrote.") from error


def from_plain(plain: object) -> Event:
    """The inverse of `to_plain`; raises `UsageError` like `from_json`."""
    import json

    return from_json(json.dumps(plain))


def lines(events: Iterable[Event]) -> Iterator[str]:
    """JSON Lines, as `events.jsonl` holds them."""
    return (to_json(event) + "\n" for event in events)


def scrub(event: Event) -> Event:
    """The event with lone surrogates replaced: servers and models do send them, and no file or terminal can hold them."""
    clean: Event = _scrubbed(event)
    return clean


def clean_text(text: str) -> str:
    """`text` with lone surrogates replaced."""
    return text if text.isascii() else text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def _scrubbed(value: Any) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, tuple):
        return tuple(_scrubbed(item) for item in value)  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        changed = {f.name: new for f in dataclasses.fields(value) if (new := _scrubbed(old := getattr(value, f.name))) != old}
        return dataclasses.replace(value, **changed) if changed else value
    return value
