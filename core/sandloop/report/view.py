"""What a report shows of one run, from its events. Pure but for the reading of made files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sandloop.events import (
    CodeRan,
    CodeWritten,
    Failed,
    FileMade,
    FilesPreviewed,
    RouteChosen,
    RunStarted,
    SandboxOpened,
)
from sandloop.report.bounds import Bounds
from sandloop.report.figures import moment, money, seconds, tokens
from sandloop.report.made import Read, input_files, made_files
from sandloop.report.markdown import CellPlace
from sandloop.report.shown import Item, Mark, RunShown, StepShown
from sandloop.report.steps import items
from sandloop.report.text import Cut, cut, short
from sandloop.result import Result

_LABEL, _REASON, _FAILURE = 120, 600, 2000


def run_shown(
    result: Result,
    *,
    key: str,
    limits: Bounds,
    read: Read | None = None,
    label: str = "",
    error: str = "",
    message: str = "",
    wall_seconds: float | None = None,
) -> RunShown:
    """What is shown of a run.

    Args:
        key: What its anchors begin with.
        read: Reads made files; default: from the result's own store.
        label: What stands over it; default: the model as the caller named it.
        error: Class name of the error that ended it; default: what its events say.
        message: The error's sentences; default: what its events say.
        wall_seconds: From its start to its end, where that is known.
    """
    events = result.events
    started = next((e for e in events if isinstance(e, RunStarted)), None)
    failed = next((e for e in reversed(events) if isinstance(e, Failed)), None)
    numbers = {e.code_id: n for n, e in enumerate((e for e in events if isinstance(e, CodeWritten)), 1)}
    shown = items(events, result.steps, answer=result.text, key=key, limits=limits)
    made = [file.made for file in result.files]
    usage = result.usage
    ran = [e.seconds for e in events if isinstance(e, CodeRan) and e.seconds is not None]
    return RunShown(
        key=key,
        label=short(label or (started.model if started else ""), _LABEL),
        id=short(result.id, 60),
        at=short(moment(started.at) if started else "", 40),
        mark=run_mark(answered=result.answered, error=error or (failed.error if failed else "")),
        failure="" if result.answered else short(message or (failed.message if failed else ""), _FAILURE),
        answer=cut(result.text.strip(), limits.answer),
        answered=result.answered,
        route=_route(result.route),
        reason=short(result.route.reason, _REASON) if result.route else "",
        items=shown,
        places=_places(result, shown),
        step_count=len(result.steps),
        files=made_files(made, numbers, key=key, limits=limits, read=read or _reader(result)),
        file_count=len(made),
        inputs=input_files(started.files if started else (), key=key, rows=limits.rows),
        input_count=len(started.files) if started else 0,
        previews=_previews(result, limits),
        checks=tuple((short(c.number, 60), short(c.where, 200)) for c in result.checks[: limits.rows]),
        tokens=tokens(usage),
        cost=money(usage.cost),
        container_cost="" if usage.container_cost is None else money(usage.container_cost),
        seconds=seconds(wall_seconds),
        code_seconds=seconds(sum(ran)) if ran else "",
        sandbox=_sandbox(result.sandbox),
        weaknesses=_weaknesses(result.sandbox),
    )


def run_mark(*, answered: bool, error: str) -> Mark:
    """How a run ended. `error` is the class name of the error that ended it."""
    if answered:
        return Mark("✓", "answered", "good")
    if error == "LimitReached":
        return Mark("✗", "stopped by a limit", "warn")
    if error:
        return Mark("✗", "failed", "bad")
    return Mark("–", "did not end", "warn")


def _reader(result: Result) -> Read:
    """Reads from where the result's files are; what is gone, or can't be read, is not here."""
    paths = {file.sha256: file for file in result.files}

    def read(made: FileMade, most: int) -> bytes | None:
        try:
            with paths[made.sha256].path.open("rb") as file:
                return file.read(most)
        except (OSError, ValueError, KeyError):
            return None

    return read


def _route(route: RouteChosen | None) -> str:
    if route is None:
        return ""
    return " · ".join(short(part, 100) for part in (route.route, route.provider, route.model) if part)


def _places(result: Result, shown: Sequence[Item]) -> Mapping[str, CellPlace]:
    anchors = {item.number: item.anchor for item in shown if isinstance(item, StepShown)}
    return {
        step.code.source.strip(): CellPlace(anchors[number], f"step {number}")
        for number, step in enumerate(result.steps, 1)
        if number in anchors
    }


def _previews(result: Result, limits: Bounds) -> tuple[tuple[str, Cut], ...]:
    previews = [p for e in result.events if isinstance(e, FilesPreviewed) for p in e.previews]
    return tuple((short(p.name, 150), cut(p.text, limits.said // 2)) for p in previews[: min(10, limits.rows)])


def _sandbox(opened: SandboxOpened | None) -> tuple[tuple[str, str], ...]:
    if opened is None:
        return ()
    facts = (
        ("sandbox", opened.sandbox),
        ("engine", opened.engine),
        ("runtime", opened.runtime),
        ("image", opened.image),
        ("packages added", ", ".join(opened.packages)),
        ("ready after", seconds(opened.seconds) + (", from the pool" if opened.warm else "")),
    )
    return tuple((name, short(value, 300)) for name, value in facts if value)


def _weaknesses(opened: SandboxOpened | None) -> tuple[str, ...]:
    if opened is None:
        return ()
    weakened = [f"weakened by {name}" for name in opened.weakened]
    return tuple(short(text, 300) for text in (*weakened, *opened.not_limited)[:20])
