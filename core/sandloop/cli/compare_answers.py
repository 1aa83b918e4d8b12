"""What a comparison found, for a person: the verdict, each answer, its figures, and where they differ."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sandloop.cli.compare_table import LABEL_CHARS as TABLE_LABEL_CHARS
from sandloop.comparing.comparison import Agreement, Comparison, Entry, FileRow, NumberRow, short_label
from sandloop.printable import printable
from sandloop.terminal.text import as_text

ANSWER_LINES = 12
ANSWER_CHARS = 1_000
DIFFERENCES = 20
"""Of numbers; the report has all."""
CELLS = 6
"""Of each file."""
CHECKS = 10
ROOMY = 72
"""Columns below which the figures stand closer."""
TABLE = 60
"""Columns below which they are no table, which would lose the models' names."""
LINE_CHARS, LABEL_CHARS, VALUE_CHARS = 800, 200, 60
_BAD = "bold red"
_IN, _FURTHER_IN = (0, 0, 0, 2), (0, 0, 0, 4)


def answers(comparison: Comparison, *, width: int | None = None, colour: bool = False) -> str:
    """All of it as text.

    Args:
        width: In columns; None: the terminal's.
        colour: Whether the terminal shows any.
    """
    room = Console().width if width is None else width
    return as_text(_parts(comparison, room), width=room, colour=colour)


def _parts(comparison: Comparison, width: int) -> Iterator[RenderableType]:
    agreement = comparison.agreement
    style = {True: "bold green", False: _BAD, None: "bold"}[agreement.agree]
    yield Text(_brief(agreement.verdict, LINE_CHARS), style)
    for number, entry in enumerate(comparison.entries):
        yield Text()
        yield Text.assemble((short_label(entry.label, LABEL_CHARS), "bold"), ("  ≠" if _differs(agreement, number) else "", _BAD))
        yield Padding(_answer(entry, _odd_numbers(agreement, number)), _IN)
        if entry.answered and entry.result is not None and entry.result.checks:
            unseen = ", ".join(_brief(check.number, VALUE_CHARS) for check in entry.result.checks[:CHECKS])
            yield Padding(Text(f"! in no output, file or question: {unseen}", "yellow"), _IN)
    yield Text()
    yield _figures(comparison, width)
    if differences := list(_differences(comparison, width)):
        yield Group(Text(), Text("Where they differ", "bold"), *differences)
    if agreement.judged is not None:
        judged = agreement.judged
        said = f"{_brief(judged.model, LABEL_CHARS)}, asked as the judge (an opinion, not evidence):"
        yield Group(Text(), Text(said, "bold"), Padding(_shortened(judged.text), _IN))


def _differs(agreement: Agreement, number: int) -> bool:
    return any(row.differs[number] for row in agreement.numbers)


def _odd_numbers(agreement: Agreement, number: int) -> list[str]:
    return [value for row in agreement.numbers if row.differs[number] and (value := row.values[number]) is not None]


def _answer(entry: Entry, odd: list[str]) -> Text:
    if entry.result is None or not entry.answered:
        said = _shortened(entry.result.text) if entry.result is not None else Text()
        failed = Text(_brief(f"{entry.error}: {entry.message}", LINE_CHARS), "red")
        return Text.assemble(failed, "\n", said) if said.plain else failed
    answer = _shortened(entry.result.text)
    for value in odd:
        answer.highlight_regex(rf"(?<![\d.,]){re.escape(printable(value))}(?!\d)", _BAD)
    return answer


def _shortened(text: str) -> Text:
    lines = [line.rstrip() for line in text[: 10 * ANSWER_CHARS].strip().split("\n") if line.strip()]
    kept = "\n".join(lines[:ANSWER_LINES])[:ANSWER_CHARS]
    return Text(printable(kept) + (" …" if len(kept) < len("\n".join(lines)) else ""))


def _brief(text: str, chars: int) -> str:
    """One line of it."""
    line = " ".join(printable(text[: 2 * chars]).split())
    return line if len(line) <= chars else line[: chars - 2] + " …"


