"""A question at a real terminal, and the signals that come while it is asked."""

from __future__ import annotations

import os
import sys
import textwrap
from pathlib import Path

import pytest

from terminals import CTRL_C, CTRL_D, Terminal

ASK = """
    import signal, sys, threading
    from rich.console import Console
    from sandloop.terminal.asking import asked

    signal.signal(signal.SIGINT, signal.default_int_handler)  # in the background of a shell it is ignored
    if "elsewhere" in sys.argv:  # the signal goes to a thread that does nothing, and ends no call of this one
        threading.Thread(target=threading.Event().wait, daemon=True).start()
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        answers = [asked("Run it [y/n]? ", Console(stderr=True)) for _ in range(1 + ("twice" in sys.argv))]
        print("got", *map(repr, answers))
    except BaseException as error:
        print("got", type(error).__name__)
"""


def asking(folder: Path, *arguments: str) -> Terminal:
    return Terminal([sys.executable, "-c", textwrap.dedent(ASK), *arguments], cwd=folder, env=dict(os.environ))


@pytest.mark.parametrize(
    ("typed", "got"),
    [("yes \r", "'yes '"), ("\r", "''"), ("ye\x7fes\r", "'yes'"), (CTRL_D, "EOFError"), (CTRL_C, "KeyboardInterrupt")],
)
def test_a_line_an_end_and_an_interrupt_arrive(typed: str, got: str, tmp_path: Path) -> None:
    with asking(tmp_path) as person:
        person.until(last="Run it [y/n]?")
        person.type(typed)
        person.until(f"got {got}")
        assert person.end() == 0


def test_an_interrupt_that_ends_no_call_arrives_too(tmp_path: Path) -> None:
    with asking(tmp_path, "elsewhere") as person:
        person.until(last="Run it [y/n]?")
        person.type(CTRL_C)
        person.until("got KeyboardInterrupt")
        assert person.end() == 0


def test_lines_typed_ahead_are_the_next_answers(tmp_path: Path) -> None:
    with asking(tmp_path, "twice") as person:
        person.until(last="Run it [y/n]?")
        person.type("one\rtwo\r")
        person.until("got 'one' 'two'")
        assert person.end() == 0
