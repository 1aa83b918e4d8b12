"""Writes docs/reference/cli.md from the commands themselves: `python tools/cli_page.py` after a change."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from sandloop.cli import app

PAGE = Path(__file__).parent.parent / "docs/reference/cli.md"
HEAD = """# Command line

The answer is on stdout, everything else on stderr. Each command has `--help`; `sandloop --install-completion` sets up your shell.

| exit code | |
|---|---|
| 0 | answered |
| 1 | the analysis failed |
| 2 | usage: an option, a file, a setting |
| 3 | provider or key |
| 4 | sandbox unavailable |
| 5 | a limit was reached; what there is until then is given |
| 130 | interrupted; what there is until then is given |
"""
_TAKEN = {"str": "TEXT", "int": "NUMBER", "float": "NUMBER", "path": "PATH"}


def page() -> str:
    """The whole page."""
    command = typer.main.get_command(app)
    parts = [HEAD, *(section(name, sub) for name, sub in commands("sandloop", command))]
    return "\n".join(parts)


def commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    """Each command that does something, by its whole name, in the order of the help."""
    subs: dict[str, Any] = getattr(command, "commands", {})
    if not subs or getattr(command, "invoke_without_command", False):
        yield name, command
    for sub in subs:
        if not subs[sub].hidden:
            yield from commands(f"{name} {sub}", subs[sub])


def section(name: str, command: Any) -> str:
    """A command's heading, usage, words, and tables of what it takes."""
    context = command.context_class(command, info_name=name)
    given = [p for p in command.params if not getattr(p, "hidden", False)]
    arguments = [p for p in given if p.param_type_name == "argument"]
    options = [p for p in given if p.param_type_name == "option"]
    usage = [name, *(["[OPTIONS]"] if options else []), *(_argument(p, in_usage=True) for p in arguments)]
    lines = [f"## {name}", "", *_paragraphs(command.help or ""), "", "```text", " ".join(usage), "```", ""]
    for title, rows in (
        ("argument", [f"| `{_argument(p)}` | {_cell(p.help)} |" for p in arguments]),
        ("option", [f"| {_option(p, context)} | {_cell(p.help)}{_default(p)} |" for p in options]),
    ):
        if rows:
            lines += [f"| {title} | |", "|---|---|", *rows, ""]
    return "\n".join(lines)


def _paragraphs(text: str) -> list[str]:
    """Without the mark that keeps click from filling a paragraph."""
    return text.replace("\b\n", "").rstrip().splitlines()


def _argument(p: Any, *, in_usage: bool = False) -> str:
    name = str(p.metavar or p.name.upper()).strip("[]{}").removesuffix("...")
    if not in_usage:
        return name
    return (name if p.required else f"[{name}]") + ("..." if p.nargs == -1 else "")


def _option(p: Any, context: Any) -> str:
    """Its names, the last one with what it takes, as in the help."""
    shown, _ = p.get_help_record(context)
    for written, plain in _TAKEN.items():
        shown = shown.replace(f"<{written}>", plain)
    return ", ".join(f"`{name}`" for name in re.sub(r"[<>]", "", shown).replace("|", "\\|").split(", "))


def _default(p: Any) -> str:
    plain = isinstance(p.default, str | int | float) and not isinstance(p.default, bool)
    return f" Default: `{getattr(p.default, 'value', p.default)}`." if plain and p.default != "" else ""


def _cell(text: str | None) -> str:
    """Markdown for a table; names in single quotes are code."""
    plain = " ".join((text or "").split()).replace("|", "\\|").replace("<", "&lt;")
    return re.sub(r"(?<![\w])'([^']+)'(?!\w)", r"`\1`", plain)


if __name__ == "__main__":
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), "utf-8")
