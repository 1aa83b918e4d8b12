"""What a step plants for those after it, and for our own programs: none of ours takes it up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from docker_runs import SMALL, Open, local_file, run, says
from sandloop.ports import SandboxSession


async def test_planted_programs_and_modules_are_not_used_by_ours(session: SandboxSession) -> None:
    source = """
import os
os.environ['PATH'] = '/workspace:' + os.environ['PATH']; os.environ['PYTHONPATH'] = '/workspace'
for name in ('python3', 'bash', 'sh', 'env', 'kill'):
    with open(name, 'w') as f: f.write('#!/bin/sh\\ntouch /workspace/TAKEN\\n')
    os.chmod(name, 0o755)
modules = [n + '.py' for n in 'os sitecustomize usercustomize frames numpy encodings preview ast'.split()]
for name in (*modules, '.bashrc', '.profile', 'BASH_ENV'):
    with open(name, 'w') as f: f.write("open('/workspace/TAKEN', 'w')\\n")
os._exit(0)
"""
    assert (await run(session, source)).state == "lost"
    await run(session, "export BASH_ENV=/workspace/BASH_ENV ENV=/workspace/BASH_ENV PATH=/workspace:$PATH", "bash")
    assert await says(session, "1 + 1") == "2"
    await session.preview("nothing.csv")
    listing = await session.files()

    assert "TAKEN" not in {f.name for f in listing.files}


PLANT = """
import os, pathlib, site
code = "open('/workspace/TAKEN', 'a').write(__name__)\\n"
home = pathlib.Path.home()
for folder in (pathlib.Path('/workspace'), home, home / '.config/matplotlib', home / '.matplotlib', home / '.ipython/profile_default/startup',
               pathlib.Path(site.getusersitepackages()), pathlib.Path('/dev/shm')):
    folder.mkdir(parents=True, exist_ok=True)
    for name in 'sitecustomize usercustomize sandloop preview kernel frames numpy pandas matplotlib zipimport encodings re csv'.split():
        (folder / f'{name}.py').write_text(code)
        (folder / name).mkdir(exist_ok=True); (folder / name / '__init__.py').write_text(code)
    (folder / 'x.pth').write_text("import os; open('/workspace/TAKEN', 'a').write('pth')\\n")
    (folder / 'pyvenv.cfg').write_text('home = /workspace\\n')
    (folder / 'matplotlibrc').write_text('backend: nonsense\\n')
    for name in ('.bashrc', '.bash_profile', '.profile', '.bash_login', '.inputrc', '.pythonrc', '.start'):
        (folder / name).write_text('touch /workspace/TAKEN; exit 9\\n')
"""


@pytest.mark.parametrize("when", ["step", "preview", "bash"])
async def test_files_planted_in_every_start_up_place_are_not_run_by_ours(open_session: Open, tmp_path: Path, when: str) -> None:
    session = await open_session(SMALL)
    await says(session, PLANT)
    assert (await run(session, "os._exit(0)")).state == "lost"
    (tmp_path / "in.csv").write_text("a,b\n1,2\n")
    await session.put([local_file(tmp_path / "in.csv")])
    if when == "preview":
        assert "a" in await session.preview("in.csv")
    elif when == "bash":
        assert await says(session, "echo fine", "bash") == "fine"
    else:
        assert await says(session, "1 + 1") == "2"

    assert "TAKEN" not in {file.name for file in (await session.files()).files}


@pytest.mark.parametrize(
    "line",
    [
        "export BASH_ENV=/workspace/.start ENV=/workspace/.start",
        "export SHELLOPTS; set -n",
        "export BASHOPTS PS4='$(touch TAKEN)'",
        "export LD_PRELOAD=/workspace/none.so LD_LIBRARY_PATH=/workspace LD_AUDIT=/workspace/none.so",
        "export PYTHONSTARTUP=/workspace/.start PYTHONHOME=/nowhere",
        "echo() { touch TAKEN; }; export -f echo; readonly -f echo",
        "export PATH=/nowhere; mkdir gone; cd gone; rmdir ../gone 2>/dev/null; exec /bin/rmdir /workspace/gone",
        "printf 'exit 3; while :; do :; done\\n' >&97; trap - EXIT",
        "printf '/workspace\\0A=\\xff\\0B\\0=x\\0\\0' >&97; trap - EXIT",
        "/usr/bin/head -c 200000 /dev/zero >&97",
        "trap 'while :; do :; done' EXIT",
        "export BIG=$(/usr/bin/head -c 110000 /dev/zero | /usr/bin/tr '\\0' x)",
        "for i in $(/usr/bin/seq 900); do export V$i=$(printf %0100d $i); done; unset HOME",
        "ulimit -t 0; ulimit -n 3; ulimit -u 1; ulimit -v 1",
        "set -eu; exec 97>&-; exit 5",
        "kill -9 $$",
        "chmod 0 /workspace /tmp",
    ],
)
async def test_what_a_script_leaves_keeps_no_later_step_from_running(open_session: Open, line: str) -> None:
    session = await open_session(replace(SMALL, step_seconds=2))
    await says(session, "open('.start', 'w').write('touch /workspace/TAKEN; exit 9')")
    await run(session, line, "bash")

    ran = await run(session, "echo fine; python3 -c 'print(1)'" if "PATH" not in line else "echo fine; echo 1", "bash")
    assert (ran.stdout, ran.exit_code) == ("fine\n1\n", 0), ran
    assert await says(session, "import os; os.path.exists('TAKEN')") == "False"
    assert (await run(session, "os._exit(1)")).state == "lost"
    assert await says(session, "1 + 1") == "2"


@pytest.mark.parametrize(
    "line",
    [
        "os.environ.update(BASH_ENV='/workspace/.start', SHELLOPTS='noexec', LD_PRELOAD='/x', PYTHONHOME='/x', PS4='$(touch TAKEN)')",
        "os.environ['BIG'] = 'x' * 120_000",
        "os.environ.update({f'V{i}': 'y' * 1000 for i in range(95)}); os.environ['W'] = '\\udcff'",
        "os.environ.clear()",
        "del os.environ",
        "os.environ = None",
        "os.chdir('/tmp'); os.putenv('BASH_ENV', '/workspace/.start')",
    ],
)
async def test_what_a_cell_does_to_its_environment_keeps_no_script_from_running(open_session: Open, line: str) -> None:
    session = await open_session(SMALL)
    await says(session, "open('.start', 'w').write('touch /workspace/TAKEN; exit 9')")
    await run(session, f"import os\n{line}")

    assert await says(session, "echo fine", "bash") == "fine"
    assert await says(session, "1 + 1") == "2"
    assert (await run(session, "import os as o; o._exit(1)")).state == "lost"
    assert await says(session, "import os; os.path.exists('TAKEN'), os.environ['HOME']") == "(False, '/tmp')"
