"""Which fenced blocks of a reply are code that is meant to run now."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sandloop.extraction import pythonic, text_calls
from sandloop.extraction.cells import Cell, Found, Runnable
from sandloop.extraction.fences import Block, blocks, relaxed
from sandloop.extraction.inner_fences import kept_whole, swallows
from sandloop.extraction.intent import around, resolves, says_done
from sandloop.extraction.language import acts, does_nothing, imports, is_script, parse, reads_like_code
from sandloop.extraction.other_fences import as_fences
from sandloop.extraction.set_up import without_set_up
from sandloop.extraction.shell import is_commands, looks_like_shell
from sandloop.extraction.shown import is_diff, is_traceback, leaves_out
from sandloop.extraction.source import finish, without_shell_prompts
from sandloop.extraction.tags import TagKind, tag_kind
from sandloop.extraction.unclosed import without_prose

LONG_PROSE = 400
"""Characters of prose after the last block from which on a reply with tools in use is an explanation, not an action."""


@dataclass(frozen=True, slots=True)
class Situation:
    """What the conversation says about a reply without a call in it."""

    cut: bool
    tools_in_use: bool
    already_ran: Collection[str]


def from_fences(text: str, situation: Situation) -> Found:
    """The cells among the fenced blocks; or of a reply that is a script and nothing else."""
    text = kept_whole(text)
    strict = blocks(text)
    found = _choose(strict, text, situation)
    broken = any(swallows(b.source) for b in strict) or any(
        not b.closed and (b.end < len(text.rstrip()) or "```" in b.source) for b in strict
    )
    if "```" in text and (broken or (not found.cells and not found.why)):
        again = _choose(blocks(relaxed(text)), text, situation)
        found = again if again.cells or not found else found
    if found or found.why:
        return found
    bare = _bare(text, strict, situation)
    if not bare and not any(b.source.strip() for b in strict) and (fenced := as_fences(text)) is not None:
        return _choose(blocks(fenced), fenced, situation)
    return bare


def _choose(found: list[Block], text: str, situation: Situation) -> Found:
    prose = "\n".join(b.before for b in found) + (found[-1].after if found else "")
    ran = _lines(situation.already_ran)
    code: list[Cell] = []
    cut, why, done = False, "", False
    seen: set[str] = set()
    for block in found:
        last = block is found[-1]
        cells = _cells_of(block)
        if not cells:
            cut = cut or (situation.cut and last and not block.closed and tag_kind(block.info) in ("call", "none"))
            continue
        done = done or says_done(block.before)
        reason = _not_meant(block, cells, prose, done, situation, ran)
        if reason:
            why = reason
        elif situation.cut and last and not block.closed:
            cut = True
        else:
            code += [c for c in cells if c.source not in seen]
            seen.update(c.source for c in cells)
    return Found(tuple(without_set_up(code)), cut, "fenced code" if code else why)


def _cells_of(block: Block) -> list[Cell]:
    """The code in a block, whatever the words around it say."""
    if block.quoted or not block.source.strip():
        return []
    kind = tag_kind(block.info)
    if kind != "other" and (called := text_calls.read_block(block.source)):
        return [Cell(language=language, source=source, origin="text_tool_call") for language, source in called]
    return [Cell(language=language, source=source, origin="fenced") for language, source in _code_of(block, kind)]


def _code_of(block: Block, kind: TagKind) -> list[tuple[Runnable, str]]:
    source = block.source if block.closed or kind == "bash" else without_prose(block.source)
    match kind:
        case "python" if not (is_diff(source) or is_traceback(source) or does_nothing(source)):
            return _listed(finish("python", source))
        case "bash" if not is_diff(source):
            return _listed(finish("python" if imports(source) and not looks_like_shell(source) else "bash", source))
        case "console":
            commands = without_shell_prompts(source)
            return _listed(finish("bash", commands)) if commands else []
        case "call" if block.info.lower().startswith("tool") and acts(source):
            return _listed(finish("python", source))
        case "none":
            return _untagged(source)
        case "word":
            return [cell for cell in _untagged(source) if cell[0] == "python" and is_script(cell[1])]
        case _:
            return []


def _untagged(source: str) -> list[tuple[Runnable, str]]:
    if is_diff(source):
        return []
    cell = finish("bash" if is_commands(source) else "python", source)
    if cell and cell[0] == "bash":
        announced = source.lstrip().startswith("%%") or (source.lstrip().startswith("!") and looks_like_shell(cell[1]))
        return [cell] if announced or is_commands(source) else []
    return _listed(cell) if cell and acts(cell[1]) else []


def _listed(cell: tuple[Runnable, str] | None) -> list[tuple[Runnable, str]]:
    return [cell] if cell else []


def _not_meant(block: Block, cells: list[Cell], prose: str, done: bool, situation: Situation, ran: frozenset[str]) -> str:
    """Why a block is not to be run; empty when it is."""
    intent = around(block.before, block.after)
    something_ran = bool(ran) or situation.tools_in_use
    first = block.source.lstrip().split("\n", 1)[0].lower()
    if intent == "never" or re.match(
        r"#\s*(?:do not|don't) (?:run|execute)|#\|\s*eval:\s*false|#\s*(?:pseudo-?code|(?:example |sample |expected )?output\b)",
        first,
    ):
        return "the reply says not to run it"
    if intent == "used":
        return "the reply says that this code was used already"
    shows_value = cells[0].language == "python" and not acts(cells[0].source) and parse(cells[0].source) is not None
    if intent == "output" and (
        shows_value or not block.info or (parse(cells[0].source) is None and not reads_like_code(cells[0].source))
    ):
        return "it shows output"
    if not something_ran and leaves_out(block.source):
        return "it leaves out a part of the code"
    if resolves(block.before):
        return ""
    if something_ran and intent == "offered":
        return "the reply offers it for another time"
    if ran and prose.strip() and intent != "act" and all(_lines([c.source]) <= ran for c in cells):
        return "it repeats code that has run"
    if ran and intent != "act" and done:
        return "the reply is a finished answer"
    if situation.tools_in_use and ((intent == "said" and prose.strip()) or len(block.after.strip()) > LONG_PROSE):
        return "the reply explains, and this model calls tools when it wants code to run"
    return ""


def _lines(sources: Iterable[str]) -> frozenset[str]:
    """The lines that matter of some code, without blanks and comments."""
    lines = (re.sub(r"\s+", "", line.split(" #")[0]) for source in sources for line in source.split("\n"))
    return frozenset(line for line in lines if line and not line.startswith(("#", "import", "from")))


def _bare(text: str, strict: list[Block], situation: Situation) -> Found:
    """A reply that is code from end to end, perhaps with a lost fence at one of its ends."""
    body = text.strip()
    if len(strict) > 1 or not body or re.match(r"#\+begin_src|\{code", body, re.IGNORECASE):
        return Found()
    if not strict and (called := pythonic.unwrapped(body)):
        cells = tuple(Cell(language=language, source=source, origin="text_tool_call") for language, source in called)
        return Found(cells, False, "a call written as text")
    if strict:
        only = strict[0]
        if only.closed or only.quoted or not text[: only.start].strip() or (only.source.strip() and is_script(only.source)):
            return Found()
        body = text[: only.start].strip("\n")
    cell = finish("python", body)
    if cell and cell[0] == "python" and is_script(cell[1]):
        return (
            Found((), True, "cut off")
            if situation.cut and not strict
            else Found((Cell(language=cell[0], source=cell[1], origin="fenced"),), False, "the whole reply is a script")
        )
    if situation.cut and not strict and re.search(r"^(?:import|from) \w", body, re.MULTILINE):
        begun = body.rsplit("\n", 1)[0]
        for _ in range(8):
            if is_script(begun) and imports(begun):
                return Found((), True, "cut off")
            begun = begun.rpartition("\n")[0]
    return Found()
