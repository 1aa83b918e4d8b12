"""What goes along, and what is lost, when the code goes on in another place than where it ran so far. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sandloop.events import CodeRan, Event, FellBack, FileMade, FilesPreviewed, InputFile, Resumed, RouteChosen
from sandloop.sizes import human_size

_Place: TypeAlias = tuple[str, str]
"""A route, and on the native one whose."""
NAMES = 20
"""Files named in one sentence."""


@dataclass(frozen=True, slots=True)
class Move:
    """The code goes on in another place: another route, another provider, or a sandbox of another day."""

    to: RouteChosen
    resumed: bool
    left: tuple[str, ...] = ()
    """Names of made files that are not there."""

    @property
    def for_model(self) -> str:
        """What the model is told."""
        files = f", and so are the files it made ({_listed(self.left)})" if self.left else ""
        if self.resumed:
            return (
                "This conversation goes on after a break. The sandbox in which the code so far ran is gone with its variables"
                f"{files}. The input files are here again; load again what you need."
            )
        return (
            f"The code now runs in another sandbox than the code just before: the variables of that are gone{files}. The input "
            "files are here; load again what you need."
        )

    @property
    def for_user(self) -> str:
        """What the user is told."""
        where = "in the local sandbox" if self.to.route == "local" else f"at {self.to.provider}"
        files = f", and so are the files it made: {_listed(self.left)}" if self.left else ""
        return f"The code now runs {where}: the variables of the code so far are gone{files}."


def moved(history: Sequence[Event]) -> Move | None:
    """Whether the `RouteChosen` that `history` ends with takes the code to another place than where it last ran; None when it
    does not, and when the model was told already why it goes on elsewhere."""
    chosen: RouteChosen | None = None
    here: _Place | None = None
    ran_at: _Place | None = None
    fell = told = resumed = False
    made: dict[str, _Place | None] = {}
    for event in history:
        match event:
            case RouteChosen():
                chosen, here, told, fell = event, _place(event), fell, False
            case FellBack():
                fell = True
            case Resumed():
                resumed, made = ran_at is not None, dict.fromkeys(made)
            case CodeRan(stopped_by=stopped_by) if stopped_by != "declined":
                ran_at, resumed = here, False
            case FileMade(name=name):
                made[name] = here
            case _:
                pass
    if chosen is None or ran_at is None or told or (here == ran_at and not resumed):
        return None
    left = tuple(name for name, place in made.items() if place != here) if chosen.route == "native" else ()
    return Move(to=chosen, resumed=resumed, left=left)


def _place(chosen: RouteChosen) -> _Place:
    return chosen.route, chosen.provider if chosen.route == "native" else ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    return ", ".join(names[:NAMES]) + more


def made_elsewhere(history: Sequence[Event]) -> tuple[FileMade, ...]:
    """The files that the local sandbox of this session does not have: made by a provider's code, or before the conversation was
    taken up again. The newest of each name, in the order they were made."""
    native = False
    here, made = dict[str, FileMade](), dict[str, FileMade]()
    for event in history:
        match event:
            case RouteChosen(route=route):
                native = route == "native"
            case Resumed():
                for name, file in here.items():
                    made.pop(name, None)
                    made[name] = file
                here = {}
            case FileMade(name=name) if native:
                made.pop(name, None)
                made[name] = event
            case FileMade(name=name):
                here.pop(name, None)
                here[name] = event
            case _:
                pass
    return tuple(made.values())


def carried_text(carried: Sequence[InputFile], history: Sequence[Event], position: int) -> str:
    """What the model is told about them: how they are called here, and what they look like.

    Args:
        position: Of the `RouteChosen` that brought them.
    """
    names = {made.sha256: made.name for made in made_elsewhere(history[:position])}
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
