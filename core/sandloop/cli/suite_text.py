"""What a suite came to, for a person: a row a model, then each question with what was not as expected."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sandloop.printable import printable
from sandloop.suite.outcome import WORDS, QuestionOutcome, Status, SuiteOutcome, Total, Verdict
from sandloop.suite.page import headline
from sandloop.terminal.text import as_text

STYLES: dict[Status, str] = {"passed": "green", "failed": "bold red", "error": "yellow", "not_run": "dim"}
SIGNS: dict[Status, str] = {"passed": "✓", "failed": "✗", "error": "!", "not_run": "–"}
CHARS = 300
"""Of what an expectation or an error says; results.json has all."""


def suite_text(outcome: SuiteOutcome, *, width: int | None = None, colour: bool = False) -> str:
    """All of it as text.

    Args:
        width: In columns; None: the terminal's.
        colour: Whether the terminal shows any.
    """
    return as_text(_parts(outcome), width=width, colour=colour)


def _parts(outcome: SuiteOutcome) -> Iterator[RenderableType]:
    yield Text(headline(outcome), "bold green" if outcome.all_as_expected else "bold")
    yield Text()
    yield totals_table(outcome.totals)
    yield Text()
    for question in outcome.questions:
        yield from _question(question)


def _question(question: QuestionOutcome) -> Iterator[RenderableType]:
    worst = next((s for s in ("error", "failed", "not_run") if any(v.status == s for v in question.verdicts)), "passed")
    signs = Text(" ").join(Text(SIGNS[v.status], STYLES[v.status]) for v in question.verdicts)
    said = f"  {printable(question.agreement)}" if question.agreement else ""
    yield Text.assemble((printable(question.id), "bold" if worst != "passed" else ""), "  ", signs, (said, "dim"))
    for verdict in question.verdicts:
        if reasons := why(verdict):
            yield Padding(Text(printable(verdict.label), "bold"), (0, 0, 0, 2))
            yield from (Padding(line, (0, 0, 0, 4)) for line in map(Text, reasons))


def why(verdict: Verdict) -> list[str]:
    """Why a run is not as expected, a line for each reason; none when it is."""
    if verdict.status in ("passed", "not_run"):
        return []
    message = [verdict.message] if verdict.message else []
    lines = message if verdict.status == "error" else [*message, *(outcome.sentence for outcome in verdict.failed)]
    return [_short(line) for line in lines] or [WORDS[verdict.status]]


def _short(text: str) -> str:
    line = " ".join(printable(text).split())
    return line if len(line) <= CHARS else line[: CHARS - 1] + "…"


def totals_table(rows: tuple[Total, ...]) -> Table:
    """A row a model."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    table.add_column("model", overflow="fold", min_width=8)
    for name in ("as expected", "not", "errors", "asked now", "tokens", "cost", "time"):
        table.add_column(name, justify="right", overflow="fold")
    for row in rows:
        table.add_row(
            Text(printable(row.model)),
            f"{row.passed} of {row.runs}",
            Text(str(row.failed), "red" if row.failed else "dim"),
            Text(str(row.error), "yellow" if row.error else "dim"),
            str(row.asked),
            f"{row.tokens:,}" if row.tokens else "-",
            "unknown" if row.cost is None else f"${row.cost:.4f}",
            f"{row.seconds:.1f} s",
        )
    return table
