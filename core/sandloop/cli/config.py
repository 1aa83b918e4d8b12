"""`sandloop config`: each setting and where it comes from, what is wrong with them, their schema, and a first file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandloop.cli.ends import ending_well, put

if TYPE_CHECKING:
    from sandloop.settings.problems import Known
    from sandloop.settings.shown import KeyRow

config = typer.Typer(
    help="The settings that hold, and where each comes from.", context_settings={"help_option_names": ["-h", "--help"]}
)
All = Annotated[bool, typer.Option("--all", help="Also the limits, options and keys that have their defaults or are missing.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON; it always has all settings.")]


@config.callback(invoke_without_command=True)
def bare(context: typer.Context, everything: All = False, as_json: AsJson = False) -> None:
    """The settings that hold, and where each comes from. Without a command: `show`."""
    if context.invoked_subcommand is None:
        _show(everything, as_json)


@config.command(short_help="Each setting, its value, and where it comes from.")
def show(everything: All = False, as_json: AsJson = False) -> None:
    """Each setting with its value, and the file or the variable it comes from. Keys are shown as there or missing."""
    _show(everything, as_json)


@config.command(short_help="All that is wrong, with its line and the right name.")
def check(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="One file instead of all layers; 'sandloop.toml' is held to what a project may say.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the problems as JSON.")] = False,
) -> None:
    """All that is wrong in the environment and the files, with its line and the nearest right name. Ends with 2 if anything is."""
    import json
    import os
    from dataclasses import asdict

    from sandloop.printable import printable
    from sandloop.settings import read_layers
    from sandloop.settings.files import user_file
    from sandloop.settings.problems import layer_of, problems

    with ending_well():
        layers = read_layers() if file is None else [layer_of(file, user_file(os.environ))]
        found = problems(layers, _known())
        if as_json:
            put(json.dumps([asdict(report) for report in found], indent=2))
        else:
            put("\n".join(printable(str(report)) for report in found) if found else _fine([one.source for one in layers]))
        raise typer.Exit(2 if found else 0)


@config.command(short_help="The JSON Schema of a file of settings.")
def schema() -> None:
    """The JSON Schema of a file of settings, for editors and other programs."""
    import json

    from sandloop.settings.schema import schema

    with ending_well():
        put(json.dumps(schema(), indent=2, ensure_ascii=False))


@config.command(short_help="Write a first file, all of it comments.")
def init(
    user: Annotated[bool, typer.Option("--user", help="Your own file instead of ./sandloop.toml.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also over a file that is there.")] = False,
) -> None:
    """Write a first file: every setting with its words and its default, all of them comments. Its path goes to stdout."""
    import os

    from sandloop.settings.files import PROJECT, user_file, write_new
    from sandloop.settings.starter import starter

    with ending_well():
        path = user_file(os.environ) if user else Path(PROJECT)
        write_new(path, starter(user=user), private=user, force=force)
        put(str(path.absolute()))


def _show(everything: bool, as_json: bool) -> None:
    import os
    import sys

    from sandloop.printable import printable
    from sandloop.settings import merged, origins, read_layers
    from sandloop.settings.files import here, user_file
    from sandloop.settings.problems import problems
    from sandloop.settings.shown import Shown, report, rows_of
    from sandloop.settings.shown import as_json as written

    with ending_well():
        layers = read_layers()
        wrong = problems(layers, _known())
        for one in wrong:
            print(f"sandloop: {printable(str(one))}", file=sys.stderr)
        found = origins(layers)
        chosen = [one for one in found if everything or as_json or one.layer != "default" or len(one.place) == 1]
        project = next((Path(layer.source) for layer in layers if layer.name == "project"), None)
        keys = _keys(merged(layers), everything or as_json)
        left_out = len(found) - len(chosen)
        color = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        shown = Shown(rows=list(rows_of(chosen)), keys=keys, project=project, user=user_file(os.environ), left_out=left_out)
        put(written(shown) if as_json else report(shown, here=here(), home=Path.home(), color=color))
        raise typer.Exit(2 if wrong else 0)


def _keys(settings: object, everything: bool) -> list[KeyRow]:
    """The keys that are there, and those that the chosen model or a profile misses."""
    from sandloop.errors import SandloopError
    from sandloop.keys import where_kept
    from sandloop.keys.names import used_by
    from sandloop.plugins import provider_factory, provider_named, storable
    from sandloop.settings import Settings
    from sandloop.settings.shown import KeyRow

    assert isinstance(settings, Settings)  # noqa: S101 - the type is imported here, since it is slow to import
    rows: list[KeyRow] = []
    for name, users in used_by(settings.models or {}).items():
        try:
            found = where_kept((name,))
        except SandloopError as error:
            rows.append(KeyRow(name=name, where=f"unknown: {error}", used_by=users))
            continue
        rows.append(KeyRow(name=name, where=found[1] if found else "missing", used_by=users))
    needed = {profile.key_variable for profile in (settings.models or {}).values()}
    try:
        factory = provider_factory(provider_named(settings))
        there = any(row.where != "missing" for row in rows if row.name in (*factory.key_variables, *storable(factory)))
        needed |= set() if there else set(storable(factory)[:1] if factory.key_variables else ())
    except SandloopError:
        pass  # told as a problem of the setting
    return [row for row in rows if everything or row.where != "missing" or row.name in needed]


def _known() -> Known:
    from sandloop.plugins import PROVIDERS, SANDBOXES, named
    from sandloop.settings.problems import Known

    return Known(providers=tuple(named(PROVIDERS)), engines=tuple(named(SANDBOXES)))


def _fine(sources: list[str]) -> str:
    from sandloop.printable import printable

    return f"nothing is wrong in {', '.join(printable(source) for source in sources if source and source != 'the call')}"
