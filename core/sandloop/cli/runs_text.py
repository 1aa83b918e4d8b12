"""Kept runs as text for a person: a table of them, and one of them whole. Colours follow the terminal that stdout is."""

from __future__ import annotations

import io
import shutil
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime

from rich.console import Console, RenderableType
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from sandloop.cli.ends import stdout_is_terminal
from sandloop.events import CodeRan, Failed, FellBack, Noted, RunStarted
from sandloop.export.pieces import ended_how
from sandloop.feedback import head_and_tail
from sandloop.names import clean_path
from sandloop.printable import printable
from sandloop.result import Result, Step
from sandloop.runs import Run, RunSummary
from sandloop.sizes import human_size

PIPED_WIDTH = 200
NARROW, MODEL_WIDTH, MIN_QUESTION = 100, 24, 20
SHOWN_OUTPUT = 8_000
"""Characters shown of what a cell printed."""
_STATUS = {"answered": "green", "running": "cyan", "failed": "red", "interrupted": "yellow"}


def table(runs: Sequence[RunSummary]) -> str:
    """A line a run, the question cut to what the terminal has room for; into a pipe goes all of it."""
    return _drawn(table_lines(runs, shutil.get_terminal_size().columns if stdout_is_terminal() else None))


def table_lines(runs: Sequence[RunSummary], most: int | None) -> list[Text]:
    """In at most so many columns. Where too few are left beside the rest, the question stands below it."""
    rows = [_row(run, narrow=most is not None and most < NARROW) for run in runs]
    widths = [min(MODEL_WIDTH, max(len(row[column].plain) for row in rows)) for column in range(len(rows[0]))]
    below = most is not None and most - sum(width + 2 for width in widths) < MIN_QUESTION
    lines: list[Text] = []
    for run, row in zip(runs, rows, strict=True):
        line = Text()
        for cell, width in zip(row, widths, strict=True):
            cell.truncate(width, overflow="ellipsis", pad=True)
            line.append_text(cell).append("  " if width else "")
        question = " ".join(printable(run.question).split())
        lines += [line, Text(f"  {question}")] if below else [line.append(question)]
    for line in lines:
        if most is not None:
            line.truncate(most, overflow="ellipsis")
    return lines


def _row(run: RunSummary, *, narrow: bool) -> list[Text]:
    name, status = Text(run.id), Text(run.status, _STATUS[run.status])
    if narrow:
        return [name, status]
    cost = Text(f"${run.cost:.4f}" if run.cost is not None else "")
    return [name, Text(_when(run.at)), status, Text(printable(run.model)), cost]


def shown(run: Run) -> str:
    """One run: what was asked, what ran, what came of it."""
    return _drawn(list(_parts(run, run.result())))


def _parts(run: Run, result: Result) -> Iterator[RenderableType]:
    summary = run.summary
    yield Text.assemble((f"{printable(result.question or summary.question)}", "bold"))
    yield _facts(run, result)
    for note in _notes(run, result):
        yield Text(f"! {printable(note)}", "yellow")
    for step in result.steps:
        yield Text("")
        yield from _step(step)
    yield Text("")
    match [e for e in result.events if isinstance(e, Failed)]:
        case [Failed(error=error, message=message), *_]:
            yield Text(f"✗ {error}: {printable(message)}", "red")
        case _:
            pass
    if result.answered:
        yield Text(printable(result.text))
    if result.checks:
        yield Text(f"! in no output, file or question: {', '.join(printable(c.number) for c in result.checks)}", "yellow")
    for file in result.files:
        path = run.files_folder / clean_path(file.name)
        yield Text(f"+ {printable(str(path))} ({human_size(file.size)}, {printable(file.mime)})", "green")


def _facts(run: Run, result: Result) -> Table:
    summary, usage = run.summary, result.usage
    rows = Table.grid(padding=(0, 2, 0, 0))
    rows.add_column(style="dim", no_wrap=True)
    rows.add_column(overflow="fold")

    def row(name: str, said: str) -> None:
        if said:
            rows.add_row(name, Text(printable(said)))

    took = f" in {summary.seconds:.1f} s" if summary.seconds is not None else ""
    row("run", f"{run.id}, {summary.status}{took}, {_when(summary.at)}")
    if summary.position > 1:
        row("after", f"{summary.previous or 'a run that is not kept'}, as question {summary.position} of its conversation")
    row("model", f"{summary.model} ({summary.provider} {summary.provider_model})".replace(" ()", ""))
    if result.route is not None:
        row("route", f"{result.route.route}: {result.route.reason}")
    if result.sandbox is not None:
        row("sandbox", f"{result.sandbox.sandbox}, {result.sandbox.engine}, image {result.sandbox.image}")
    started = next((e for e in result.events if isinstance(e, RunStarted)), None)
    row("files", ", ".join(f"{f.name} ({human_size(f.size)})" for f in started.files) if started is not None else "")
    if usage.input_tokens or usage.output_tokens:
        cost = f", about ${result.cost:.4f}" if result.cost is not None else ""
        row("tokens", f"{usage.input_tokens} in, {usage.output_tokens} out{cost}")
    row("folder", str(run.folder))
    return rows


def _notes(run: Run, result: Result) -> Iterator[str]:
    if run.broken:
        yield f"Of the events {run.broken}."
    elif run.summary.incomplete:
        yield f"Not all of it was kept: {run.summary.incomplete}."
    for event in result.events:
        match event:
            case Noted(about=about, text=text) if about != "progress":
                yield text
            case FellBack(reason=reason):
                yield f"It went on in the local sandbox: {reason}"
            case _:
                pass


def _step(step: Step) -> Iterator[RenderableType]:
    code, ran = step.code, step.ran
    lexer = code.language if code.language in ("python", "bash") else "text"
    yield Text(f"{printable(code.code_id)} ({code.language})", "dim")
    yield Syntax(printable(code.source.rstrip()), lexer, theme="ansi_dark", background_color="default", word_wrap=True)
    if ran is None or ran.stopped_by == "declined":
        yield Text(f"✗ {ended_how(step).rstrip(':')}.", "yellow")
        return
    for text, style in ((ran.stdout, ""), (ran.stderr, "dim"), (ran.error.traceback if ran.error is not None else "", "red")):
        if text.strip():
            yield Text(head_and_tail(printable(text.rstrip()), SHOWN_OUTPUT), style)
    yield Text(*_outcome(ran))


def _outcome(ran: CodeRan) -> tuple[str, str]:
    took = f" in {ran.seconds:.2f} s" if ran.seconds is not None else ""
    if ran.ok:
        return f"✓ ran{took}", "green"
    if ran.stopped_by != "itself":
        return f"✗ stopped by {ran.stopped_by}{took}", "red"
    if ran.outcome == "unknown":
        return f"? ran{took}; the provider does not say whether it went well", "yellow"
    return f"✗ {'failed' if ran.error is not None else f'exit code {ran.exit_code}'}{took}", "red"


def _when(at: str) -> str:
    """In the time of this machine."""
    try:
        return f"{datetime.fromisoformat(at).astimezone():%Y-%m-%d %H:%M}"
    except (ValueError, OverflowError, OSError):  # a year that this machine's calendar has not
        return printable(at)


def _drawn(parts: Sequence[RenderableType]) -> str:
    out = io.StringIO()
    terminal = stdout_is_terminal()
    width = shutil.get_terminal_size().columns if terminal else PIPED_WIDTH
    console = Console(file=out, width=width, force_terminal=terminal and Console(file=sys.stdout).is_terminal, highlight=False)
    for part in parts:
        console.print(part, soft_wrap=isinstance(part, Text))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