def _figures(comparison: Comparison, width: int) -> RenderableType:
    if width < TABLE:
        return Group(*(line for entry in comparison.entries for line in _figures_below(entry)))
    table = Table(box=None, padding=(0, 2 if width >= ROOMY else 1, 0, 0), header_style="dim")
    table.add_column("model", overflow="fold", min_width=8)
    table.add_column("route", no_wrap=True)
    any_failed = any(_failed_steps(entry) for entry in comparison.entries)
    for name in ("steps", *(["failed"] if any_failed else []), "files", "tokens", "cost", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    for entry in comparison.entries:
        route, steps, *rest = _figures_of(entry)
        failed = [Text(str(_failed_steps(entry) or ""), "red")] if any_failed else []
        table.add_row(_model(entry), route, steps, *failed, *rest)
    return table


def _figures_below(entry: Entry) -> Iterator[RenderableType]:
    names = ("", "steps ", "files ", "tokens ", "cost ", "")
    told = [f"{name}{figure}" for name, figure in zip(names, _figures_of(entry), strict=True) if figure != "-"]
    failed = [f"failed {count}"] if (count := _failed_steps(entry)) else []
    yield _model(entry)
    if told:
        yield Padding(Text(" · ".join([*told[:2], *failed, *told[2:]]), "dim"), (0, 0, 0, 2))


def _model(entry: Entry) -> Text:
    return Text(short_label(entry.label, TABLE_LABEL_CHARS), "" if entry.answered else "red")


def _figures_of(entry: Entry) -> list[str]:
    seconds = f"{entry.seconds:.1f} s"
    result = entry.result
    if result is None:
        return ["-", "-", "-", "-", "-", seconds if entry.seconds else "-"]
    usage = result.usage
    tokens = usage.input_tokens + usage.output_tokens
    cost = "unknown" if result.cost is None else f"${result.cost:.4f}"
    route = result.route.route if result.route is not None else "-"
    return [route, str(len(result.steps)), str(len(result.files)), f"{tokens:,}" if tokens else "-", cost, seconds]


def _failed_steps(entry: Entry) -> int:
    steps = entry.result.steps if entry.result is not None else ()
    return sum(step.ran is not None and not step.ran.ok and step.ran.outcome == "known" for step in steps)


def _differences(comparison: Comparison, width: int) -> Iterator[RenderableType]:
    labels = [short_label(entry.label, LABEL_CHARS) for entry in comparison.entries]
    odd = [row for row in comparison.agreement.numbers if any(row.differs)]
    for row in odd[:DIFFERENCES]:
        yield from _number(row, labels, width)
    if len(odd) > DIFFERENCES:
        yield Padding(Text(f"and {len(odd) - DIFFERENCES} more numbers", "dim"), _IN)
    apart: dict[tuple[str, ...], list[str]] = {}
    for file in comparison.agreement.files:
        if file.same is not True and (lines := tuple(_apart(file, labels))):
            apart.setdefault(lines, []).append(_brief(next((name for name in file.names if name is not None), ""), LABEL_CHARS))
    for lines, names in apart.items():
        yield Padding(Text.assemble((names[0], "bold"), f" and {len(names) - 1} more" if len(names) > 1 else ""), _IN)
        yield from (Padding(Text(line), _FURTHER_IN) for line in lines)


def _number(row: NumberRow, labels: Sequence[str], width: int) -> Iterator[RenderableType]:
    """Who says what, in one line where that fits, else in a line each."""
    what = f"{_brief(row.what, VALUE_CHARS)}:" if row.what else ""
    said: list[Text] = []
    for label, value, differs in zip(labels, row.values, row.differs, strict=False):
        if value is not None:
            unit = f" {_brief(row.unit, VALUE_CHARS)}" if row.unit and row.unit not in value else ""
            shown = f"{_brief(value, VALUE_CHARS)}{unit}{' ≠' if differs else ''}"
            said.append(Text.assemble(f"{label} ", (shown, _BAD if differs else "")))
    line = Text(f"{what} " if what else "") + Text(" · ").join(said)
    if line.cell_len <= width - _IN[-1]:
        yield Padding(line, _IN)
    else:
        yield Padding(Text(what or "a number:"), _IN)
        yield from (Padding(one, _FURTHER_IN) for one in said)


def _apart(file: FileRow, labels: Sequence[str]) -> Iterator[str]:
    """How the files of a row differ; of pictures, how far each looks from the first."""
    if not file.distances:
        yield from (_brief(line, LINE_CHARS) for line in file.differences[:CELLS])
        if len(file.differences) > CELLS:
            yield f"and {len(file.differences) - CELLS} more, which are in the report"
        return
    made = [(label, distance) for label, distance in zip(labels, file.distances, strict=False) if distance is not None]
    yield from (
        f"{label}: looks {distance:.2f} away from {made[0][0]}'s, from 0 (the same) to 1"
        for label, distance in made[1:]
        if distance
    )
