"""`sandloop sandbox …` as a user types it, on a real engine; and the sandbox as a library of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sandloop.errors import BadFile, UsageError
from sandloop_sandbox import AsyncSandbox, Sandbox, inventory
from sandloop_sandbox.container import LABEL
from sandloop_sandbox.engine import Engine
from sandloop_sandbox.image import base_images, ensure_image, image_id
from sandloop_sandbox.image_build import ImageBuild

pytestmark = pytest.mark.alone

ROOT = Path(__file__).parents[2]
SANDLOOP = str(Path(sys.executable).with_name("sandloop"))
TEST_LABEL = "dev.sandloop.test-images"


@pytest.fixture
def sandloop(tmp_path: Path, engine: Engine) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command in a folder of its own."""

    def call(*arguments: str, stdin: str = "", **environ: str) -> subprocess.CompletedProcess[str]:
        command, environment = [SANDLOOP, "sandbox", *arguments], os.environ | {"SANDLOOP_CONFIG": "/dev/null"} | environ
        return subprocess.run(
            command, cwd=tmp_path, env=environment, input=stdin, capture_output=True, text=True, timeout=120, check=False
        )

    return call


def test_a_script_prints_where_the_command_prints_and_its_files_are_saved(
    sandloop: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    (tmp_path / "in.csv").write_text("a\n1\n2\n")
    (tmp_path / "sum.py").write_text(
        "import sys\nimport pandas as pd\nprint(pd.read_csv('in.csv').a.sum())\nprint('aside', file=sys.stderr)\n"
        "open('out.txt', 'w').write('made')\n'not shown'\n"
    )
    done = sandloop("run", "sum.py", "in.csv", "-o", "results")
    assert (done.returncode, done.stdout) == (0, "3\n")
    assert "aside\n" in done.stderr
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"out.txt"}
    assert (tmp_path / "results/out.txt").read_text() == "made"


@pytest.mark.parametrize(
    ("language", "script", "code", "stdout", "stderr"),
    [
        ("bash", "echo one; exit 7", 7, "one\n", ""),
        ("python", "print('\x1b[2J'); raise SystemExit(3)", 3, "\x1b[2J\n", ""),
        ("python", "1/0", 1, "", "ZeroDivisionError: division by zero\n"),
        ("python", "import urllib.request as u\nu.urlopen('http://1.1.1.1')", 1, "", "URLError: <urlopen error"),
    ],
)
def test_a_script_from_stdin_ends_the_command_with_its_own_exit_code(
    sandloop: Callable[..., subprocess.CompletedProcess[str]], language: str, script: str, code: int, stdout: str, stderr: str
) -> None:
    done = sandloop("run", "-", "--language", language, stdin=script)
    assert (done.returncode, done.stdout) == (code, stdout)
    assert stderr in done.stderr


