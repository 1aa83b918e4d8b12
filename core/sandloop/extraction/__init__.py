"""Finding the code in a model's reply.

Three ways, tried in order for each reply: the calls the model made through the server's tool interface, calls it wrote as text,
fenced blocks. The first that finds code decides; a reply that is a script from end to end counts as a fenced block. Thinking
is taken out before anything is searched. Pure; safe on any string; the time is linear in the reply's length.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from sandloop.events import ReplyEnded
from sandloop.extraction import text_calls
from sandloop.extraction.calls import read_calls
from sandloop.extraction.cells import Cell, Extraction, Found, Runnable
from sandloop.extraction.choose import Situation, from_fences
from sandloop.extraction.language import forget
from sandloop.extraction.source import plain_text
from sandloop.extraction.thinking import without_thinking
from sandloop.extraction.turns import own_turn, without_results

__all__ = ["Cell", "Extraction", "Runnable", "extract"]


def extract(reply: ReplyEnded, *, tools_in_use: bool = False, already_ran: Collection[str] = ()) -> Extraction:
    """The cells to run for a reply, in order.

    Args:
        tools_in_use: The model has called tools in this conversation, so a fenced block in a reply without a call is an
            illustration unless the reply plainly announces that it is to be run.
        already_ran: Sources that have run successfully; a final answer that repeats them does not run them again.
    """
    if reply.stop == "refusal":
        return Extraction(why="the model refused")
    try:
        return _read(reply, tools_in_use=tools_in_use, already_ran=already_ran)
    finally:
        forget()


def _read(reply: ReplyEnded, *, tools_in_use: bool, already_ran: Collection[str]) -> Extraction:
    cut = reply.stop == "length"
    cells, cut_off = read_calls(reply.calls, cut=cut)
    if cells or cut_off:
        return Extraction(cells=tuple(cells), cut_off=cut_off, why="the call is cut off" if cut_off else "a tool call")
    text = without_thinking(without_results(own_turn(plain_text(reply.text))))
    if not text.strip():
        return Extraction(why="no text")
    found, text = text_calls.read(text, cut=cut)
    if found:
        return _extraction(found)
    situation = Situation(cut=cut, tools_in_use=tools_in_use and not reply.calls, already_ran=already_ran)
    # A call whose arguments are empty, beside code in the text: the code is that call's.
    call_id = reply.calls[0].id if reply.calls else None
    return _extraction(from_fences(text, situation), call_id)


def _extraction(found: Found, call_id: str | None = None) -> Extraction:
    cells = tuple(replace(c, call_id=call_id) for c in found.cells) if call_id is not None else found.cells
    return Extraction(cells=cells, cut_off=found.cut, why="the code is cut off" if found.cut else found.why or "no code")
