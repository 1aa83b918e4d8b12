"""Code and what it printed, as Markdown that any reader takes."""

from __future__ import annotations

import re

from sandloop.events import CodeRan
from sandloop.result import Result, Step


def fenced(content: str, language: str = "") -> str:
    """A fenced block; its fence is longer than any run of backticks in the content, so that nothing in it can end it."""
    longest = max((len(run) for run in re.findall(r"`{3,}", content)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{content.rstrip()}\n{fence}"


def steps_and_answer(result: Result) -> str:
    """Each cell with what it printed, in order, then the answer; without one, the cells alone."""
    parts = [block for step in result.steps for block in _step(step)]
    return "\n\n".join([*parts, *([result.text] if result.answered else [])])


def _step(step: Step) -> list[str]:
    """The cell, and its output where there is one."""
    return [fenced(step.code.source, step.code.language), *(_printed(step.ran) if step.ran is not None else [])]


def _printed(ran: CodeRan) -> list[str]:
    said = [_with_cut(ran.stdout, ran.stdout_cut), _with_cut(ran.stderr, ran.stderr_cut)]
    if ran.error is not None and ran.error.traceback.strip() not in ran.stderr:
        said.append(ran.error.traceback)
    if ran.stopped_by == "declined":
        said.append("[not run: it was not allowed]")
    elif ran.stopped_by != "itself":
        said.append(f"[not run to its end: {ran.stopped_by}]")
    text = "\n".join(part.rstrip() for part in said if part.strip())
    return [fenced(text, "text")] if text else []


def _with_cut(text: str, cut: int) -> str:
    return f"{text.rstrip()}\n[{cut} bytes of the middle are left out]" if cut else text
