"""The history as a conversation that every provider family can put on its wire.

Pure. A family's own replies go back word for word (`Said.wire`); a reply of another family, or one that broke off, goes back
as text with its code and output written out, so that nothing is lost when the route or the model changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from sandloop.carry import carried_text, moved
from sandloop.events import (
    CodeRan,
    CodeWritten,
    Event,
    FellBack,
    FileMade,
    FilesPreviewed,
    Preview,
    Reminded,
    ReplyEnded,
    RouteChosen,
    RunStarted,
    Text,
    ToolCall,
)
from sandloop.feedback import describe_run
from sandloop.prompts import question_text

NO_CODE_IN_CALL = "No code was found in this call. Give the whole code in the argument `code`."


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The user's message, or one of the loop's own. `files` are the names that came with it."""

    text: str
    files: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A reply of the model. `narrated` is `text` with code and output written out, for a family that did not make it."""

    text: str
    narrated: str
    calls: tuple[ToolCall, ...] = ()
    family: str = ""
    wire: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallResult:
    """What one call (or one fenced block: `call_id` None) gave. `pictures` are made files a model could look at."""

    call_id: str | None
    text: str
    again: bool = False
    """It failed, and so did the same source before."""
    pictures: tuple[FileMade, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """The results of all code of one reply, in order."""

    results: tuple[CallResult, ...]


Message: TypeAlias = Asked | Said | Ran


def conversation(history: Sequence[Event]) -> tuple[Message, ...]:
    """All that was asked, said and run so far. The previews of a question stand in its message.

    A reply whose code failed and then came again word for word is left out with its result, since the later one says so: a small
    model that sees its mistake three times makes it a fourth time.
    """
    walk = _Walk()
    for position, event in enumerate(history):
        walk.take(event, history, position)
    walk.flush()
    return tuple(_without_repeats(walk.messages))


@dataclass(slots=True)
class _Walk:
    """The state of one pass over the history."""

    messages: list[Message] = field(default_factory=list[Message])
    loose: list[Event] = field(default_factory=list[Event])
    """Events of a reply that has not ended."""
    reply: ReplyEnded | None = None
    """The last reply, while the results of its code are still coming."""
    after: list[Event] = field(default_factory=list[Event])
    failed: set[str] = field(default_factory=set[str])
    """Sources that failed once."""
    previews: tuple[Preview, ...] = ()

    def take(self, event: Event, history: Sequence[Event], position: int) -> None:
        match event:
            case RunStarted():
                self.flush()
                previews = next((e.previews for e in history[position:] if isinstance(e, FilesPreviewed)), ())
                new = tuple(f for f in event.files if f.name in event.new_files)
                self.messages.append(Asked(text=question_text(event.question, new, previews), files=event.new_files))
            case FilesPreviewed(previews=previews):
                self.previews += previews
            case ReplyEnded():
                self._end_results()
                narrated = _narrate(self.loose) if any(isinstance(e, CodeRan) for e in self.loose) else event.text
                self.messages.append(
                    Said(text=event.text, narrated=narrated, calls=event.calls, family=event.family, wire=event.wire)
                )
                self.loose, self.reply = [], event
            case Reminded(text=text):
                self.flush()
                self.messages.append(Asked(text=text))
            case FellBack():
                self.flush()
                self.messages.append(
                    Asked(text="The sandbox that ran the code so far is gone, with its variables and files. Go on in this one.")
                )
            case RouteChosen(carried=carried):
                move = moved(history[: position + 1])
                if move is not None or carried:
                    self.flush()
                if move is not None:
                    self._also_asked(move.for_model)
                if carried:
                    self._also_asked(carried_text(carried, history, position))
            case CodeWritten() | CodeRan() | FileMade() if self.reply is not None and not self._opens_reply(event):
                self.after.append(event)
            case Text() | CodeWritten() | CodeRan() | FileMade():
                self._end_results()
                self.loose.append(event)
            case _:
                pass

    def _opens_reply(self, event: Event) -> bool:
        """Code that runs inside a reply that has begun belongs to it, not to the results of the last one."""
        return bool(self.loose) or (isinstance(event, CodeWritten) and event.origin == "provider")

    def _also_asked(self, text: str) -> None:
        """In the user's message just before, when there is one: not every server takes two in a row."""
        match self.messages[-1:]:
            case [Asked() as asked]:
                self.messages[-1] = replace(asked, text=f"{asked.text}\n\n{text}")
            case _:
                self.messages.append(Asked(text=text))

    def flush(self) -> None:
        self._end_results()
        if self.loose:
            text = _narrate(self.loose)
            self.messages.append(Said(text=text, narrated=text))
            self.loose = []

    def _end_results(self) -> None:
        if self.reply is None:
            return
        called = [e for e in self.after if isinstance(e, CodeWritten) and e.call_id is not None]
        if called and isinstance(said := self.messages[-1], Said):
            self.messages[-1] = replace(said, narrated=_narrate([Text(text=said.narrated), *called]))
        results = tuple(self._results(self.reply))
        if results:
            self.messages.append(Ran(results=results))
        self.reply, self.after = None, []

    def _results(self, reply: ReplyEnded) -> list[CallResult]:
        """A result for each run, and one for each call without code, since every call on the wire needs its answer."""
        written = [e for e in self.after if isinstance(e, CodeWritten)]
        by_call: dict[str | None, list[CallResult]] = {}
        for cell in written:
            by_call.setdefault(cell.call_id, []).append(self._result(cell))
        merged: list[CallResult] = []
        for call in reply.calls:
            results = by_call.pop(call.id, [])
            text = "\n\n".join(r.text for r in results) or NO_CODE_IN_CALL
            pictures, again = tuple(p for r in results for p in r.pictures), any(r.again for r in results)
            merged.append(CallResult(call_id=call.id, text=text, again=again, pictures=pictures))
        return merged + [r for results in by_call.values() for r in results]

    def _result(self, cell: CodeWritten) -> CallResult:
        ran = next((e for e in self.after if isinstance(e, CodeRan) and e.code_id == cell.code_id), None)
        made = tuple(e for e in self.after if isinstance(e, FileMade) and e.code_id == cell.code_id)
        if ran is None:
            return CallResult(call_id=cell.call_id, text="This code was not run.")
        failed = not ran.ok and ran.stopped_by != "declined"
        again = failed and cell.source in self.failed
        if failed:
            self.failed.add(cell.source)
        pictures = tuple(f for f in made if f.mime in ("image/png", "image/jpeg"))
        text = describe_run(ran, made, previews=self.previews, same_as_failed=again)
        return CallResult(call_id=cell.call_id, text=text, again=again, pictures=pictures)


def _without_repeats(messages: Sequence[Message]) -> list[Message]:
    kept: list[Message] = []
    for message in messages:
        kept.append(message)
        match kept[-4:]:
            case [Said() as first, Ran(results=[_]), Said() as second, Ran(results=[CallResult(again=True)])] if _same(
                first, second
            ):
                del kept[-4:-2]
            case _:
                pass
    return kept


def _same(first: Said, second: Said) -> bool:
    """The same reply but for the ids of its calls."""
    calls = [[(c.name, c.arguments) for c in said.calls] for said in (first, second)]
    return first.text == second.text and calls[0] == calls[1]


def _narrate(events: Sequence[Event]) -> str:
    """A reply as text, its code and what came of it written out in order."""
    parts: list[str] = []
    for event in events:
        match event:
            case Text(text=text):
                parts.append(text)
            case CodeWritten(language=language, source=source):
                parts.append(f"\n\n```{language}\n{source.rstrip()}\n```\n")
            case CodeRan():
                made = [e for e in events if isinstance(e, FileMade) and e.code_id == event.code_id]
                parts.append(f"\n{describe_run(event, made)}\n\n")
            case _:
                pass
    return "".join(parts).strip()
