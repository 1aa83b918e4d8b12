"""The examples of the README do what they show, on real files, in a real sandbox."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandloop_sandbox.engine import Engine

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")


@pytest.fixture
def checkout(tmp_path: Path, engine: Engine) -> Path:
    """A folder with the example files, as the examples expect it."""
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    return tmp_path


def environment(folder: Path) -> dict[str, str]:
    scripts = str(Path(sys.executable).parent)
    kept = {k: v for k, v in os.environ.items() if k in ("HOME", "LANG", "DOCKER_HOST", "PIP_CERT", "SSL_CERT_FILE")}
    return kept | {
        "PATH": f"{scripts}:{os.environ['PATH']}",
        "SANDLOOP_CONFIG": "/dev/null",
        "NO_COLOR": "1",
        "SANDLOOP_WARM": "off",
        "SANDLOOP_RUNS": "off",
    }


def blocks(language: str) -> list[str]:
    return re.findall(rf"(?ms)^```{language}\n(.*?)^```$", README)


def without_seconds(text: str) -> list[str]:
    """Lines as they are, but for the time a cell took."""
    return [re.sub(r"ran in \d+\.\d\d s", "ran in N s", line).rstrip() for line in text.strip().splitlines()]


def test_the_command_prints_what_is_shown(checkout: Path) -> None:
    (block,) = blocks("console")
    command, shown = re.match(r"(?s)\$ (.*?[^\\])\n(.*)", block).groups()  # type: ignore[union-attr]
    done = subprocess.run(
        command, shell=True, cwd=checkout, env=environment(checkout), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0
    assert done.stdout.strip() == shown.strip().splitlines()[-1]
    assert without_seconds(done.stderr + done.stdout) == without_seconds(shown)


def test_the_python_example_runs(checkout: Path) -> None:
    source, _ = blocks("python")
    model = {"SANDLOOP_MODEL": "replay:examples/recordings/xlsx.jsonl"}
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=checkout,
        env=environment(checkout) | model,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("On 73 days")
    assert "pd.read_excel('temperatures.xlsx', sheet_name='Seattle')" in done.stdout


def test_the_sandbox_runs_alone(checkout: Path) -> None:
    _, source = blocks("python")
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=checkout,
        env=environment(checkout),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0].endswith("mm of rain; itself kept")
    assert done.stdout.splitlines()[1] == "['kinds.csv']"


def test_the_commands_for_a_fresh_machine_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^make (\w+)", "\n".join(blocks("sh")), re.MULTILINE)
    assert targets == ["demo", "test"]
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE)
