"""The command line: the answer on stdout, everything else on stderr, and an exit code that says what happened.

A module a command; what a command needs is imported when it runs, so that `--help` answers at once.

Exit codes: 0 answered, 1 the analysis failed, 2 usage, 3 provider or key, 4 sandbox unavailable, 5 limit reached, 130 interrupted.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from sandloop.cli import analyze, chat, compare, config, doctor, extract, keys, models, replay, runs, sandbox
from sandloop.terminal.plain import make_readable

app = typer.Typer(
    name="sandloop",
    help="Ask any model about your files: it writes code, a sealed sandbox runs it, the answer and the files come back.",
    no_args_is_help=True,
    rich_markup_mode=None,  # with boxes, `--help` takes twice as long
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Exit codes: 0 answered, 1 failed, 2 usage, 3 provider or key, 4 sandbox unavailable, 5 limit reached, 130 interrupted.",
)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"sandloop {version('sandloop')}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Ask any model about your files."""


for command in (analyze.analyze, chat.chat, compare.compare, extract.extract, doctor.doctor, models.models, replay.replay):
    app.command()(command)
app.add_typer(runs.runs, name="runs")
app.add_typer(sandbox.sandbox, name="sandbox")
app.add_typer(config.config, name="config")
app.add_typer(keys.keys, name="keys")


def main() -> None:
    """The `sandloop` command."""
    make_readable(sys.stdout, sys.stderr, os.environ)
    app()
