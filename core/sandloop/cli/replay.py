"""`sandloop replay`: a kept run's code again, without a model, and what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from sandloop.cli.complete import run_ids
from sandloop.cli.ends import ending_well, put, put_json, stderr_console

if TYPE_CHECKING:
    from sandloop.runs import Replayed


def replay(
    run: Annotated[
        str,
        typer.Argument(metavar="ID", help="A run's id, the beginning of one, 'last', or its folder.", autocompletion=run_ids),
    ],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run a kept run's code again, and say what differs. No model is asked.

    Ends with 0 when all output and all files are the same, else with 1. A workbook or Parquet with the same cells is the same: it
    may hold the time at which it was made. Differences of the environment, such as another image, are told, and count for nothing
    by themselves.
    """
    import json

    from sandloop.cli.call import call_settings
    from sandloop.display import Display
    from sandloop.runs import replay_run
    from sandloop.settings import Settings

    with ending_well():
        settings = Settings(sandbox=call_settings().sandbox)
        with Display(stderr_console(), code=False, output=False, question=False) as display:
            replayed = replay_run(run, settings=settings, on_event=display.show)
        if as_json:
            put_json(json.dumps(replayed.to_plain(), indent=2, ensure_ascii=False))
        else:
            put(_said(replayed), end="")
        raise typer.Exit(0 if replayed.same else 1)


def _said(replayed: Replayed) -> str:
    from sandloop.printable import printable

    lines: list[str] = []
    for cell in replayed.cells:
        how = "not run again" if cell.now is None else "differs" if cell.differs else "same"
        lines.append(f"{cell.code.code_id}: {how}")
        lines += [_indented(said) for said in cell.differs]
    for file in replayed.files:
        lines.append(f"{file.name}: {'same cells, other bytes' if file.same_cells else _CHANGES[file.change]}")
        lines += [_indented(file.differs)] if file.differs else []
    lines += [f"environment: {said}" for said in replayed.environment]
    lines += [f"note: {said}" for said in replayed.notes]
    different = sum(bool(c.differs) for c in replayed.cells) + sum(f.change != "same" for f in replayed.files)
    lines.append("All the same." if replayed.same else f"{different} of {len(replayed.cells) + len(replayed.files)} differ.")
    return printable("\n".join(lines)) + "\n"


_CHANGES = {"same": "same", "changed": "differs", "missing": "was made then, not now", "new": "is made now, not then"}


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())
