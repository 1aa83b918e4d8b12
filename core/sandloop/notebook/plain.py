"""A result and a comparison as Markdown and as plain text, for where no HTML is shown. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sandloop.report.shown import ComparisonShown, RunShown, StepShown
from sandloop.report.text import Cut, visible

_LINKS = re.compile(r"\]([(\[:])")
_RUNS_OF_BACKTICKS = re.compile(r"`{3,}")


def result_markdown(run: RunShown) -> str:
    """The answer, then each step with its code and its output, then the files and what it took."""
    parts = [_answer(run)]
    for item in run.items:
        if isinstance(item, StepShown):
            title = f"**{item.mark.sign} step {item.number}** {item.mark.word} {item.seconds}".strip()
            parts += [title, _fence(item.code, item.language)]
            parts += [_fence(output, "") for output in (item.stdout, item.stderr) if output]
            parts += [_inert(item.error)] if item.error else []
    parts += [f"Files: {_inert(_files(run))}"] if run.files else []
    parts += [_inert(f"{run.route}: {run.reason}")] if run.route else []
    return "\n\n".join(part for part in parts if part)


def comparison_markdown(shown: ComparisonShown) -> str:
    """The verdict, a table, and each answer."""
    head = ["| model | | route | steps | files | time | cost |", "|---|---|---|---|---|---|---|"]
    answers = [f"**{_inert(run.label)}**\n\n{_answer(run)}" for run in shown.runs]
    table = "\n".join([*head, *(_row(map(_inert, _cells(run))) for run in shown.runs)])
    return "\n\n".join([f"**{shown.mark.sign} {_inert(shown.verdict)}**", table, *answers])


def result_text(run: RunShown) -> str:
    """The answer, and in a line what it took."""
    facts = [f"{run.step_count} step{'' if run.step_count == 1 else 's'}", visible(run.route)]
    facts += [f"files: {visible(_files(run))}"] if run.files else []
    return "\n".join([_said(run), f"[{'; '.join(fact for fact in facts if fact)}]"])


def comparison_text(shown: ComparisonShown) -> str:
    """The verdict, and a line a run."""
    lines = [f"{run.label}: {' '.join(_said(run).split())[:200]}" for run in shown.runs]
    return "\n".join(visible(line) for line in (f"{shown.mark.sign} {shown.verdict}", *lines))


def _said(run: RunShown) -> str:
    text = visible(joined(run.answer))
    return text if run.answered else f"{run.mark.sign} {visible(run.failure or run.mark.word)}" + (f"\n{text}" if text else "")


def _answer(run: RunShown) -> str:
    return _inert(_said(run))


def _cells(run: RunShown) -> tuple[str, ...]:
    return (
        run.label,
        f"{run.mark.sign} {run.mark.word}",
        run.route,
        str(run.step_count),
        str(run.file_count),
        run.seconds,
        run.cost,
    )


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


def _files(run: RunShown) -> str:
    more = run.file_count - len(run.files)
    return ", ".join(f"{file.name} ({file.size})" for file in run.files) + (f", … {more} more" if more > 0 else "")


def joined(cut: Cut) -> str:
    """A text with a word on what is left out of it."""
    return f"{cut.head}\n\n… {cut.left_out:,} characters left out …\n\n{cut.tail}" if cut.left_out else cut.head


def _inert(text: str) -> str:
    """Others' words in Markdown: paragraphs, lists and code stay, but no tag, link or picture comes of them."""
    return (
        visible(text).replace("&", "&amp;").replace("<", "&lt;").replace("](", "]\\(").replace("][", "]\\[").replace("]:", "]\\:")
    )


def _fence(text: Cut, language: str) -> str:
    body = visible(joined(text)).rstrip("\n")
    longest = max((len(found) for found in _RUNS_OF_BACKTICKS.findall(body)), default=2)
    fence = "`" * (longest + 1)
    return f"{fence}{language}\n{body}\n{fence}"
