"""How far each entry of a comparison is: a fold over its events, for whoever draws it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from sandloop.events import (
    Answered,
    CodeDelta,
    CodeRan,
    CodeWritten,
    Event,
    Failed,
    FellBack,
    FileMade,
    FilesPreviewed,
    Noted,
    Reminded,
    ReplyEnded,
    Retried,
    RouteChosen,
    RouteName,
    RunStarted,
    SandboxOpened,
    Text,
    Thinking,
    Usage,
)
from sandloop.result import total_cost

State: TypeAlias = Literal["waiting", "running", "answered", "failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """One entry now."""

    label: str
    state: State = "waiting"
    doing: str = ""
    """What it does now, in words; how it ended, once it has."""
    route: RouteName | None = None
    steps: int = 0
    files: int = 0
    usages: tuple[Usage, ...] = ()
    began: float | None = None
    ended: float | None = None

    @property
    def over(self) -> bool:
        """Whether nothing more comes."""
        return self.state in ("answered", "failed")

    @property
    def tokens(self) -> int:
        """In and out, as far as the provider told."""
        return sum(usage.input_tokens + usage.output_tokens for usage in self.usages)

    @property
    def cost(self) -> float | None:
        """US dollars until now; None when any part is unknown."""
        return total_cost(self.usages)

    def seconds(self, now: float) -> float | None:
        """Since it began, until it ended; None while it waits."""
        return None if self.began is None else max(0.0, (now if self.ended is None else self.ended) - self.began)


def advanced(progress: Progress, event: Event, now: float) -> Progress:
    """What an event makes of it.

    Args:
        now: Seconds of any clock that only goes on.
    """
    match event:
        case RunStarted():
            return replace(progress, state="running", doing="reading the files" if event.files else "starting", began=now)
        case RouteChosen():
            return replace(progress, route=event.route, doing="asking the model")
        case CodeWritten():
            steps = progress.steps + 1
            return replace(progress, steps=steps, doing=f"running step {steps}")
        case CodeRan():
            return replace(progress, doing=_how_it_ran(event, progress.steps))
        case FileMade():
            return replace(progress, files=progress.files + 1)
        case Usage():
            return replace(progress, usages=(*progress.usages, event))
        case Answered():
            return replace(progress, state="answered", doing="answered", ended=now)
        case Failed():
            return replace(progress, state="failed", doing=f"{event.error}: {event.message}", ended=now)
        case _:
            doing = _doing(event)
            return progress if doing is None else replace(progress, doing=doing)


def _doing(event: Event) -> str | None:
    match event:
        case SandboxOpened():
            return "looking into the files"
        case FilesPreviewed():
            return "asking the model"
        case Thinking():
            return "thinking"
        case Text():
            return "writing"
        case CodeDelta():
            return "writing code"
        case ReplyEnded():
            return "reading the reply"
        case Retried(reason=reason):
            return f"asking again: {reason}"
        case FellBack(reason=reason):
            return f"going on in the local sandbox: {reason}"
        case Reminded(about=about):
            return f"asking again: {about.replace('_', ' ')}"
        case Noted(about="progress" | "provider", text=text):
            return text
        case _:
            return None


def _how_it_ran(ran: CodeRan, step: int) -> str:
    if ran.stopped_by in ("interrupt", "provider"):
        return f"step {step} was stopped"
    if ran.stopped_by != "itself":
        return f"step {step} met its limit of {ran.stopped_by}"
    if ran.error is not None:
        return f"step {step} failed: {ran.error.name}"
    return f"step {step} failed" if ran.exit_code else f"step {step} ran"
