"""Questions from end to end: through the public call, the command line, and as a user who is not root."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from docker_runs import SMALL, Live
from sandloop import Settings, analyze
from sandloop.codec import lines
from sandloop.errors import BadSetting
from sandloop.events import FileMade, SandboxOpened
from sandloop.options import SandboxOptions
from sandloop_sandbox.bubblewrap import open_bubblewrap
from sandloop_sandbox.bubblewrap_program import Program
from sandloop_sandbox.bubblewrap_tools import bubblewrap_tools
from wire.chat_server import ChatServer, call, say

OPTIONS = SandboxOptions(engine="bubblewrap")
CHART = """
import pandas as pd, matplotlib.pyplot as plt
df = pd.read_csv('a.csv')
plt.plot(df['a'], df['b'])
plt.show()
print(df['b'].sum())
"""


@pytest.fixture
def csv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bubblewrap: Program) -> Path:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,10\n2,32\n")
    return path


def test_a_question_is_answered_and_its_recording_answers_again(csv: Path, tmp_path: Path) -> None:
    with ChatServer([call(CHART), say("The sum is 42.")]) as server:
        settings = Settings(model="compatible:m", base_url=server.url, limits=SMALL, sandbox=OPTIONS)
        first = analyze("What is the sum of b?", [csv], settings=settings)
    (tmp_path / "kept.jsonl").write_text("".join(lines(first.events)))
    again = analyze(
        "What is the sum of b?", [csv], settings=Settings(model=f"replay:{tmp_path / 'kept.jsonl'}", limits=SMALL, sandbox=OPTIONS)
    )

    for result in (first, again):
        assert result.text == "The sum is 42."
        assert [event.name for event in result.events if isinstance(event, FileMade)] == ["figure-1.png"]
        (opened,) = [event for event in result.events if isinstance(event, SandboxOpened)]
        assert (opened.sandbox, opened.weakened) == ("bubblewrap", ())
        assert opened.not_limited


def test_the_command_line_takes_it_by_its_variable_and_says_what_is_not_bounded(csv: Path, tmp_path: Path) -> None:
    with ChatServer([call(CHART), say("The sum is 42.")]) as server:
        command = [sys.executable, "-c", "from sandloop.cli import main; main()", "analyze", "?", "a.csv", "-m", "compatible:m"]
        env = {**os.environ, "SANDLOOP_SANDBOX": "bubblewrap", "SANDLOOP_CONFIG": "/dev/null"}
        done = subprocess.run(
            [*command, "--base-url", server.url, "-o", "out"], env=env, capture_output=True, text=True, timeout=120
        )

    assert done.returncode == 0, done.stderr
    assert "The sum is 42." in done.stdout
    assert "the memory of all its processes together" in done.stderr
    assert (tmp_path / "out" / "figure-1.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be somebody else; the other tests are run as a user then")
def test_a_user_who_is_not_root_is_nobody_inside_and_has_the_same_sandbox(csv: Path) -> None:
    program = """
    import os, anyio
    import docker_runs
    from sandloop.options import SandboxOptions
    from sandloop_sandbox.bubblewrap import open_bubblewrap
    from sandloop_sandbox.bubblewrap_held import found
    async def opened():
        return await open_bubblewrap(docker_runs.SMALL, SandboxOptions(engine="bubblewrap"), print).open()
    async def main():
        # As root first: what is imported on the way may lie where only root can read.
        session = await opened()
        await docker_runs.says(session, "1")
        await session.close()
        os.setgroups([]); os.setresgid(12345, 12345, 12345); os.setresuid(12345, 12345, 12345); os.environ["HOME"] = "/nonexistent"
        session = await opened()
        print(await docker_runs.says(session, "import os, pandas; os.getuid() >= 20000"))
        (sandbox,) = [one for one in found() if one.held.id == session.opened.id]
        (child,) = open(f"/proc/{sandbox.pid}/task/{sandbox.pid}/children").read().split()
        print(os.stat(f"/proc/{child}/net").st_uid, open(f"/proc/{child}/status").read().split("Uid:")[1].split()[0])
        await session.close()
    anyio.run(main)
    """
    env = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120, env=env)

    assert done.returncode == 0, done.stderr
    inside, outside = done.stdout.splitlines()
    assert inside == "True"
    assert outside.split()[1] == "12345"


@pytest.mark.parametrize(
    "options",
    [
        SandboxOptions(engine="bubblewrap", runtime="runsc"),
        SandboxOptions(engine="bubblewrap", unsafe_network=True),
        SandboxOptions(engine="bubblewrap", unsafe_privileged=True),
        SandboxOptions(engine="bubblewrap", unsafe_capabilities=("NET_RAW",)),
        SandboxOptions(engine="bubblewrap", unsafe_mounts=("/a:/b",)),
    ],
)
def test_an_option_that_it_can_not_honour_is_refused_before_anything_starts(options: SandboxOptions) -> None:
    for factory in (lambda: open_bubblewrap(SMALL, options, print), lambda: bubblewrap_tools(options)):
        with pytest.raises(BadSetting, match="can't be had with the engine 'bubblewrap'"):
            factory()


async def test_its_tools_see_a_session_and_leave_it_alone(bubblewrap: Program) -> None:
    session = await open_bubblewrap(SMALL, OPTIONS, lambda line: None).open()
    tools = bubblewrap_tools(OPTIONS)
    (held,) = [one for one in tools.ps() if one.id == session.opened.id]

    assert (held.state, held.owner.startswith(f"process {os.getpid()} ")) == ("in use", True)
    assert tools.build(lambda line: None) == session.opened.image
    tools.prune(lambda line: None)
    assert (await session.run("after", "1 + 1", "python", Live())).stdout == "2\n"
    await session.close()
