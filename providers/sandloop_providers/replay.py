"""A recorded run answers again, without a model and without a key; its code runs for real.

`replay:PATH` takes what sandloop wrote: `events.jsonl`, the folder that holds it, or the output of `--json`; `replay:ID` and
`replay:last` take a kept run. Each recorded reply is
given as it was, its code as tool calls, so the loop runs the same cells. Where the output now differs from the recording, a
`Noted` event says so. A second question gets the recording's second question, whatever is asked.
"""

from __future__ import annotations

import difflib
import json
import stat
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from sandloop import codec
from sandloop.errors import BadFile, BadReply, UsageError
from sandloop.events import CodeRan, CodeWritten, Event, Noted, ReplyEnded, RunStarted, Text, ToolCall
from sandloop.ports import Capabilities, ModelChoice, ProviderAbout, Turn
from sandloop.runs.kept import recording_path
from sandloop.runs.reading import Read, parsed

FAMILY = "replay"
MAX_BYTES = 200_000_000
"""A recording is text; a run of a day stays under a tenth of this."""


@dataclass(slots=True)
class Recorded:
    """One reply of the recording: what was said, the cells, and what they printed then."""

    text: str = ""
    cells: list[CodeWritten] = field(default_factory=list[CodeWritten])
    printed: dict[str, CodeRan] = field(default_factory=dict[str, CodeRan])
    stop: ReplyEnded | None = None


def recorded_replies(events: Sequence[Event]) -> list[Recorded]:
    """The replies of a recording, in order.

    A native reply, which holds code and results in turn, becomes one reply for each stretch up to a result, so that its code can
    run here between them.
    """
    replies: list[Recorded] = []
    open_reply = Recorded()
    native: set[str] = set()
    for event in events:
        match event:
            case RunStarted():
                open_reply = Recorded()
            case Text(text=text):
                if open_reply.printed:
                    replies.append(open_reply)
                    open_reply = Recorded()
                open_reply.text += text
            case CodeWritten(origin="provider"):
                if open_reply.printed:
                    replies.append(open_reply)
                    open_reply = Recorded()
                open_reply.cells.append(event)
                native.add(event.code_id)
            case CodeRan(code_id=code_id) if code_id in native:
                open_reply.printed[code_id] = event
            case ReplyEnded():
                if open_reply.printed:
                    replies.append(open_reply)
                    open_reply = Recorded()
                elif not open_reply.text:
                    open_reply.text = event.text
                open_reply.stop = event
                if open_reply.text or not native:
                    replies.append(open_reply)
                open_reply = Recorded()
            case CodeWritten() if replies:
                replies[-1].cells.append(event)
            case CodeRan() if replies:
                replies[-1].printed[event.code_id] = event
            case _:
                pass
    return replies


def difference(then: CodeRan, now: CodeRan) -> str | None:
    """What differs between the recorded output and today's, in a few lines; None when nothing does."""
    if now.stopped_by == "declined":
        return "it was not allowed to run"
    if then.exit_code not in (None, now.exit_code):
        return f"it ended with exit code {now.exit_code}, in the recording with {then.exit_code}"
    if then.stdout.strip() == now.stdout.strip():
        return None
    changed = difflib.unified_diff(then.stdout.splitlines(), now.stdout.splitlines(), "recorded", "now", lineterm="", n=0)
    return "it printed something else:\n" + "\n".join(line for line, _ in zip(changed, range(12), strict=False))


