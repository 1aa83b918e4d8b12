"""A run's steps, words and notes in their order, as a report shows them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from sandloop.events import (
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


def items(events: Sequence[Event], steps: Sequence[Step], *, answer: str, key: str, limits: Bounds) -> tuple[Item, ...]:
    """What happened, in order; of what there is too much of, the beginning and the end.

    Args:
        steps: Those of the events.
        answer: What stands above them already.
        key: What the anchors begin with.
    """
    numbers = {step.code.code_id: (number, step) for number, step in enumerate(steps, 1)}
    unfolded = _unfolded(steps)

    def step(code_id: str) -> Item:
        number, found = numbers[code_id]
        return _step(number, found, key, limits, number in unfolded)

    drafts = list(_drafts(events, answer.strip(), limits, step))
    drafts = _thinned(drafts, "step", limits.steps, "step")
    drafts = _thinned(drafts, "said", limits.steps + limits.rows, "piece of what the model said", "pieces of what the model said")
    return tuple(draft.make() for draft in _thinned(drafts, "note", limits.rows, "note"))


@dataclass(frozen=True, slots=True)
class _Draft:
    """An item that is made only when it is kept."""

    kind: str
    make: Callable[[], Item]


def _unfolded(steps: Sequence[Step]) -> set[int]:
    """Those that did not fail; of many, only the last that went well."""
    tones = [_mark(step.ran).tone for step in steps]
    if len(steps) <= _MANY:
        return {number for number, tone in enumerate(tones, 1) if tone != "bad"}
    return {next((number for number in range(len(tones), 0, -1) if tones[number - 1] == "good"), len(tones))}


def _drafts(events: Sequence[Event], answer: str, limits: Bounds, step: Callable[[str], Item]) -> Iterable[_Draft]:
    said: list[str] = []
    thought: list[str] = []
    streamed = False
    for event in events:
        match event:
            case Text(text=text):
                said.append(text)
                streamed = True
                continue
            case Thinking(text=text):
                thought.append(text)
                continue
            case ReplyEnded(text=text) if not streamed:
                said = [text]
            case ReplyEnded() | CodeWritten() | CodeRan() | Reminded() | Retried() | FellBack() | Noted():
                pass
            case _:
                continue
        if thinking := "".join(thought).strip():
            yield _Draft("said", partial(_said, thinking, limits, thinking=True))
        if (words := "".join(said).strip()) and words != answer:
            yield _Draft("said", partial(_said, words, limits))
        said, thought = [], []
        if isinstance(event, ReplyEnded):
            streamed = False
        elif isinstance(event, CodeWritten):
            yield _Draft("step", partial(step, event.code_id))
        elif (note := _note(event)) is not None:
            yield _Draft("note", partial(_same, note))


def _said(text: str, limits: Bounds, *, thinking: bool = False) -> Item:
    return Said(text=cut(text, limits.said), thinking=thinking)


def _same(item: Item) -> Item:
    return item


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


def _step(number: int, step: Step, key: str, limits: Bounds, unfolded: bool) -> StepShown:
    ran = step.ran
    error = ran.error if ran else None
    return StepShown(
        number=number,
        anchor=f"{key}-s{number}",
        language=step.code.language,
        origin=_ORIGINS.get(step.code.origin, step.code.origin),
        mark=_mark(ran),
        seconds=seconds(ran.seconds) if ran else "",
        code=cut(step.code.source, limits.code),
        stdout=cut(ran.stdout, limits.output) if ran else cut("", 0),
        stderr=cut(ran.stderr, limits.output) if ran else cut("", 0),
        error=short(f"{error.name}: {error.value}", 500) if error else "",
        traceback=cut(error.traceback, limits.trace) if error else cut("", 0),
        notes=_step_notes(ran),
        made=tuple(short(f"{file.name} ({file.change})", 150) for file in step.files[: limits.rows])
        + ((f"… {len(step.files) - limits.rows:,} more",) if len(step.files) > limits.rows else ()),
        open=unfolded,
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


def _thinned(drafts: list[_Draft], kind: str, keep: int, one: str, many: str = "") -> list[_Draft]:
    """At most `keep` of a kind: a third from the beginning, the rest from the end, and a word at the place between."""
    places = [at for at, draft in enumerate(drafts) if draft.kind == kind]
    if len(places) <= keep:
        return drafts
    first = keep // 3
    dropped = places[first : len(places) - (keep - first)]
    gone = set(dropped)
    gap = _Draft("gap", partial(_same, Gap(text=f"{count(len(dropped), one, many)} left out here")))
    return [gap if at == dropped[0] else draft for at, draft in enumerate(drafts) if at == dropped[0] or at not in gone]
