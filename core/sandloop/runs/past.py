"""What a session needs to go on after a kept run: the questions before, the files, what it was made with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandloop.errors import BadFile
from sandloop.events import Event, InputFile, Noted, ReplyEnded, RouteChosen
from sandloop.names import clean_component
from sandloop.ports import LocalFile
from sandloop.runs.contents import why_gone
from sandloop.runs.kept import LAST, KeptInput, Run, open_run
from sandloop.runs.place import CONTENT, is_id
from sandloop.settings import Route, route_named

MOST_QUESTIONS = 10_000


@dataclass(frozen=True, slots=True)
class Past:
    """A conversation up to a kept run."""

    runs: tuple[Run, ...]
    """The oldest first."""
    missing: str = ""
    """The id of an earlier question that is not kept any more; empty when all are."""
    own: bool = True
    """Whether it was kept here. One from elsewhere may have been made by anybody, and says not what is installed and allowed."""

    @property
    def last(self) -> Run:
        """The run to go on after."""
        return self.runs[-1]

    @property
    def model(self) -> str:
        """As the caller named it; a kept run by its id, since `replay:last` is another one by now."""
        said, of = self.last.summary.model, self.last.summary.provider_model
        provider, _, reference = said.partition(":")
        meant = reference == LAST or (bool(reference) and of.startswith(reference))
        return f"replay:{of}" if provider == "replay" and is_id(of) and meant else said

    @property
    def route(self) -> Route | None:
        """The route that was asked for: a conversation that was to stay here stays here."""
        asked = self.last.summary.asked_route
        return route_named(asked, str(self.last.folder)) if asked else None

    @property
    def packages(self) -> tuple[str, ...] | None:
        """Those of its local sandbox; None when there was none, or when somebody else wrote the run."""
        if not self.own:
            return None
        sandbox: Any = self.last.environment.get("sandbox")
        packages: Any = sandbox.get("packages") if isinstance(sandbox, dict) else None  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
        return tuple(str(p) for p in packages) if isinstance(packages, list) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]

    @property
    def content(self) -> list[Path]:
        """The folders with the made files."""
        return [run.folder / CONTENT for run in self.runs]

    def events(self) -> list[Event]:
        """All that happened. Where code ran at a provider its container is gone, so those replies are told as text from now on."""
        events: list[Event] = []
        native = False
        for event in (e for run in self.runs for e in run.events):
            match event:
                case RouteChosen(route=route):
                    native = route == "native"
                    events.append(event)
                case ReplyEnded() if native:
                    events.append(as_text(event))
                case _:
                    events.append(event)
        return events

    def notes(self) -> list[Noted]:
        """What of the conversation is not here any more."""
        foreign = [] if self.own else ["The run is from elsewhere, so its packages and limits are not taken over."]
        broken = [f"Of the run {run.id} {run.broken}." for run in self.runs if run.broken]
        gone = (
            [f"The question before {self.runs[0].id} is no longer kept, so the model does not know of it."] if self.missing else []
        )
        return [Noted(about="run", text=text) for text in foreign + gone + broken]

    def inputs(self) -> list[LocalFile]:
        """All input files. Raises `BadFile` when the content of one is gone or was changed."""
        return [local_input(kept) for kept in self.last.inputs()]


def past(run: Run, folder: Path | None) -> Past:
    """The conversation up to that run, as far as its runs are kept.

    Args:
        folder: Where runs of our own are kept.
    """
    own = folder is not None and run.folder.resolve().parent == folder.resolve()
    runs = [run]
    while (before := runs[0].summary.previous) is not None and len(runs) < MOST_QUESTIONS:
        if not is_id(before) or before in {one.id for one in runs}:
            break
        try:
            runs.insert(0, open_run(run.folder.parent / before))
        except BadFile:
            return Past(tuple(runs), missing=before, own=own)
    return Past(tuple(runs), own=own)


def local_input(kept: KeptInput) -> LocalFile:
    """An input of a kept run, for a session of today. Raises `BadFile` when its content is gone or was changed."""
    if kept.path is None:
        why = why_gone(kept.size, kept.original)
        raise BadFile(name=kept.name, why=why, do="Put the file of then back there, or ask anew with the files of today")
    return LocalFile(
        file=InputFile(name=clean_component(kept.name), size=kept.size, mime=kept.mime, sha256=kept.sha256),
        path=kept.path,
    )


def as_text(reply: ReplyEnded) -> ReplyEnded:
    """The reply as one that another family made: it goes back as text, with its code and output written out."""
    return replace(reply, family="", wire=None, container=None)


def as_texts(history: Sequence[Event], until: int) -> tuple[Event, ...]:
    """The history with the replies before `until` as text."""
    return tuple(as_text(e) if i < until and isinstance(e, ReplyEnded) else e for i, e in enumerate(history))
