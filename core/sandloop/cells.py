"""The cells of a reply on the local route, as events: found in it, numbered through the conversation."""

from __future__ import annotations

from collections.abc import Sequence

from sandloop.events import CodeRan, CodeWritten, Event, ReplyEnded
from sandloop.extraction import extract


def cells_of(reply: ReplyEnded, history: Sequence[Event]) -> list[CodeWritten]:
    """What is to be run of the reply that `history` ends with."""
    written = [e for e in history if isinstance(e, CodeWritten)]
    good = {e.code_id for e in history if isinstance(e, CodeRan) and e.ok}
    found = extract(
        reply,
        tools_in_use=any(e.calls for e in history if isinstance(e, ReplyEnded) and e is not reply),
        already_ran={e.source for e in written if e.code_id in good},
    )
    return [
        CodeWritten(code_id=f"c{number}", language=cell.language, source=cell.source, origin=cell.origin, call_id=cell.call_id)
        for number, cell in enumerate(found.cells, len(written) + 1)
    ]