def test_a_script_that_meets_a_limit_says_so_and_ends_with_5(sandloop: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = sandloop("run", "-", "--timeout", "1", stdin="print('begun', flush=True)\nwhile True: pass")
    assert (done.returncode, done.stdout) == (5, "begun\n")
    assert "the script was stopped by its limit of time" in done.stderr


def test_json_is_whole_and_alone_on_stdout(sandloop: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path) -> None:
    done = sandloop("run", "-", "--json", stdin="print('x'); open('made.txt', 'w').write('1')")
    said = json.loads(done.stdout)
    assert (said["ran"]["stdout"], said["ran"]["exit_code"], said["files"][0]["name"]) == ("x\n", 0, "made.txt")
    assert (tmp_path / said["saved"][0]).read_text() == "1"
    assert said["saved"][0] == f"sandloop-output/{said['sandbox']['id']}/made.txt"


def test_a_long_output_is_whole(sandloop: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    done = sandloop("run", "-", stdin="for i in range(200_000): print(i)")
    assert done.stdout == "".join(f"{i}\n" for i in range(200_000))


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "missing.py"], 2, "can't be read"),
        (["run", "-", "--engine", "nothing"], 2, "known are"),
        (["run", "-", "missing.csv"], 2, "does not exist"),
        (["run", "-", "--timeout", "-1"], 2, "must be above 0"),
        (["build", "--packages", "../x"], 2, "a package's name"),
        (["ps", "--engine", "nothing"], 2, "nothing"),
    ],
)
def test_a_wrong_call_is_one_sentence(
    sandloop: Callable[..., subprocess.CompletedProcess[str]], arguments: list[str], code: int, said: str
) -> None:
    done = sandloop(*arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "internal error" not in done.stderr


def test_a_base_image_of_no_possible_name_is_said(sandloop: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    for command in (["build"], ["run", "-"]):
        done = sandloop(*command, SANDLOOP_BASE_IMAGE="No Name")
        assert done.returncode == 2
        assert "must be the name of an image" in done.stderr


def test_without_an_engine_every_command_says_so(sandloop: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    for command in (["ps"], ["prune"], ["build"], ["run", "-"]):
        done = sandloop(*command, DOCKER_HOST="unix:///nowhere.sock")
        assert done.returncode == 4
        assert "Docker does not answer" in done.stderr


def test_build_prints_the_images_name(sandloop: Callable[..., subprocess.CompletedProcess[str]], engine: Engine) -> None:
    done = sandloop("build")
    assert done.returncode == 0
    assert image_id(engine.client, done.stdout.strip()) == ensure_image(engine.client, lambda line: None)


def test_ctrl_c_ends_a_script_and_leaves_nothing(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "endless.py").write_text("print('running', flush=True)\nwhile True: pass\n")
    command = [SANDLOOP, "sandbox", "run", "endless.py"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"running\n"
        process.send_signal(signal.SIGINT)
        _, stderr = process.communicate(timeout=10)
    assert process.returncode == 130
    assert b"Traceback" not in stderr
    end = time.monotonic() + 10
    while any(f" {process.pid} " in labels[f"{LABEL}.owner"] for labels in engine.labelled(f"{LABEL}.session").values()):
        assert time.monotonic() < end, "its container is still there"
        time.sleep(0.05)


def test_ps_shows_a_sandbox_with_its_owner_and_the_memory_of_its_files(
    sandloop: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    with Sandbox() as sandbox:
        assert sandbox.opened is not None
        sandbox.run("open('big', 'wb').write(b'x' * 60_000_000)")
        (mine,) = [one for one in json.loads(sandloop("ps", "--json").stdout) if one["id"] == sandbox.opened.id]
        assert mine["state"] == "in use"
        assert mine["owner"].endswith(f"({os.getpid()})")
        assert 60_000_000 < mine["memory"] < 1_000_000_000
        assert sandbox.opened.id in sandloop("ps").stdout


@pytest.fixture
def test_images(engine: Engine) -> Iterator[dict[str, str]]:
    """Three images with a label of this test (in use, not, somebody else's by its name), and a stage that a build left behind."""
    client: Any = engine.client
    base = next(base for base in base_images(os.environ.get("SANDLOOP_BASE_IMAGE")) if image_id(engine.client, base))
    built = {name: f"sandloop/test-images:{name}" for name in ("used", "unused")} | {"foreign": "sandloop-test-foreign:1"}
    for name, tag in built.items():
        dockerfile = f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}}\nLABEL {TEST_LABEL}=1 of={name}\n"
        if name == "unused":
            stage = f"ARG BASE_IMAGE\nFROM ${{BASE_IMAGE}} AS builder\nLABEL {TEST_LABEL}=builder\nRUN echo 1 > /made\n"
            dockerfile = f"{stage}{dockerfile.partition(chr(10))[2]}COPY --from=builder /made /made\n"
        ImageBuild(tag, lambda line: None).run(client, {"Dockerfile": dockerfile.encode()}, base)
    container = client.create_container_from_config(
        {"Image": built["used"], "Cmd": ["true"], "Labels": {"dev.sandloop.test": "prune"}}
    )
    try:
        yield built
    finally:
        client.remove_container(container["Id"], force=True)
        for tag in built.values():
            if image_id(engine.client, tag):
                client.remove_image(tag)


def test_only_images_of_ours_that_nothing_uses_are_removed(engine: Engine, test_images: dict[str, str]) -> None:
    told: list[str] = []
    found = inventory.images(engine, TEST_LABEL)
    assert {name for image in found for name in image.names} == set(test_images.values())
    assert [image.kind for image in found if not image.names] == ["builder"]
    old = inventory.out_of_date(found, [], time.time() + 2 * inventory.KEPT_SECONDS, "sandloop/test-images")
    assert inventory.remove_images(engine, old, told.append) == 2
    assert not [image for image in inventory.images(engine, TEST_LABEL) if not image.names]
    there = {name for name, tag in test_images.items() if image_id(engine.client, tag)}
    assert there == {"used", "foreign"}
    assert any(line.startswith(f"removed {test_images['unused']}") for line in told)
    assert any(line.startswith(f"left {test_images['used']}") for line in told)
    assert "of the engine's disk are free again" in told[-1]


def test_the_example_of_the_sandbox_alone_runs_and_loads_no_provider(tmp_path: Path, engine: Engine) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    source = (ROOT / "examples/sandbox_alone.py").read_text("utf-8")
    assert len([line for line in source.splitlines() if line and not line.startswith('"""')]) <= 10
    look = "\nimport sys; print(sorted({m.partition('.')[0] for m in sys.modules}), file=sys.stderr)"
    done = subprocess.run(
        [sys.executable, "-c", source + look], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].endswith("mm of rain")
    assert done.stdout.splitlines()[1] == "['kinds.csv']"
    assert "name resolution" in done.stdout.splitlines()[2]
    assert (tmp_path / "sandbox-alone/kinds.csv").read_text().startswith("weather,0\n")
    for heavy in ("anthropic", "openai", "sandloop_providers", "mistralai", "google", "httpx2"):
        assert f"'{heavy}'" not in done.stderr


def test_a_sandbox_keeps_its_variables_and_tells_its_own_files_from_those_put_in(tmp_path: Path, engine: Engine) -> None:
    heard: list[tuple[str, str]] = []
    with Sandbox() as sandbox:
        assert sandbox.put(("a.txt", b"one"), ("a.txt", b"two")) == ("a.txt", "a-2.txt")
        assert sandbox.run("x = open('a.txt').read() + open('a-2.txt').read()").ok
        assert sandbox.run("print(x)", on_output=lambda stream, text: heard.append((stream, text))).stdout == "onetwo\n"
        assert sandbox.run("echo $HOME > h; cat a.txt", "bash").stdout == "one"
        assert [found.name for found in sandbox.files()] == ["h"]
        assert sandbox.get("h") == b"/tmp\n"
        assert [path.read_bytes() for path in sandbox.save(tmp_path / "out")] == [b"/tmp\n"]
        failed = sandbox.run("1/0")
        assert failed.error is not None
        assert failed.error.name == "ZeroDivisionError"
    assert heard == [("stdout", "onetwo\n")]
    with pytest.raises(UsageError, match="closed"):
        sandbox.run("1")
    sandbox.close()


def test_a_sandbox_that_nobody_closes_ends_with_its_process(engine: Engine) -> None:
    source = "from sandloop_sandbox import Sandbox\nsandbox = Sandbox()\nprint(sandbox.run('1 + 1').stdout, sandbox.opened.id)"
    ended = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, timeout=60, check=True)

    said, its = ended.stdout.split()
    assert (said, ended.stderr) == ("2", "")
    until = time.monotonic() + 10
    while its in [one.id for one in inventory.held(engine)]:
        assert time.monotonic() < until


def test_a_file_that_can_not_be_brought_back_costs_no_other(tmp_path: Path, engine: Engine) -> None:
    with Sandbox() as sandbox:
        sandbox.run("import os\nfor name in 'abc': open(name, 'w').write(name)\nos.chmod('b', 0)")
        with pytest.raises(BadFile, match="'b' can't be"):
            sandbox.save(tmp_path / "out")

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["a", "c"]


async def test_an_interrupt_ends_the_cell_and_keeps_the_variables(engine: Engine) -> None:
    import anyio

    async with AsyncSandbox() as sandbox:
        running, stopped = anyio.Event(), list[str]()
        await sandbox.run("x = 1")

        def told(stream: str, text: str) -> None:
            anyio.from_thread.run_sync(running.set)

        async def endless() -> None:
            ran = await sandbox.run("print('on', flush=True)\nwhile True: pass", on_output=told)
            stopped.append(ran.stopped_by)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(endless)
            await running.wait()
            await sandbox.interrupt()
        assert stopped == ["interrupt"]
        assert (await sandbox.run("print(x)")).stdout == "1\n"
    with pytest.raises(UsageError, match="closed"):
        await sandbox.open()
