"""What a line of the chat means, and what Tab makes of a part of one."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandloop.cli.chat_commands import COMMANDS, Command, Mistake, completions, read
from sandloop.cli.chat_lines import MAX_HISTORY, history_file


@pytest.mark.parametrize(
    ("line", "means"),
    [
        ("How many?\n", "How many?"),
        ("   \n", None),
        ("/files", Command("/files")),
        ("/HELP", Command("/help")),
        ("/exit", Command("/quit")),
        ("/save", Command("/save")),
        ("/save out dir", Command("/save", "out dir")),
        ("/add 'C:\\data\\my file.csv'", Command("/add", "C:\\data\\my file.csv")),
        ("/model ollama:qwen3", Command("/model", "ollama:qwen3")),
        ("/code on", Command("/code", "on")),
        ("/tmp/a.csv has which columns?", "/tmp/a.csv has which columns?"),
        ("/a.csv?", "/a.csv?"),
        ("What is /files?", "What is /files?"),
    ],
)
def test_a_line_is_a_command_or_a_question(line: str, means: Command | str | None) -> None:
    assert read(line) == means


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("/moddel x", "Did you mean /model?"),
        ("/", "There is no command /. /help lists them."),
        ("/zzz", "/help lists them"),
        ("/add", "/add needs FILE behind it."),
        ("/files now", "/files takes nothing behind it."),
        ("/code maybe", "Write /code on, or /code off."),
        ("/code", "/code needs on|off behind it."),
    ],
)
def test_a_mistake_is_said(line: str, says: str) -> None:
    found = read(line)
    assert isinstance(found, Mistake)
    assert says in found.text


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        ("/", [(name, 1) for name in COMMANDS]),
        ("/sa", [("/save", 3)]),
        ("/model ", [("claude", 0), ("mine", 0)]),
        ("/model c", [("claude", 1)]),
        ("/code o", [("on", 1), ("off", 1)]),
        ("/add x", []),
        ("Look at sa", [("sales.csv", 2)]),
        ("sales.csv ", []),
        ("", []),
    ],
)
def test_tab_completes_what_may_stand_there(before: str, wanted: list[tuple[str, int]]) -> None:
    assert completions(before, models=["claude", "mine"], files=["sales.csv", "chart.png"]) == wanted


def test_the_history_is_for_its_owner_alone_and_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = history_file(tmp_path / "state" / "sandloop")
    assert path is not None
    assert path.stat().st_mode & 0o777 == 0o600
    path.chmod(0o644)
    path.write_text("".join(f"\n# day {number}\n+question {number}\n" for number in range(MAX_HISTORY // 20)))
    assert history_file(path.parent) == path
    assert path.stat().st_mode & 0o777 == 0o600
    kept = path.read_text()
    assert len(kept) <= MAX_HISTORY // 2
    assert kept.startswith("\n# day ")
    assert kept.endswith(f"+question {MAX_HISTORY // 20 - 1}\n")


def test_a_history_that_is_a_link_or_has_no_place_is_none(tmp_path: Path) -> None:
    (tmp_path / "chat-history").symlink_to(tmp_path / "elsewhere")
    assert history_file(tmp_path) is None
    (tmp_path / "file").write_text("")
    assert history_file(tmp_path / "file") is None
