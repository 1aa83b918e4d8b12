"""`sandloop sandbox …` with the tools of an engine of somebody else's, found as ours are; and the import costs nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sandloop.settings.sandbox import checked

TOOLS = """
from sandloop.errors import EngineUnavailable
from sandloop.ports import Held


class Tools:
    def __init__(self, options):
        self.options = options

    def ps(self):
        return [Held(id="0123", state="ready", owner="me", created="", memory=5_000_000)]

    def prune(self, on_progress):
        on_progress("removed \\x1b[2Jone")
        return 1

    def build(self, on_progress):
        if "missing" in self.options.packages:
            raise EngineUnavailable(address="here", said="it is away", do="Come back later")
        on_progress("building")
        return "image-with-" + "+".join(self.options.packages)
"""


@pytest.fixture
def sandloop(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    (tmp_path / "others.py").write_text(TOOLS)
    info = tmp_path / "others-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: others\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[sandloop.sandbox_tools]\nothers = others:Tools\n")
    paths = os.pathsep.join((str(tmp_path), *sys.path))

    def call(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", "from sandloop.cli import main; main()", "sandbox", *arguments]
        environment = os.environ | {"PYTHONPATH": paths, "SANDLOOP_CONFIG": "/dev/null", "SANDLOOP_SANDBOX": "others"} | environ
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False)

    return call


def test_ps_is_a_table_or_json(sandloop: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert sandloop("ps").stdout.splitlines()[1:] == ["0123  ready  me     -    -        5.0 MB", "1 ready; 5.0 MB of memory"]
    (one,) = json.loads(sandloop("ps", "--json").stdout)
    assert one == {"id": "0123", "state": "ready", "owner": "me", "created": "", "memory": 5_000_000, "deadline": ""}


def test_prune_says_what_and_how_much(sandloop: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = sandloop("prune")
    assert (done.returncode, done.stdout, done.stderr) == (0, "1 removed\n", "removed \\u001b[2Jone\n")


@pytest.mark.parametrize(
    ("arguments", "environ", "name"),
    [
        ([], {}, "image-with-"),
        (["--packages", "a,b==1"], {}, "image-with-a+b==1"),
        ([], {"SANDLOOP_PACKAGES": "c d"}, "image-with-c+d"),
        (["--packages", "a"], {"SANDLOOP_PACKAGES": "c"}, "image-with-a"),
    ],
)
def test_build_takes_the_packages_of_the_nearest_layer(
    sandloop: Callable[..., subprocess.CompletedProcess[str]], arguments: list[str], environ: dict[str, str], name: str
) -> None:
    done = sandloop("build", *arguments, **environ)
    assert (done.returncode, done.stdout, done.stderr) == (0, name + "\n", "building\n")


def test_an_engine_that_is_away_ends_the_command_with_4(sandloop: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = sandloop("build", "--packages", "missing")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == "sandloop: Docker does not answer on here: it is away. Come back later.\n"


@pytest.mark.parametrize(
    ("text", "packages"),
    [
        ("a,b", ("a", "b")),
        ("a b , c", ("a", "b", "c")),
        ("a>=1,<2,b", ("a>=1,<2", "b")),
        ("a[x,y]==1,b[z],c", ("a[x,y]==1", "b[z]", "c")),
        ("a,", ("a",)),
        ("", ()),
    ],
)
def test_packages_written_as_one_text_are_told_apart(text: str, packages: tuple[str, ...]) -> None:
    assert checked("packages", text) == packages


def test_asking_for_help_loads_no_sandbox_and_nothing_slow() -> None:
    script = "import sys, sandloop.cli; print(sorted(m.partition('.')[0] for m in sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    for slow in ("anyio", "docker", "pydantic", "sandloop_sandbox", "platformdirs"):
        assert f"'{slow}'" not in loaded
