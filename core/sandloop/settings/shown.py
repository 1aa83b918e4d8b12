"""The settings that hold, each with its value and its layer, for a person and for a program. Nothing secret is in them."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sandloop.prices import Price
from sandloop.printable import printable
from sandloop.settings.fields import Profile
from sandloop.settings.hidden import without_secrets
from sandloop.settings.layers import LayerName, Origin
from sandloop.settings.places import dotted


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One setting."""

    setting: str
    value: Any
    """Plain data."""
    layer: LayerName
    source: str
    """The path of the file, or the name of the variable; empty for a default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """Whether there is a key, never what it is."""

    name: str
    where: str
    """`environment`, `keyring`, `file`, or `missing`."""
    used_by: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """All that `sandloop config` says."""

    rows: Sequence[Row]
    keys: Sequence[KeyRow]
    project: Path | None
    user: Path
    left_out: int = 0
    """Settings that have their defaults and are not among the rows."""


def rows_of(origins: Iterable[Origin]) -> Iterator[Row]:
    """A row for each value; profiles and prices have one for each of theirs."""
    for one in origins:
        for place, value in _parts(one):
            name = place[-1]
            shown = value if name == "key_variable" else without_secrets(value)
            yield Row(setting=dotted(place), value=shown, layer=one.layer, source=one.source)


def _parts(one: Origin) -> Iterator[tuple[tuple[str, ...], Any]]:
    if not isinstance(one.value, Profile | Price):
        yield one.place, one.value
        return
    for f in fields(one.value):
        if (value := getattr(one.value, f.name)) is not None and value != {}:
            yield (*one.place, f.name), value


def as_json(shown: Shown) -> str:
    """The whole, for a program."""
    there = shown.user.is_file()
    table = {
        "settings": [asdict(row) for row in shown.rows],
        "keys": [asdict(row) for row in shown.keys],
        "files": {
            "project": None if shown.project is None else str(shown.project),
            "user": str(shown.user),
            "user_is_there": there,
        },
    }
    return json.dumps(table, indent=2, default=str)


def short_path(path: str, here: Path, home: Path) -> str:
    """From here where it is below, else with `~` for the home folder."""
    for base, sign in ((here, "."), (home, "~")):
        if Path(path).is_absolute() and base != Path("/") and Path(path).is_relative_to(base):
            return str(Path(sign, Path(path).relative_to(base)))
    return path


def report(shown: Shown, *, here: Path, home: Path, color: bool = False, width: int | None = None) -> str:
    """For a person who is in the folder `here`."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    def table(*heads: str) -> Table:
        made = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
        for head in heads:
            made.add_column(head, overflow="fold")
        return made

    settings = table("setting", "value", "from")
    for row in shown.rows:
        style = "dim" if row.layer == "default" else ""
        cells = (row.setting, _written(row.value), short_path(row.source, here, home) or row.layer)
        settings.add_row(*(Text(printable(cell), style) for cell in cells))
    keys = table("key", "is", "used by")
    for key in shown.keys:
        state = Text(printable(key.where), "dim" if key.where == "missing" else "green")
        keys.add_row(Text(printable(key.name)), state, Text(printable(", ".join(key.used_by))))
    out = io.StringIO()
    console = Console(file=out, width=width, highlight=False, force_terminal=color)
    console.print(settings)
    if shown.keys:
        console.print()
        console.print(keys)
    console.print()
    project = f"project {shown.project}" if shown.project is not None else "no sandloop.toml in this folder or above"
    user = f"yours {shown.user}{'' if shown.user.is_file() else ' (not there)'}"
    console.print(Text(printable(f"files: {project}; {user}")), soft_wrap=True)
    if shown.left_out:
        console.print(f"{shown.left_out} more have their defaults: sandloop config --all", soft_wrap=True)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines())


def _written(value: object) -> str:
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{int(value) if value == value // 1 else value:_}"
        case list():
            return ", ".join(str(item) for item in value) or "-"  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        case Mapping():
            return json.dumps(value, ensure_ascii=False, default=str)
        case _:
            return str(value)
