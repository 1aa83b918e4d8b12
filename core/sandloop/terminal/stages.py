"""What a run is waiting for, told from what has happened: the words of the line that a terminal shows meanwhile."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import PurePath

from sandloop.events import (
    Answered,
    CodeDelta,
    CodeRan,
    CodeWritten,
    Event,
    Failed,
    FellBack,
    FilesPreviewed,
    Noted,
    Output,
    Reminded,
    ReplyEnded,
    Retried,
    RouteChosen,
    RunStarted,
    SandboxOpened,
    Text,
    Thinking,
)

NAME_SHOWN = 30


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a run is. `label` is what it waits for."""

    label: str = "starting"
    who: str = "the model"
    native: bool = False
    cells: int = 0
    """Written, and not run yet."""


def after(stage: Stage, event: Event) -> Stage:
    """The stage once `event` has happened."""
    match event:
        case RunStarted(model=model):
            return Stage(label="choosing where the code runs", who=_short(model))
        case RouteChosen(route="native"):
            return replace(stage, label=f"waiting for {stage.who}", native=True)
        case RouteChosen() | FellBack():
            return replace(stage, label="opening the sandbox", native=False)
        case SandboxOpened():
            return replace(stage, label="copying the files into the sandbox")
        case Thinking():
            return replace(stage, label=f"{stage.who} is thinking")
        case Text() | CodeDelta():
            return replace(stage, label=f"{stage.who} is writing")
        case ReplyEnded() if stage.native:
            return replace(stage, label="fetching what was made", cells=0)
        case CodeWritten():
            return replace(stage, label="running code", cells=stage.cells + 1)
        case Output():
            return replace(stage, label="running code")
        case CodeRan(ok=ok):
            left = max(0, stage.cells - 1) if ok else 0
            return replace(stage, label="running code" if left else f"waiting for {stage.who}", cells=left)
        case Noted(about="progress", text=text):
            return replace(stage, label=text)
        case FilesPreviewed() | ReplyEnded() | Reminded() | Retried():
            return replace(stage, label=f"waiting for {stage.who}")
        case Answered() | Failed():
            return replace(stage, label="cleaning up", cells=0)
        case _:
            return stage


def _short(model: str) -> str:
    """The name the user knows it by; of a path, its last part."""
    name = PurePath(model).name if model.startswith("replay:") else model
    return name if 0 < len(name) <= NAME_SHOWN else (model.partition(":")[0][:NAME_SHOWN] or "the model")
