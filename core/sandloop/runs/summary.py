"""What a list of runs says of each: pure, from its events or from its `run.json`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

from sandloop.events import Answered, CodeRan, Event, Failed, FileMade, RouteChosen, RunStarted, Usage
from sandloop.result import total_cost

Status: TypeAlias = Literal["running", "answered", "failed", "interrupted"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """A kept run in a line."""

    id: str
    at: str = ""
    """When it was asked: UTC, ISO 8601."""
    began: float = 0.0
    """The same in seconds since 1970, with fractions: for the order of runs."""
    status: Status = "interrupted"
    """`interrupted`: stopped before its end, by the user or because its process died."""
    question: str = ""
    model: str = ""
    """As the caller named it."""
    provider: str = ""
    provider_model: str = ""
    """As the provider calls it."""
    route: Literal["native", "local", ""] = ""
    """Where the code ran, at the end; empty when it was not chosen yet."""
    asked_route: Literal["auto", "native", "local", ""] = ""
    """The route that was asked for; empty when it is not known."""
    session: str = ""
    """The id of the first run of the conversation."""
    position: int = 1
    """Which question of the conversation it is, from 1."""
    previous: str | None = None
    """The run of the question before."""
    seconds: float | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cost: float | None = None
    """US dollars; None when unknown."""
    steps: int = 0
    """Cells that ran."""
    files: int = 0
    """Files made."""
    error: str = ""
    """The class of the error that ended it."""
    incomplete: str = ""
    """Why not all of it was kept; empty when all was."""


def summarized(events: Iterable[Event]) -> dict[str, Any]:
    """The fields of `RunSummary` that the events of a run tell."""
    facts: dict[str, Any] = {}
    usages: list[Usage] = []
    steps, files = set[str](), set[str]()
    for event in events:
        match event:
            case RunStarted():
                facts |= {"id": event.id, "at": event.at, "question": event.question, "model": event.model}
            case RouteChosen():
                facts |= {"provider": event.provider, "provider_model": event.model, "route": event.route}
            case Usage():
                usages.append(event)
            case CodeRan():
                steps.add(event.code_id)
            case FileMade():
                files.add(event.name)
            case Answered():
                facts |= {"status": "answered"}
            case Failed(error=error):
                facts |= {"status": "failed", "error": error}
            case _:
                pass
    spent = {"input_tokens": sum(u.input_tokens for u in usages), "output_tokens": sum(u.output_tokens for u in usages)}
    return facts | spent | {"cost": total_cost(usages), "steps": len(steps), "files": len(files)}


def from_table(table: object, folder: str) -> RunSummary | None:
    """The summary that a `run.json` holds; None when it is none. Fields of another version, or of a wrong type, are left out."""
    if not isinstance(table, Mapping):
        return None
    plain: dict[str, Any] = {str(k): v for k, v in table.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    names = [f.name for f in dataclasses.fields(RunSummary)]
    kept: dict[str, Any] = {name: plain[name] for name in names if name in plain and _fits(name, plain[name])}
    kept["id"] = folder
    return RunSummary(**kept)


def _fits(name: str, value: object) -> bool:
    match name:
        case "status":
            return value in get_args(Status)
        case "route":
            return value in ("native", "local", "")
        case "asked_route":
            return value in ("auto", "native", "local", "")
        case "position" | "input_tokens" | "output_tokens" | "steps" | "files":
            return isinstance(value, int) and not isinstance(value, bool) and value >= 0
        case "began":
            return _is_number(value)
        case "seconds" | "cost":
            return value is None or _is_number(value)
        case "previous":
            return value is None or isinstance(value, str)
        case _:
            return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def as_table(summary: RunSummary) -> dict[str, Any]:
    """As it stands in `run.json`."""
    return {"version": 1} | dataclasses.asdict(summary)


def ended(summary: RunSummary, events: Sequence[Event]) -> RunSummary:
    """The summary of a run that ended without saying so, from its events."""
    told: dict[str, Any] = {"status": "interrupted"} | summarized(events) | {"id": summary.id}
    return dataclasses.replace(summary, **told)