class Replay:
    """A provider that gives a recording's replies in order."""

    name = FAMILY

    def __init__(self, path: Path, events: Sequence[Event], broken: str = "") -> None:
        self.model = path.name
        self._broken = broken
        self._replies = recorded_replies(events)
        self._questions = [e.question for e in events if isinstance(e, RunStarted)]
        self._asked = 0
        self._given: int | None = None
        """None: nothing was asked yet."""
        self._told: set[str] = set()
        self._cells: dict[str, CodeRan] = {}
        """What the recording printed for a cell, by the cell's source."""

    async def capabilities(self) -> Capabilities:
        """It runs nothing itself."""
        return Capabilities(runs_code=False, runs_code_why="the recording gives the replies, and their code runs here")

    async def reply(self, history: Sequence[Event], turn: Turn) -> AsyncGenerator[Event]:
        """The next recorded reply, after a note on every run whose output differs from the recording."""
        if self._given is None:
            self._given = self._given_before(history)
            if self._broken:
                yield Noted(about="replay", text=f"Of the recording {self._broken}.")
        for note in (*self._other_question(history), *self._differences(history)):
            yield note
        if self._given >= len(self._replies):
            raise BadReply(provider="The recording", said=f"it has no more than {len(self._replies)} replies")
        recorded = self._replies[self._given]
        self._given += 1
        if recorded.text:
            yield Text(text=recorded.text)
        calls: list[ToolCall] = []
        for position, cell in enumerate(recorded.cells):
            if (then := recorded.printed.get(cell.code_id)) is not None:
                self._cells[cell.source] = then
            arguments = json.dumps({"code": cell.source})
            calls.append(ToolCall(id=f"replay-{self._given}-{position}", name=cell.language, arguments=arguments))
        cut_off = recorded.stop is not None and recorded.stop.stop == "length"
        yield ReplyEnded(
            stop="length" if cut_off else "end", text=recorded.text, calls=tuple(calls), model=self.model, family=FAMILY
        )

    def _given_before(self, history: Sequence[Event]) -> int:
        """Replies of this recording in a conversation that is taken up again: it goes on behind them."""
        return sum(isinstance(e, ReplyEnded) and e.model == self.model for e in history)

    def _other_question(self, history: Sequence[Event]) -> list[Noted]:
        """Said once a question: nobody should take a recorded answer for one to what they asked."""
        asked = [e.question for e in history if isinstance(e, RunStarted)]
        if len(asked) == self._asked:
            return []
        self._asked = len(asked)
        recorded = self._questions[len(asked) - 1 : len(asked)]
        if not recorded or recorded[0].split() == asked[-1].split():
            return []
        return [Noted(about="replay", text=f"The recording answers another question: {recorded[0]}")]

    def _differences(self, history: Sequence[Event]) -> list[Noted]:
        sources = {e.code_id: e.source for e in history if isinstance(e, CodeWritten)}
        notes: list[Noted] = []
        for now in (e for e in history if isinstance(e, CodeRan) and e.code_id not in self._told):
            self._told.add(now.code_id)
            then = self._cells.get(sources.get(now.code_id, ""))
            if then is not None and (how := difference(then, now)) is not None:
                notes.append(Noted(about="replay", text=f"Cell {now.code_id} differs from the recording: {how}"))
        return notes

    async def close(self) -> None:
        """Nothing to delete."""


def load(path: Path) -> Read:
    """The events of a recording, up to where it breaks off. Raises `BadFile` or `UsageError`."""
    file = path
    do = "Name a recording: events.jsonl or the output of --json"
    try:
        file = path / "events.jsonl" if path.is_dir() else path
        if not stat.S_ISREG(file.stat().st_mode):
            raise BadFile(name=str(file), why="is not a regular file", do=do)
        if file.stat().st_size > MAX_BYTES:
            raise BadFile(name=str(file), why=f"is over {MAX_BYTES} bytes, too large for a recording", do="Name another file")
        content = file.read_bytes()
    except OSError as error:
        raise BadFile(name=str(file), why=f"can't be read: {error.strerror}", do="Name a recording that exists") from error
    try:
        read = _events(content)
    except (UsageError, RecursionError) as error:
        raise BadFile(name=str(file), why=f"is no recording: {str(error).partition('. ')[0]}", do=do) from error
    if not read.events:
        raise BadFile(name=str(file), why=f"is no recording: {read.broken or 'it is empty'}", do=do)
    return read


def _events(content: bytes) -> Read:
    try:
        whole = json.loads(content)
    except ValueError:
        return parsed(content)
    match whole:
        case {"events": [*events]}:
            return Read(tuple(codec.from_plain(event) for event in cast("list[object]", events)))
        case _:
            return parsed(content)


class ReplayFactory:
    """Opens `replay:PATH`, `replay:ID` and `replay:last`."""

    key_variables: tuple[str, ...] = ()
    default_model: str | None = None
    about = ProviderAbout(title="a recorded run", limits="its code runs for real, here")

    def __call__(self, choice: ModelChoice) -> Replay:
        """Raises `UsageError` when no recording is named or it can't be read."""
        if not choice.model:
            raise UsageError("The model 'replay' needs a recording. Name one as 'replay:PATH', 'replay:ID' or 'replay:last'.")
        path = recording_path(choice.model, choice.runs)
        read = load(path)
        if not any(isinstance(e, ReplyEnded) for e in read.events):
            raise BadFile(name=str(path), why="holds no reply of a model", do="Name a recording of a run that got a reply")
        return Replay(path, read.events, read.broken)


replay = ReplayFactory()
