"""Entries of a comparison, made by hand: answers, the code that ran, what it printed, the files it made."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from sandloop.comparing.comparison import Entry
from sandloop.events import Answered, Check, Checked, CodeRan, CodeWritten, Event, FileMade, FilesPreviewed, Preview
from sandloop.mime import mime_of
from sandloop.result import Result
from sandloop.store import FileStore

Cell = tuple[str, str]
"""Its source and what it printed; a source that begins with `raise` ended badly."""


def run(
    label: str,
    text: str | None,
    *cells: Cell,
    checks: Sequence[str] = (),
    preview: str = "",
    files: Mapping[str, bytes] | None = None,
) -> Entry:
    """An entry that said `text`, or one that a limit ended."""
    store = FileStore(file_bytes=1_000_000_000)
    events: list[Event] = [FilesPreviewed(previews=(Preview(name="data.csv", text=preview),))] if preview else []
    for number, (source, printed) in enumerate(cells, 1):
        code = f"c{number}"
        events.append(CodeWritten(code_id=code, language="python", source=source, origin="tool_call"))
        events.append(CodeRan(code_id=code, exit_code=1 if source.startswith("raise") else 0, stdout=printed))
    events += [made(store, name, content) for name, content in (files or {}).items()]
    if checks:
        events.append(Checked(checks=tuple(Check(number=number, where="") for number in checks)))
    if text is not None:
        events.append(Answered(text=text))
    return Entry(
        model=label, label=label, result=Result(events=tuple(events), store=store), error="" if text is not None else "LimitReached"
    )


def made(store: FileStore, name: str, content: bytes) -> FileMade:
    """A file in the store, as a run leaves it."""
    sha256 = hashlib.sha256(content).hexdigest()
    store.add_bytes(content, sha256)
    return FileMade(name=name, size=len(content), mime=mime_of(Path(store.path(sha256)), name), sha256=sha256, code_id="c1")
