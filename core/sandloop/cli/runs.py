"""`sandloop runs`: the runs that are kept, listed, shown, opened, removed, and written for other programs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandloop.cli.complete import run_ids
from sandloop.cli.ends import ending_well, put, put_json, stderr_console, stdout_is_terminal

if TYPE_CHECKING:
    from sandloop.runs import Run

SHOWN = 20
runs = typer.Typer(
    help="The runs that are kept: each question with its code, output, files and environment.",
    short_help="The runs that are kept.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
Reference = Annotated[
    str,
    typer.Argument(metavar="ID", help="A run's id, the beginning of one, 'last', or its folder.", autocompletion=run_ids),
]
Count = Annotated[int, typer.Option("-n", metavar="N", min=0, help="Show the newest N; 0 for all.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@runs.callback(invoke_without_command=True)
def bare(context: typer.Context, count: Count = SHOWN, as_json: AsJson = False) -> None:
    """The runs that are kept, the newest first. Without a command: `list`."""
    if context.invoked_subcommand is None:
        _list(count, as_json)


@runs.command("list")
def list_(count: Count = SHOWN, as_json: AsJson = False) -> None:
    """The runs that are kept, the newest first."""
    _list(count, as_json)


@runs.command(short_help="One run: question, route, steps, answer, files, cost.")
def show(run: Reference) -> None:
    """One run: the question, the route and why, each step with its output, the answer, the files, tokens and cost."""
    from sandloop.cli.runs_text import shown

    with ending_well():
        put(shown(_find(run)), end="")


@runs.command("open", short_help="Print a run's folder, and open it on the desktop.")
def open_(run: Reference) -> None:
    """Print a run's folder, and open it on the desktop when there is one. `files/` in it holds what the code made."""
    with ending_well():
        folder = _find(run).folder
        put(str(folder))
        if stdout_is_terminal():
            _open(folder)


@runs.command(short_help="Remove runs, and the inputs that no other run needs.")
def rm(
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Runs to remove.", autocompletion=run_ids)] = None,
    everything: Annotated[bool, typer.Option("--all", help="All of them.")] = False,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Those older than, such as 30d or 12h.")
    ] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Don't ask.")] = False,
) -> None:
    """Remove runs, and the contents of input files that no other run needs. A run that is being written stays."""
    from sandloop.cli.runs_remove import chosen, remove

    with ending_well():
        folder, wanted = chosen(ids or [], everything=everything, older_than=older_than)
        remove(folder, wanted, yes=yes, console=stderr_console())


@runs.command()
def export(
    run: Reference,
    ipynb: Annotated[bool, typer.Option("--ipynb", help="A Jupyter notebook with the outputs.")] = False,
    py: Annotated[bool, typer.Option("--py", help="A Python script in cells.")] = False,
    html: Annotated[bool, typer.Option("--html", help="A report to read, in one file.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The result with its files, as Result.from_json() takes it.")] = False,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", metavar="PATH", help="Where to write it; '-' for stdout, else ID.KIND here.")
    ] = None,
) -> None:
    """Write a run for another program. A notebook and a script hold the questions before it, too, whose variables it uses."""
    from sandloop.errors import UsageError

    kinds = [kind for kind, wanted in (("ipynb", ipynb), ("py", py), ("html", html), ("json", as_json)) if wanted]
    with ending_well():
        if len(kinds) != 1:
            raise UsageError("A run is written as one kind of file. Give one of --ipynb, --py, --html and --json.")
        found = _find(run)
        text = _exported(found, kinds[0])
        if str(output) == "-":
            from sandloop.printable import printable

            put(printable(text) if stdout_is_terminal() else text, end="")
            return
        from sandloop.report import write_report

        put(str(write_report(output or Path(f"{found.id}.{kinds[0]}"), text)))


def _list(count: int, as_json: bool) -> None:
    import dataclasses
    import json

    from sandloop.cli.runs_text import table
    from sandloop.runs.listing import list_runs
    from sandloop.runs.place import runs_folder

    with ending_well():
        folder = runs_folder()
        found = list_runs(folder, limit=count or None)
        if as_json:
            put_json(json.dumps([dataclasses.asdict(run) for run in found], indent=2, ensure_ascii=False))
        elif found:
            put(table(found), end="")
        else:
            said = "Runs are off: the setting 'runs' says so." if folder is None else f"No run is kept in {folder}."
            stderr_console().print(said, highlight=False, soft_wrap=True, markup=False)


def _find(reference: str) -> Run:
    from sandloop.runs.kept import find_run
    from sandloop.runs.place import runs_folder

    return find_run(reference, runs_folder())


def _exported(run: Run, kind: str) -> str:
    from sandloop.errors import UsageError
    from sandloop.runs.past import past
    from sandloop.runs.place import runs_folder

    if not run.events:
        raise UsageError(f"Nothing can be read of the run {run.id}: {run.broken or 'it holds no events'}. Name another.")
    match kind:
        case "ipynb":
            from sandloop.export import as_notebook

            return as_notebook([one.result() for one in past(run, runs_folder()).runs])
        case "py":
            from sandloop.export import as_script

            return as_script([one.result() for one in past(run, runs_folder()).runs])
        case "html":
            from sandloop.report import run_report

            return run_report(run.result(), seconds=run.summary.seconds)
        case _:
            return run.result().to_json(files=True) + "\n"


def _open(folder: Path) -> None:
    """With the desktop's opener, where there is a desktop."""
    import os
    import shutil
    import subprocess
    import sys

    if sys.platform != "darwin" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return
    opener = shutil.which("open" if sys.platform == "darwin" else "xdg-open")
    if opener is not None:
        quiet = subprocess.DEVNULL
        subprocess.Popen([opener, str(folder)], stdin=quiet, stdout=quiet, stderr=quiet, start_new_session=True)  # noqa: S603
