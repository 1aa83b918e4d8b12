"""A run's steps, words and notes in their order, as a report shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from sandloop.events import (
    Answered,
    CodeRan,
    CodeWritten,
    Event,
    FellBack,
    Noted,
    Reminded,
    ReplyEnded,
    Retried,
    Text,
    Thinking,
)
from sandloop.report.bounds import Bounds
from sandloop.report.figures import count, seconds
from sandloop.report.shown import Gap, Item, Mark, Note, Said, StepShown
from sandloop.report.text import cut, short
from sandloop.result import Step

_ORIGINS: Final = {
    "tool_call": "tool call",
    "text_tool_call": "tool call in its text",
    "fenced": "code block",
    "provider": "provider",
}
_MANY = 5
"""With more steps than this, only the last that went well is unfolded at first."""
_NOTE = 600


def items(events: Sequence[Event], steps: Sequence[Step], *, key: str, limits: Bounds) -> tuple[Item, ...]:
    """What happened, in order; of what there is too much of, the beginning and the end.

    Args:
        steps: Those of the events.
        key: What the anchors begin with.
    """
    shown = {step.code.code_id: _step(number, step, key, limits) for number, step in enumerate(steps, 1)}
    last_good = next((s.number for s in reversed(shown.values()) if s.mark.tone == "good"), len(shown))
    all_items = list(_in_order(events, shown, limits))
    if len(shown) > _MANY:
        all_items = [_folded(item, last_good) for item in all_items]
    all_items = _thinned(all_items, "step", limits.steps, "step")
    all_items = _thinned(
        all_items, "said", limits.steps + limits.rows, "piece of what the model said", "pieces of what the model said"
    )
    return tuple(_thinned(all_items, "note", limits.rows, "note"))


def _in_order(events: Sequence[Event], steps: dict[str, StepShown], limits: Bounds) -> Iterable[Item]:
    said, thought, streamed = "", "", False
    answer = next((e.text.strip() for e in reversed(events) if isinstance(e, Answered)), "")
    for event in events:
        match event:
            case Text(text=text):
                said, streamed = said + text, True
                continue
            case Thinking(text=text):
                thought += text
                continue
            case ReplyEnded(text=text) if not streamed:
                said = text
            case ReplyEnded() | CodeWritten() | CodeRan() | Reminded() | Retried() | FellBack():
                pass
            case _:
                if not isinstance(event, Noted):
                    continue
        if thought.strip():
            yield Said(text=cut(thought.strip(), limits.said), thinking=True)
        if said.strip() and said.strip() != answer:
            yield Said(text=cut(said.strip(), limits.said))
        said, thought = "", ""
        if isinstance(event, ReplyEnded):
            streamed = False
        elif isinstance(event, CodeWritten):
            yield steps[event.code_id]
        elif (note := _note(event)) is not None:
            yield note


def _note(event: Event) -> Note | None:
    match event:
        case Retried(reason=text):
            return Note(mark=Mark("↻", "asked again", "warn"), text=short(text, _NOTE))
        case FellBack(reason=text):
            return Note(mark=Mark("↪", "went on in the local sandbox", "warn"), text=short(text, _NOTE))
        case Reminded(text=text):
            return Note(mark=Mark("↻", "the model was told", "plain"), text=short(text, _NOTE))
        case Noted(about=about, text=text) if about != "progress":
            return Note(mark=Mark("!", "note", "plain"), text=short(text, _NOTE))
        case _:
            return None


def _step(number: int, step: Step, key: str, limits: Bounds) -> StepShown:
    ran = step.ran
    error = ran.error if ran else None
    mark = _mark(ran)
    return StepShown(
        number=number,
        anchor=f"{key}-s{number}",
        language=step.code.language,
        origin=_ORIGINS.get(step.code.origin, step.code.origin),
        mark=mark,
        seconds=seconds(ran.seconds) if ran else "",
        code=cut(step.code.source, limits.code),
        stdout=cut(ran.stdout, limits.output) if ran else cut("", 0),
        stderr=cut(ran.stderr, limits.output) if ran else cut("", 0),
        error=short(f"{error.name}: {error.value}", 500) if error else "",
        traceback=cut(error.traceback, limits.trace) if error else cut("", 0),
        notes=_step_notes(ran),
        made=tuple(short(f"{file.name} ({file.change})", 150) for file in step.files[: limits.rows])
        + ((f"… {len(step.files) - limits.rows:,} more",) if len(step.files) > limits.rows else ()),
        open=mark.tone != "bad",
    )


def _mark(ran: CodeRan | None) -> Mark:
    """How a cell ended. What stopped it comes before what it says about itself."""
    if ran is None:
        return Mark("–", "did not run", "plain")
    if ran.stopped_by == "interrupt":
        return Mark("✗", "interrupted", "bad")
    if ran.stopped_by == "provider":
        return Mark("✗", "stopped by the provider", "bad")
    if ran.stopped_by == "declined":
        return Mark("–", "not allowed to run", "plain")
    if ran.stopped_by != "itself":
        return Mark("✗", f"stopped by its limit of {ran.stopped_by}", "bad")
    if ran.error is not None:
        return Mark("✗", "failed", "bad")
    if ran.outcome == "unknown":
        return Mark("?", "ran; the provider does not say whether it went well", "warn")
    if ran.exit_code:
        return Mark("✗", f"exit code {ran.exit_code}", "bad")
    return Mark("✓", "ran", "good")


def _step_notes(ran: CodeRan | None) -> tuple[str, ...]:
    if ran is None:
        return ()
    notes = [
        (ran.stdout_cut > 0, f"{ran.stdout_cut:,} bytes of its stdout were not kept"),
        (ran.stderr_cut > 0, f"{ran.stderr_cut:,} bytes of its stderr were not kept"),
        (ran.out_of_memory == "child", "a process that the code started was killed for memory"),
        (ran.out_of_memory == "kernel", "the interpreter was killed for memory"),
        (ran.state == "lost", "variables were lost; files are still there"),
    ]
    return tuple(text for holds, text in notes if holds)


def _folded(item: Item, last_good: int) -> Item:
    return replace(item, open=item.number == last_good) if isinstance(item, StepShown) else item


def _thinned(all_items: list[Item], kind: str, keep: int, one: str, many: str = "") -> list[Item]:
    """At most `keep` of a kind: a third from the beginning, the rest from the end, and a word at the place between."""
    places = [at for at, item in enumerate(all_items) if item.kind == kind]
    if len(places) <= keep:
        return all_items
    first = keep // 3
    dropped = places[first : len(places) - (keep - first)]
    gone = set(dropped)
    gap = Gap(text=f"{count(len(dropped), one, many)} left out here")
    return [gap if at == dropped[0] else item for at, item in enumerate(all_items) if at == dropped[0] or at not in gone]
