"""Each piece of code, shown before it runs; the person at the terminal allows it or not."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.syntax import Syntax

from sandloop.display import Display
from sandloop.errors import UsageError
from sandloop.events import CodeWritten
from sandloop.printable import printable
from sandloop.terminal.asking import asked

PROMPT = "Run it? [y]es, [n]o, [a]ll, [q]uit: "


class Confirm:
    """Asks on stderr, reads from stdin. Raises `UsageError` when either is no terminal."""

    def __init__(self, display: Display) -> None:
        self._display = display
        self._all = False
        if sys.stdin is None or not sys.stdin.isatty() or not display.screen.console.is_terminal:  # pyright: ignore[reportUnnecessaryComparison]
            raise UsageError(
                "--confirm asks at the terminal, and there is none on stdin and stderr. Leave it out, or use a terminal."
            )

    def __call__(self, code: CodeWritten) -> bool:
        """Whether the cell may run. Raises `KeyboardInterrupt` for 'quit', which ends the question."""
        if self._all:
            return True
        console = self._display.screen.console
        with self._display.screen.aside():
            show(code, console)
            while True:
                match _answer(console):
                    case "y" | "yes":
                        return True
                    case "n" | "no":
                        return False
                    case "a" | "all":
                        self._all = self._display.code = True
                        return True
                    case "q" | "quit":
                        raise KeyboardInterrupt
                    case _:
                        pass


def show(code: CodeWritten, console: Console) -> None:
    """The code, highlighted, with nothing in it that could hide a part of it."""
    lexer = code.language if code.language in ("python", "bash") else "text"
    console.print()
    console.print(Syntax(printable(code.source), lexer, theme="ansi_dark", background_color="default", word_wrap=True))


def _answer(console: Console) -> str:
    try:
        return asked(PROMPT, console).strip().lower()
    except EOFError:
        return "q"
