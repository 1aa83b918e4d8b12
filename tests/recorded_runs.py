"""Recordings made of nothing but cells: for runs whose place matters, not their model."""

from __future__ import annotations

from pathlib import Path

from sandloop.codec import lines
from sandloop.events import Answered, CodeRan, CodeWritten, Event, ReplyEnded, RunStarted


def recording(folder: Path, *sources: str) -> str:
    """A model's name: it asks for each cell in a reply of its own, then says "Done."."""
    events: list[Event] = [RunStarted(id="1", question="?", model="m")]
    for number, source in enumerate(sources, 1):
        written = CodeWritten(code_id=f"c{number}", language="python", source=source, origin="fenced")
        events += [ReplyEnded(stop="end"), written, CodeRan(code_id=f"c{number}", exit_code=0)]
    events += [ReplyEnded(stop="end", text="Done."), Answered(text="Done.")]
    folder.mkdir(exist_ok=True)
    (folder / "events.jsonl").write_text("".join(lines(events)))
    return f"replay:{folder}"
