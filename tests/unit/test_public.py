"""The public door: what it holds, and that core knows no vendor and no Docker when it opens."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest

import sandloop
from sandloop import errors
from sandloop.cli import app


def test_every_public_name_can_be_had() -> None:
    assert sorted(sandloop.__all__) == sandloop.__all__
    for name in sandloop.__all__:
        assert getattr(sandloop, name) is not None


def test_sync_and_async_share_their_signatures() -> None:
    for sync, twin in (("analyze", "aanalyze"), ("stream", "astream"), ("compare", "acompare")):
        first, second = inspect.signature(getattr(sandloop, sync)), inspect.signature(getattr(sandloop, twin))
        assert first.parameters == second.parameters
    ours, theirs = inspect.signature(sandloop.Session), inspect.signature(sandloop.AsyncSession)
    assert ours.parameters == theirs.parameters
    for call in ("resume", "change_model", "ask", "stream", "close"):
        first, second = (inspect.signature(getattr(cls, call)) for cls in (sandloop.Session, sandloop.AsyncSession))
        assert first.parameters == second.parameters


def test_importing_and_helping_load_no_vendor_no_docker_and_no_pydantic() -> None:
    script = """if True:
        import sys, sandloop, sandloop.cli
        sys.argv = ["sandloop", "--help"]
        try:
            sandloop.cli.main()
        except SystemExit:
            print(sorted(m for m in sys.modules if '.' not in m))
    """
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    assert "'sandloop'" in loaded
    for heavy in ("anthropic", "openai", "docker", "pydantic", "sandloop_providers", "sandloop_sandbox", "httpx2", "rich"):
        assert f"'{heavy}'" not in loaded


@pytest.mark.parametrize("group", [[], ["runs"], ["sandbox"], ["config"], ["keys"]])
def test_the_help_of_a_group_says_each_of_its_commands_whole(group: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app([*group, "--help"], prog_name="sandloop")
    commands = capsys.readouterr().out.split("Commands:\n")[1].split("\n\n")[0].splitlines()
    assert len(commands) >= 3
    assert [line for line in commands if not line.endswith(".") or line.endswith("...")] == []


def test_the_tree_of_errors_is_drawn_as_it_is() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    real = {c.__name__ for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, errors.SandloopError)}
    assert drawn | {"SandloopError"} == real


def test_every_error_says_what_happened_and_what_to_do() -> None:
    for cls in (c for c in vars(errors).values() if inspect.isclass(c) and issubclass(c, errors.SandloopError)):
        init = cls.__dict__.get("__init__")
        if init is None:
            continue
        parameters = inspect.signature(init).parameters.values()
        facts = {p.name: ("x",) if p.name in ("known", "variables") else 1 if p.name == "value" else "x" for p in parameters}
        facts.pop("self")
        for number in ("wait", "status"):
            facts.update({number: 1} if number in facts else {})
        sentences = re.findall(r"[^.?]+[.?](?=\s|$|')", str(cls(**facts)))
        assert len(sentences) >= 2, str(cls(**facts))


@pytest.mark.parametrize(
    ("limit", "ways"),
    [
        ("seconds", "raise Limits.seconds (--timeout, SANDLOOP_SECONDS)"),
        ("cost", "raise Limits.cost (--max-cost, SANDLOOP_COST)"),
        ("turns", "raise Limits.turns (SANDLOOP_TURNS)"),
    ],
)
def test_a_limit_that_ended_a_run_is_named_in_python_on_the_command_line_and_in_the_environment(limit: str, ways: str) -> None:
    assert f"{ways} to go on." in str(errors.LimitReached(limit=limit, value=2.0))
