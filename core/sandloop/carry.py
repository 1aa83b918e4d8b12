"""The files that a provider's code made, for the local sandbox when the route changes in mid-conversation. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from sandloop.events import Event, FileMade, FilesPreviewed, InputFile, RouteChosen
from sandloop.sizes import human_size


def made_natively(history: Sequence[Event]) -> tuple[FileMade, ...]:
    """The newest of each name, in the order they were made."""
    native, made = False, dict[str, FileMade]()
    for event in history:
        match event:
            case RouteChosen(route=route):
                native = route == "native"
            case FileMade(name=name) if native:
                made.pop(name, None)
                made[name] = event
            case _:
                pass
    return tuple(made.values())


def carried_text(carried: Sequence[InputFile], history: Sequence[Event], position: int) -> str:
    """What the model is told about them: how they are called here, and what they look like.

    Args:
        position: Of the `RouteChosen` that brought them.
    """
    names = {made.sha256: made.name for made in made_natively(history[:position])}
    seen = next((e.previews for e in history[position:] if isinstance(e, FilesPreviewed)), ())
    previews = {p.name: p.text.rstrip() for p in seen}
    lines = ["Of the files that your code made so far these are in the current folder, read-only. Save under other names."]
    for file in carried:
        before = names.get(file.sha256, file.name)
        was = "" if before == file.name else f", {before!r} before"
        lines.append(f"\n{file.name!r} ({human_size(file.size)}, {file.mime}{was})")
        if preview := previews.get(file.name):
            lines.append(preview)
    return "\n".join(lines)
