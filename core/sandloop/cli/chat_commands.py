"""What a line of `sandloop chat` means, and what Tab makes of a part of one. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandloop.settings import nearest

COMMANDS = {
    "/help": ("", "this list"),
    "/files": ("", "the files the code can read, and those it made"),
    "/add": ("FILE", "one more file, or a pattern such as data/*.csv"),
    "/save": ("[DIR]", "save the made files"),
    "/model": ("[NAME]", "which model is asked; with a name, ask that one from now on"),
    "/code": ("on|off", "show code and its output, or don't"),
    "/quit": ("", "end; so does Ctrl-D"),
}


@dataclass(frozen=True, slots=True)
class Command:
    """A command of the chat, and what stands behind it."""

    name: str
    argument: str = ""


@dataclass(frozen=True, slots=True)
class Mistake:
    """A line that means neither; `text` says why."""

    text: str


def read(line: str) -> Command | Mistake | str | None:
    """A command, a mistake in one, a question, or None for a line with nothing in it."""
    text = line.strip()
    if not text.startswith("/"):
        return text or None
    word, _, rest = text.partition(" ")
    argument = unquoted(rest.strip())
    name = "/quit" if word == "/exit" else word.lower()
    if name not in COMMANDS:
        if "/" in word[1:] or "." in word:  # a question that begins with a path
            return text
        near = nearest(name, tuple(COMMANDS))
        return Mistake(f"There is no command {word}. " + (f"Did you mean {near}?" if near else "/help lists them."))
    takes = COMMANDS[name][0]
    if argument and not takes:
        return Mistake(f"{name} takes nothing behind it.")
    if takes and not takes.startswith("[") and not argument:
        return Mistake(f"{name} needs {takes} behind it.")
    if name == "/code" and argument not in ("on", "off"):
        return Mistake("Write /code on, or /code off.")
    return Command(name, argument)


def unquoted(text: str) -> str:
    """A path as it is pasted, without the quotes around it."""
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def completions(before: str, *, models: Sequence[str], files: Sequence[str]) -> list[tuple[str, int]]:
    """What may stand at the cursor, and how many characters before it that replaces. Paths are for somebody else.

    Args:
        before: The line up to the cursor.
        models: Names for `/model`.
        files: Names of the session's files, which a question may mention.
    """
    command, space, argument = before.partition(" ")
    if before.startswith("/") and not space:
        return [(name, len(before)) for name in COMMANDS if name.startswith(before.lower())]
    if command == "/model":
        return [(name, len(argument)) for name in models if name.startswith(argument)]
    if command == "/code":
        return [(name, len(argument)) for name in ("on", "off") if name.startswith(argument)]
    if before.startswith("/"):
        return []
    word = before.rpartition(" ")[2]
    return [(name, len(word)) for name in files if word and name.startswith(word)]
