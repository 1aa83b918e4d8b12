"""`sandloop sandbox …`: what the engine has of ours, its image, and a script of one's own in it."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandloop.cli.ends import ending_well, put

if TYPE_CHECKING:
    from sandloop.ports import Held, SandboxTools
    from sandloop.settings import Settings

sandbox = typer.Typer(
    help="The local sandbox: what it holds, its image, and scripts of your own in it.",
    short_help="The local sandbox, and scripts of your own in it.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Engine = Annotated[str | None, typer.Option("--engine", metavar="NAME", help="'docker', or the name of another engine.")]
Packages = Annotated[
    str | None, typer.Option("--packages", metavar="A,B", help="Python packages beside the usual ones: 'name' or 'name==version'.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


class ScriptLanguage(StrEnum):
    """The values of `--language`."""

    python = "python"
    bash = "bash"


@sandbox.command(short_help="The sandboxes there are now, and their memory.")
def ps(engine: Engine = None, as_json: AsJson = False) -> None:
    """The sandboxes there are now: whose they are, and the memory they hold."""
    with ending_well():
        found = _tools(_settings(engine)).ps()
        put(_json_of(found) if as_json else table(found, _now()))


@sandbox.command(short_help="Remove what dead processes left behind.")
def prune(engine: Engine = None) -> None:
    """Remove what dead processes left behind, and images of ours that are out of date. Never anything else."""
    with ending_well():
        removed = _tools(_settings(engine)).prune(_say)
        put(f"{removed} removed" if removed else "nothing to remove")


@sandbox.command()
def build(packages: Packages = None, engine: Engine = None) -> None:
    """Build the sandbox image now, unless it is there. Its name goes to stdout."""
    with ending_well():
        put(_tools(_settings(engine, packages)).build(_say))


@sandbox.command()
def run(
    script: Annotated[str, typer.Argument(metavar="SCRIPT", help="A .py or .sh file; '-' reads it from stdin.")],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help="Files for the script to read; never changed.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Where made files are saved; without it, in sandloop-output/ID."),
    ] = None,
    language: Annotated[ScriptLanguage | None, typer.Option("--language", help="Where the name doesn't say it.")] = None,
    timeout: Annotated[float | None, typer.Option("--timeout", metavar="SECONDS", help="How long the script may run.")] = None,
    packages: Packages = None,
    engine: Engine = None,
    as_json: AsJson = False,
) -> None:
    """Run a script of your own in a fresh sandbox. Ends with the script's exit code, or 5 when a limit stopped it."""
    with ending_well() as signals:
        from sandloop.cli.run_script import run_script

        settings = _found_ready(_settings(engine, packages, timeout))
        raise typer.Exit(run_script(script, files or [], language.value if language else None, output, settings, as_json, signals))


def _settings(engine: str | None, packages: str | None = None, timeout: float | None = None) -> Settings:
    """All layers, the command line's own the nearest. Raises `BadSetting`."""
    from dataclasses import replace

    from sandloop.settings import checked_limit, resolve
    from sandloop.settings.sandbox import checked

    settings = resolve(packages=None if packages is None else checked("packages", packages, "--packages"))
    limits, options = settings.limits, settings.sandbox
    assert limits is not None  # noqa: S101 - resolve leaves no gap
    assert options is not None  # noqa: S101
    if timeout is not None:
        seconds = float(checked_limit("step_seconds", timeout, "--timeout") or timeout)
        limits = replace(limits, step_seconds=seconds, session_seconds=max(limits.session_seconds, seconds + 60))
    if engine is not None:
        options = replace(options, engine=checked("engine", engine, "--engine"))
    return replace(settings, limits=limits, sandbox=options)


def _found_ready(settings: Settings) -> Settings:
    """Unless it is set otherwise, the sandbox comes from where the next command finds one ready, too."""
    from dataclasses import replace

    options = settings.sandbox
    if options is None or options.warm != "auto":
        return settings
    return replace(settings, sandbox=replace(options, warm="shared"))


def _tools(settings: Settings) -> SandboxTools:
    from sandloop.plugins import sandbox_tools_factory

    assert settings.sandbox is not None  # noqa: S101 - resolved
    return sandbox_tools_factory(settings.sandbox.engine)(settings.sandbox)


def _say(line: str) -> None:
    from sandloop.printable import printable

    print(printable(line), file=sys.stderr, flush=True)


def _now() -> float:
    import time

    return time.time()


def _json_of(found: list[Held]) -> str:
    import dataclasses
    import json

    return json.dumps([dataclasses.asdict(one) for one in found], indent=2)


def table(found: list[Held], now: float, width: int | None = None) -> str:
    """The sandboxes as a table, with a line of totals."""

    from rich.table import Table
    from rich.text import Text

    from sandloop.printable import printable
    from sandloop.sizes import human_size, human_time, seconds_between
    from sandloop.terminal.text import as_text

    if not found:
        return "no sandboxes"
    columns = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("ID", "STATE", "OWNER", "AGE", "ENDS IN", "MEMORY"):
        columns.add_column(name, overflow="fold")
    for one in found:
        age = human_time(seconds_between(one.created, now)) if one.created else "-"
        left = human_time(-seconds_between(one.deadline, now)) if one.deadline else "-"
        memory = human_size(one.memory) if one.memory is not None else "?"
        columns.add_row(*(Text(printable(text)) for text in (one.id, one.state, one.owner, age, left, memory)))
    states = [one.state for one in found]
    counts = ", ".join(f"{states.count(state)} {state}" for state in ("in use", "ready", "left over") if state in states)
    whole = sum(one.memory or 0 for one in found)
    return as_text([columns], width=width) + f"\n{counts}; {human_size(whole)} of memory"
