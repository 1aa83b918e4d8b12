"""Code from the calls a model made through the server's tool interface, and from a name with arguments in general."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sandloop.events import ToolCall
from sandloop.extraction.arguments import Argument, code_in, load
from sandloop.extraction.cells import Cell, Runnable
from sandloop.extraction.language import acts, parse, tool_language
from sandloop.extraction.source import fence_tag, finish, plain_text
from sandloop.extraction.tags import ToolKind, tag_kind, tool_kind

_SPECIAL = re.compile(r"(?:<\|(?:im_end|eot_id|eom_id|end|call|return|endoftext)\|>|</s>|</?tool_call>|<｜end▁of▁sentence｜>)$")


def read_calls(calls: Sequence[ToolCall], *, cut: bool) -> tuple[list[Cell], bool]:
    """The cells of all calls in order, and whether the last call was cut off and left out."""
    cells: list[Cell] = []
    for call in calls:
        arguments = _without_special(plain_text(call.arguments))
        loaded = load(arguments)
        if cut and call is calls[-1] and arguments.strip() and not (loaded and loaded.whole):
            return cells, True
        value: object = loaded.value if loaded else arguments
        found = code_of(call.name, value, trusted=True)
        cells += [Cell(language=language, source=source, origin="tool_call", call_id=call.id) for language, source in found]
    return cells, False


def _without_special(arguments: str) -> str:
    arguments = arguments.strip()
    special = _SPECIAL.search(arguments, max(0, len(arguments) - 40))
    return arguments[: special.start()] if special else arguments


def code_of(name: str, value: object, *, trusted: bool) -> list[tuple[Runnable, str]]:
    """The code of a call. `trusted`: it came over the tool interface, so any name will do when an argument is called code."""
    kind = tool_kind(name)
    argument = code_in(value)
    if argument is None or not argument.source.strip():
        return []
    if kind is None and not _plainly_code(argument, trusted):
        return []
    return _cell(kind, argument)


def _plainly_code(argument: Argument, trusted: bool) -> bool:
    """For a tool nobody offered: an argument named as code is, and acts as code does."""
    named = argument.key in ("code", "source", "script", "python_code", "python", "source_code", "code_snippet")
    return named and (trusted or acts(argument.source)) and (acts(argument.source) or parse(argument.source) is None)


def _cell(kind: ToolKind | None, argument: Argument) -> list[tuple[Runnable, str]]:
    source = plain_text(argument.source)
    if tag := fence_tag(source):
        kind = "python" if tag == "python" else "bash" if tag == "bash" else kind
    elif "```" in source and parse(source) is None:
        from sandloop.extraction.fences import blocks

        inner = [b for b in blocks(source) if tag_kind(b.info) in ("python", "bash", "none")]
        if inner:
            source = "\n".join(b.source for b in inner)
    said = tag_kind(argument.language)
    if kind in (None, "any") and said in ("python", "bash"):
        kind = said
    elif said == "bash" and kind == "python" and parse(source) is None:
        kind = "bash"
    elif said == "other" and kind in (None, "any") and argument.language.strip():
        return []
    cell = finish(tool_language(kind, argument.key, source), source)
    return [cell] if cell else []
