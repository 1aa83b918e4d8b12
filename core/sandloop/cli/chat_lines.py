"""Where the lines of `sandloop chat` come from: a prompt with history and completion, or stdin as it is."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.output import create_output

from sandloop.cli.call import MAX_QUESTION
from sandloop.cli.chat_commands import completions
from sandloop.errors import UsageError
from sandloop.printable import printable

MAX_HISTORY = 1_000_000
"""Bytes; the older half of a longer file is left out."""


def piped_lines() -> Iterator[str]:
    """Each line of stdin. Raises `UsageError` for one that is too long or no text."""
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        return
    while line := sys.stdin.buffer.readline(MAX_QUESTION + 1):
        if len(line) > MAX_QUESTION:
            raise UsageError(f"A line on stdin is over {MAX_QUESTION} bytes. Save it as a file, and ask about that.")
        try:
            yield line.decode("utf-8")
        except UnicodeDecodeError:
            raise UsageError("A line on stdin is not text in UTF-8. Save it as a file, and ask about that.") from None


class Prompt:
    """Asks for a line at the terminal, on stderr.

    Args:
        history: The file that keeps the lines; None: they are kept as long as the chat.
        models: Names that may stand behind `/model`.
        files: Gives the names of the files there are now.
    """

    def __init__(self, history: Path | None, models: Sequence[str], files: Callable[[], Sequence[str]]) -> None:
        kept: History = FileHistory(str(history)) if history is not None else InMemoryHistory()
        self._session: PromptSession[str] = PromptSession(
            history=kept,
            completer=_Completer(models, files),
            complete_while_typing=False,
            output=create_output(stdout=sys.stderr),
        )

    def line(self) -> str:
        """The next line. Raises `KeyboardInterrupt` for Ctrl-C, `EOFError` for Ctrl-D."""
        return self._session.prompt("> ")


class _Completer(Completer):
    def __init__(self, models: Sequence[str], files: Callable[[], Sequence[str]]) -> None:
        self._models, self._files = models, files
        self._paths = PathCompleter(expanduser=True)
        self._folders = PathCompleter(expanduser=True, only_directories=True)

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        before = document.text_before_cursor
        command, space, argument = before.partition(" ")
        if space and command in ("/add", "/save"):
            paths = self._paths if command == "/add" else self._folders
            yield from paths.get_completions(Document(argument), complete_event)
            return
        for text, back in completions(before, models=self._models, files=self._files()):
            yield Completion(text, start_position=-back, display=printable(text))


def history_file(folder: Path) -> Path | None:
    """The file of all chats' lines, for this user's eyes alone; None when it can't be had."""
    path = folder / "chat-history"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
        with os.fdopen(handle, "r+b") as file:
            os.fchmod(file.fileno(), 0o600)
            content = file.read()
            if len(content) > MAX_HISTORY:
                kept = content[-MAX_HISTORY // 2 :]
                file.seek(0)
                file.write(kept[kept.find(b"\n\n") + 1 :])
                file.truncate()
    except OSError:
        return None
    return path
