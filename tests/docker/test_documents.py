"""Every command line and every Python example of the documents is run, page by page, and prints what the page shows."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from documents import ROOT, Command, Fence, commands, fences, matches, settled
from sandloop_sandbox.engine import Engine

PAGES = list(dict.fromkeys(fence.page for fence in fences()))


def steps(page: str) -> Iterator[Fence | Command]:
    """What happens on a page, in order: files that appear, commands and scripts that run."""
    of_page = [fence for fence in fences() if fence.page == page and not fence.needs]
    for fence, following in zip(of_page, [*of_page[1:], None], strict=True):
        if fence.file is not None:
            yield fence
        elif fence.language == "console":
            yield from commands(fence)
        elif fence.language == "python":
            prints = following.body if following is not None and following.title == "prints" else None
            yield Command(fence, f"python - <<'END OF SCRIPT'\n{fence.body}\nEND OF SCRIPT", prints)


def script(page: str, out: Path) -> str:
    """All steps as one script for bash, each command with its output and its exit code in files of its own."""
    lines = ["set -o pipefail"]
    for number, step in enumerate(steps(page)):
        match step:
            case Fence(file=str(name)):
                lines += [f"mkdir -p {shlex.quote(str(Path(name).parent))}", f"cat >{name} <<'END OF FILE'\n{step.body}END OF FILE"]
            case Command(text=text):
                lines += [f"{{ {text}\n}} >{out / f'{number}.out'} 2>&1 </dev/null; echo $? >{out / f'{number}.code'}"]
            case _:
                pass
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", [page for page in PAGES if any(True for _ in steps(page))])
def test_what_a_page_shows_is_what_happens(page: str, tmp_path: Path, engine: Engine) -> None:
    folder, out = tmp_path / "folder", tmp_path / "out"
    shutil.copytree(ROOT / "examples", folder / "examples")
    out.mkdir()
    kept = {k: v for k, v in os.environ.items() if k in ("LANG", "DOCKER_HOST", "PIP_CERT", "SSL_CERT_FILE")}
    environment = kept | {
        "COLUMNS": "100",
        "HOME": str(tmp_path / "home"),
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "PYTHONWARNINGS": "error",
        "SANDLOOP_CONFIG": "/dev/null",
        "SANDLOOP_MODEL": "replay:examples/recordings/xlsx.jsonl",
        "SANDLOOP_RUNS": str(tmp_path / "runs"),
        "SANDLOOP_WARM": "off",
    }
    subprocess.run(["bash", "-c", script(page, out)], cwd=folder, env=environment, timeout=300, check=True)

    ran = [(number, step) for number, step in enumerate(steps(page)) if isinstance(step, Command)]
    wrong = [said for number, command in ran if (said := differs(command, number, out, folder))]
    assert not wrong, "\n\n".join(wrong)


def differs(command: Command, number: int, out: Path, folder: Path) -> str | None:
    """What a command did other than the page says; None when nothing."""
    printed = (out / f"{number}.out").read_text("utf-8")
    code = int((out / f"{number}.code").read_text())
    if code != command.exit_code:
        return f"{command}\nended with {code}, not {command.exit_code}:\n{printed}"
    real = printed.replace(str(folder), "DIR")
    if command.shown is not None and not matches(command.shown, real):
        return f"{command}\nprints\n{settled(real)}\nbut the page shows\n{settled(command.shown)}"
    return None
