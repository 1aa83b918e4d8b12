"""`sandloop keys`: keep a key of a vendor, say which there are, remove one. A value is never shown, nor taken from an argument."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from sandloop.cli.ends import ending_well, put

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandloop.settings import Profile

keys = typer.Typer(
    help="Keys of vendors: kept in the system's keyring, or else in a file that only you can read.",
    short_help="Keys of vendors.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)
Name = Annotated[str, typer.Argument(metavar="NAME", help="A provider, a profile, or a variable's name such as OPENAI_API_KEY.")]


@keys.command("set", context_settings={"allow_extra_args": True})
def keep(context: typer.Context, name: Name) -> None:
    """Keep a key. It is asked for without being shown, or read from stdin: `sandloop keys set openai < FILE`."""
    import os

    with ending_well():
        from sandloop.errors import UsageError
        from sandloop.keys import keep as keep_key

        if context.args or "=" in name:
            raise UsageError(
                "A key is never taken from an argument, which the shell's history and the list of processes show. Give the name "
                "alone, and the key when you are asked for it or through a pipe."
            )
        profiles = _profiles()
        variable, note = _variable(name, profiles)
        key = _checked(_asked(variable))
        kept = keep_key(variable, key, os.environ, on_wait=_waiting)
        _say(kept.note)
        if os.environ.get(variable):
            _say(f"{variable} is also set in the environment, which wins")
        _say(note)
        put(f"{variable} is kept in {'the keyring' if kept.where == 'keyring' else 'the file'} {kept.what}")


@keys.command("list")
def list_keys(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """The keys there are: their names, where each is, and who uses it."""
    import json
    import os

    with ending_well():
        from sandloop.keys import kept_names
        from sandloop.keys.names import used_by

        users, kept = used_by(_profiles()), kept_names(os.environ)
        rows = [
            {"name": name, "where": "environment" if os.environ.get(name) else kept[name], "used_by": users.get(name, [])}
            for name in sorted({*users, *kept})
            if os.environ.get(name) or name in kept
        ]
        put(json.dumps(rows, indent=2) if as_json else _table(rows))


@keys.command("rm")
def remove(name: Name) -> None:
    """Remove a kept key. One in the environment stays there."""
    import os

    with ending_well():
        from sandloop.errors import UsageError
        from sandloop.keys import forget, kept_names
        from sandloop.settings import nearest

        kept = kept_names(os.environ)
        variable = name if name in kept else _variable(name, _profiles())[0]
        where = forget(variable, os.environ, on_wait=_waiting)
        if where is None:
            near = nearest(variable, tuple(kept))
            hint = f"Did you mean {near}?" if near else "'sandloop keys list' names those there are."
            raise UsageError(f"No key is kept as {variable}. {hint}")
        if os.environ.get(variable):
            _say(f"{variable} is still set in the environment")
        put(f"{variable} was removed from the {where}")


def _profiles() -> Mapping[str, Profile]:
    """Those that can be read: a slip elsewhere in the settings must not keep a user from keeping a key."""
    from sandloop.settings import merged, read_layers

    return merged(read_layers()).models or {}


def _variable(name: str, profiles: Mapping[str, Profile]) -> tuple[str, str]:
    """The name to keep a key under, and what is to be known of it. Raises `UsageError`."""
    from sandloop.errors import UsageError
    from sandloop.keys.names import is_variable, keepable, used_by, variable_for
    from sandloop.settings import nearest

    if name in profiles or not is_variable(name):
        return variable_for(name, profiles), ""
    users, kept = used_by(profiles), keepable(profiles)
    if name in users and name not in kept:
        raise UsageError(f"{name} works only in the environment. 'sandloop models' says what each provider needs.")
    if name in users:
        return name, ""
    near = nearest(name, tuple(kept), cutoff=0.8)
    hint = f"did you mean {near}?" if near else "name it as 'key_variable' in a profile"
    return name, f"no provider and no profile looks for {name}; {hint}"


def _asked(variable: str) -> str:
    """The key from a person who does not see it, or from a pipe."""
    if sys.stdin is None or not sys.stdin.isatty():
        from sandloop.keys import MAX_KEY

        return "" if sys.stdin is None else sys.stdin.buffer.read(MAX_KEY + 2).decode("utf-8", "replace")
    from getpass import getpass

    try:
        return getpass(f"{variable} (not shown): ", stream=sys.stderr)
    except EOFError:
        return ""


def _checked(given: str) -> str:
    """The key, without the blanks around it. Raises `UsageError`, which does not show it."""
    from sandloop.errors import UsageError
    from sandloop.keys import MAX_KEY, is_key

    key = given.strip()
    if not key:
        raise UsageError("No key was given. Paste it when you are asked, or pipe it in: sandloop keys set NAME < FILE.")
    if len(key) > MAX_KEY:
        raise UsageError(f"What was given is longer than {MAX_KEY} characters, so it is no key. Give the key alone.")
    if not is_key(key):
        raise UsageError("What was given has a blank, several lines or a letter that no key has. Give the key alone.")
    return key


def _waiting() -> None:
    _say("waiting for the system's keyring, which may ask you to unlock it")


def _say(text: str) -> None:
    from sandloop.printable import printable

    if text:
        print(printable(text), file=sys.stderr, flush=True)


def _table(rows: Sequence[Mapping[str, object]]) -> str:

    from rich.table import Table
    from rich.text import Text

    from sandloop.printable import printable
    from sandloop.terminal.text import as_text

    if not rows:
        return "no keys"
    table = Table(box=None, padding=(0, 2, 0, 0))
    for head in ("KEY", "WHERE", "USED BY"):
        table.add_column(head, overflow="fold")
    for row in rows:
        users = row["used_by"]
        used = ", ".join(str(user) for user in users) if isinstance(users, list) else ""  # pyright: ignore
        table.add_row(*(Text(printable(text)) for text in (str(row["name"]), str(row["where"]), used)))
    return as_text([table])
