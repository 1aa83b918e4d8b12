"""A run as what a notebook is made of: prose and cells in order. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from sandloop.events import Answered, CodeWritten, Event, Failed, InputFile, ReplyEnded, RunStarted, Text
from sandloop.result import Result, ResultFile, Step
from sandloop.sizes import human_size


@dataclass(frozen=True, slots=True)
class Prose:
    """Markdown, as the model or we wrote it."""

    text: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell with what came of it, and the pictures it made."""

    step: Step
    pictures: tuple[ResultFile, ...]

    @property
    def runs(self) -> bool:
        """False for one that did not run then, and for a provider's own edit of a file, which can't run elsewhere."""
        return self.step.code.language != "text" and self.step.ran is not None and self.step.ran.stopped_by != "declined"


Piece: TypeAlias = Prose | Cell


def pieces(results: Sequence[Result]) -> list[Piece]:
    """The questions of a conversation in order, each with its head, its replies, its cells and its answer."""
    return [piece for result in results for piece in _of(result)]


def _of(result: Result) -> Iterator[Piece]:
    yield Prose(_head(result))
    steps = {step.code.code_id: step for step in result.steps}
    said = ""
    for reply in _replies(result.events):
        text = _without_code(reply.text, reply.cells)
        if text:
            said = text
            yield Prose(text)
        for code in reply.cells:
            yield Cell(steps[code.code_id], _pictures(result, steps[code.code_id]))
    match result.events[-1:]:
        case [Answered(text=text)] if text.strip() and text.strip() != said:
            yield Prose(text.strip())
        case [Failed(error=error, message=message)]:
            yield Prose(f"*The run ended without an answer.* {error}: {message}")
        case _:
            pass


def _head(result: Result) -> str:
    started = next((e for e in result.events if isinstance(e, RunStarted)), None)
    lines = [f"# {' '.join(result.question.split())}"]
    if started is not None:
        where = f", {result.route.route}: {result.route.reason}" if result.route is not None else ""
        lines.append(f"Asked {started.model or 'the model'} at {started.at}{where}. Run {started.id}.")
        lines.extend(_needs(started.files))
    return "\n\n".join(lines)


def _needs(files: Sequence[InputFile]) -> list[str]:
    if not files:
        return []
    return ["Needs beside it: " + ", ".join(f"`{file.name}` ({human_size(file.size)})" for file in files) + "."]


@dataclass(slots=True)
class _Reply:
    text: str
    cells: list[CodeWritten]


def _replies(events: Sequence[Event]) -> list[_Reply]:
    """What was said and the code after it. A native reply, which holds code within, is several."""
    found = [_Reply("", [])]
    for event in events:
        match event:
            case Text(text=text):
                if found[-1].cells:
                    found.append(_Reply("", []))
                found[-1].text += text
            case ReplyEnded(text=text) if not found[-1].text and not found[-1].cells:
                found[-1].text = text
            case CodeWritten():
                found[-1].cells.append(event)
            case _:
                pass
    return found


def _without_code(text: str, cells: Sequence[CodeWritten]) -> str:
    """The prose without the blocks that stand as cells of their own; none where the text is nothing but a call."""
    if any(cell.origin == "text_tool_call" for cell in cells):
        return ""
    if not cells or ("```" not in text and "~~~" not in text):
        return text.strip()
    from markdown_it import MarkdownIt

    lines = text.split("\n")
    for token in reversed(MarkdownIt("commonmark").parse(text)):
        if token.type == "fence" and token.map is not None and _is_cell(token.content, cells):
            del lines[token.map[0] : token.map[1]]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _is_cell(block: str, cells: Sequence[CodeWritten]) -> bool:
    """Several blocks may have become one cell."""
    bare = _bare(block)
    return any(bare == (source := _bare(c.source)) or (c.origin == "fenced" and bare in source) for c in cells)


def _bare(source: str) -> str:
    return "".join(source.split())


def _pictures(result: Result, step: Step) -> tuple[ResultFile, ...]:
    return tuple(ResultFile(made, result.store) for made in step.files if made.mime in ("image/png", "image/jpeg"))


def ended_how(step: Step) -> str:
    """A sentence on a cell that can't run again."""
    if step.code.language == "text":
        return "An edit by the provider's own tool:"
    if step.ran is not None and step.ran.stopped_by == "declined":
        return "The user did not allow this code, so it was not run:"
    return "This code was not run:"


def fenced(code: CodeWritten) -> str:
    """The code as a block of Markdown, whatever stands in it."""
    longest = max((len(run) for run in re.findall(r"`+", code.source)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{code.language}\n{code.source.rstrip()}\n{fence}"
