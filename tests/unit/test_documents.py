"""What pages show and no test can run is at least what the command line takes; the rest: tests/docker/test_documents.py."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import Any

import cli_page
import pytest
import typer.main

import sandloop
from documents import ROOT, Command, Fence, commands, fences, matches
from sandloop.cli import app
from sandloop.settings import resolve

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TITLES = re.compile(r"needs (a|an|the|one's|your) .+|exit code \d+|prints|[\w-]+(/[\w-]+)*\.\w+|")
NOT_RUN = [c for fence in fences() if fence.language == "console" and fence.needs for c in commands(fence)]


@pytest.mark.parametrize("fence", fences(), ids=str)
def test_a_title_says_one_of_the_known_things(fence: Fence) -> None:
    assert TITLES.fullmatch(fence.title), fence.title
    assert fence.language != "shell", "console, with `$ ` before commands, is run by the tests"


@pytest.mark.parametrize("command", NOT_RUN, ids=str)
def test_a_command_that_is_not_run_here_is_one_that_exists(command: Command) -> None:
    for words in simple_commands(command.text):
        match words:
            case ["sandloop", *rest]:
                taken_by_the_command_line(rest)
            case ["make", target, *_]:
                assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE), target
            case ["pip", "install", *names]:
                for name in names:
                    package, _, extra = name.rstrip("]").partition("[")
                    assert package in ("sandloop", "jupyterlab"), name
                    assert not extra or extra in PROJECT["optional-dependencies"], name
            case [("export" | "jupyter" | "ollama" | "git" | "cd" | "open" | "source"), *_]:
                pass
            case _:
                pytest.fail(f"{command}: nobody knows {words}")


def simple_commands(text: str) -> list[list[str]]:
    """The words of each command of a line, without redirections and variables before it."""
    lexer = shlex.shlex(text.replace("\\\n", " "), posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    skip = False
    for word in lexer:
        if word in ("|", "&&", "||", ";"):
            found.append([])
        elif set(word) <= set("<>&") and word:
            skip = True
        elif skip:
            skip = False
        elif found[-1] or not re.fullmatch(r"[A-Z_]+=.*", word):
            found[-1].append(word)
    return found


def taken_by_the_command_line(words: list[str]) -> None:
    """Raises what the parser raises: an option or a command that is not there. Nothing else happens, whatever the option."""
    name, rest = "sandloop", list(words)
    command: Any = typer.main.get_command(app)
    parent: Any = None
    while True:
        for parameter in command.params:
            parameter.callback = None
        parent = command.make_context(name, rest, parent=parent)
        resolve_command = getattr(command, "resolve_command", None)
        if resolve_command is None or not (left := [*parent._protected_args, *parent.args]):
            return
        name, command, rest = resolve_command(parent, left)


def test_the_parser_notices_a_wrong_option() -> None:
    with pytest.raises(Exception, match="No such option"):
        taken_by_the_command_line(["sandbox", "ps", "--jsn"])


@pytest.mark.parametrize("fence", [f for f in fences() if f.language == "toml"], ids=str)
def test_settings_that_are_shown_are_taken(fence: Fence, tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text(fence.body, "utf-8")
    resolve(environ={"SANDLOOP_CONFIG": str(tmp_path / "config.toml")}, cwd=tmp_path)


@pytest.mark.parametrize("fence", [f for f in fences() if f.language == "python" and f.needs], ids=str)
def test_python_that_is_not_run_here_is_python(fence: Fence) -> None:
    compile(fence.body, str(fence), "exec")


@pytest.mark.parametrize(
    ("shown", "real", "equal"),
    [
        ("✓ ran in 0.14 s", "✓ ran in 12.3 s", True),
        ("one\n…\nfour", "one\ntwo\nthree\nfour", True),
        ("one\n…\nfour", "one\nfour", True),
        ("one\n…", "two", False),
        ("kept … runs", "kept 3 runs", True),
        ("A  B\n── ──", "A     B\n── ───────", True),
        ("a.b", "acb", False),
        ("73", "74", False),
    ],
)
def test_shown_output_is_compared_but_for_what_changes(shown: str, real: str, equal: bool) -> None:
    assert matches(shown, real) is equal


def test_the_page_of_commands_is_what_the_commands_say() -> None:
    assert (ROOT / "docs/reference/cli.md").read_text("utf-8") == cli_page.page(), "run: python tools/cli_page.py"


def test_every_public_name_is_on_the_page_for_python() -> None:
    shown = set(re.findall(r"::: [\w.]+?\.?(\w+)$", (ROOT / "docs/reference/python.md").read_text("utf-8"), re.MULTILINE))
    modules = {"Event": "events", "LimitReached": "errors", "ProviderError": "errors", "SandboxError": "errors"}
    modules |= {"SandloopError": "errors", "UsageError": "errors"}
    for name in sandloop.__all__:
        assert name.startswith("__") or modules.get(name, name) in shown, name
