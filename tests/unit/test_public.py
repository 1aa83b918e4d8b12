"""The public door: what it holds, and that core knows no vendor and no Docker when it opens."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys

import pytest

import sandloop
from sandloop import errors


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
    script = "import sys, sandloop, sandloop.cli; print(sorted(m for m in sys.modules if '.' not in m))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    for heavy in ("anthropic", "openai", "docker", "pydantic", "sandloop_providers", "sandloop_sandbox", "httpx2"):
        assert f"'{heavy}'" not in loaded


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
