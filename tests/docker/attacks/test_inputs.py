"""Input files: read-only in fact, whatever the code does to their modes."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from docker_runs import SMALL, Open, local_file, run, says
from sandloop.ports import SandboxSession


@pytest.fixture
async def with_input(session: SandboxSession, tmp_path: Path) -> SandboxSession:
    """A session with one input that all modes have been opened of."""
    if session.opened.not_limited:
        pytest.skip(f"the kernel of this machine can't: {session.opened.not_limited}")
    (tmp_path / "in.csv").write_text("a,b\n1,2\n")
    await session.put([local_file(tmp_path / "in.csv")])
    await says(session, "import os; os.chmod('/input', 0o777); os.chmod('/input/in.csv', 0o777)")
    return session


@pytest.mark.parametrize(
    "source",
    [
        "open('in.csv', 'w')",
        "open('/input/in.csv', 'r+b')",
        "open('/input/in.csv', 'a').write('x')",
        "os.open('/input/in.csv', os.O_RDONLY | os.O_TRUNC)",
        "os.truncate('/input/in.csv', 0)",
        "os.ftruncate(os.open('/input/in.csv', os.O_RDWR), 0)",
        "os.remove('/input/in.csv')",
        "os.rename('/input/in.csv', '/input/other.csv')",
        "os.rename('/input', '/tmp/input')",
        "open('new.csv', 'w').write('x'); os.replace('new.csv', '/input/in.csv')",
        "open('/tmp/new.csv', 'w').write('x'); os.link('/tmp/new.csv', '/input/new.csv')",
        "os.link('/input/in.csv', '/workspace/hard.csv'); open('/workspace/hard.csv', 'w')",
        "os.symlink('/tmp', '/input/link')",
        "os.mkdir('/input/folder')",
        "open('/input/new', 'x')",
        "mmap.mmap(os.open('/input/in.csv', os.O_RDWR), 4)[:1] = b'x'",
        "mmap.mmap(os.open('/input/in.csv', os.O_RDONLY), 4, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE)[:1] = b'x'",
        "f = open('/input/in.csv'); open(f'/proc/self/fd/{f.fileno()}', 'w')",
        "f = open('/input/in.csv'); open(f'/proc/{os.getpid()}/root/input/in.csv', 'w')",
        "subprocess.run(['sh', '-c', 'echo x > /input/in.csv'], check=True)",
        "pandas.read_csv('in.csv').to_csv('/input/in.csv')",
    ],
)
async def test_an_input_is_not_changed_by_a_cell(with_input: SandboxSession, source: str) -> None:
    ran = await run(with_input, f"import mmap, os, pandas, subprocess\n{source}")

    assert ran.error is not None, ran
    assert await says(with_input, "import os; os.listdir('/input'), open('/input/in.csv').read()") == "(['in.csv'], 'a,b\\n1,2\\n')"


@pytest.mark.parametrize(
    "script",
    [
        "echo x > /input/in.csv",
        "rm -rf /input/in.csv",
        "mv /input/in.csv /tmp",
        "truncate -s 0 /input/in.csv",
        "sed -i s/a/z/ /input/in.csv",
        "cp /etc/hostname /input/in.csv",
        "dd if=/dev/zero of=/input/in.csv bs=1 count=1 conv=notrunc",
        "tee /input/in.csv </dev/null",
        "setsid nohup sh -c 'echo x > /input/in.csv' & wait $!",
    ],
)
async def test_an_input_is_not_changed_by_a_script(with_input: SandboxSession, script: str) -> None:
    ran = await run(with_input, script, "bash")

    assert ran.exit_code != 0, ran
    assert await says(with_input, "cat /input/in.csv", "bash") == "a,b\n1,2"


async def test_the_rules_hold_for_a_fresh_kernel_and_a_replaced_zygote_too(with_input: SandboxSession) -> None:
    kill = "[os.kill(int(n), 9) for n in os.listdir('/proc') if n.isdigit() and n != '1']"
    for source in ("os._exit(1)", kill, "import pandas; os._exit(1)"):
        await run(with_input, f"import os\n{source}")
        ran = await run(with_input, "open('/input/in.csv', 'w')")
        assert ran.error is not None
        assert ran.error.name == "PermissionError"


async def test_everything_else_is_written_as_ever(with_input: SandboxSession) -> None:
    source = """
import os, shutil, subprocess, tempfile
for place in ('/workspace', '/tmp', '/dev/shm'):
    os.makedirs(place + '/a/b'); os.makedirs(place + '/c')
    open(place + '/a/f', 'w').write('x'); os.rename(place + '/a/f', place + '/c/g'); os.rename(place + '/a/b', place + '/c/b')
    os.link(place + '/c/g', place + '/a/h'); os.symlink('g', place + '/c/l'); os.mkfifo(place + '/c/p'); os.truncate(place + '/c/g', 0)
    shutil.copytree(place + '/a', place + '/d'); shutil.rmtree(place + '/a'); shutil.rmtree(place + '/c'); shutil.rmtree(place + '/d')
for path in ('/dev/null', '/dev/stdout', '/dev/stderr', '/proc/self/fd/1', '/proc/self/comm'): open(path, 'w').write('')
with tempfile.NamedTemporaryFile() as file, tempfile.TemporaryFile() as other, tempfile.SpooledTemporaryFile(1) as third:
    shutil.copy('/input/in.csv', '/workspace/copy.csv'); os.chmod('copy.csv', 0o600); open('copy.csv', 'a').write('3,4\\n')
    third.write(b'xx')
shutil.move('/workspace/copy.csv', '/tmp/copy.csv'); os.remove('/tmp/copy.csv')
subprocess.run('mkdir -p x/y && mv x/y z && rm -r x z && echo 1 > /dev/null', shell=True, check=True);
"""
    assert await says(with_input, source) == ""


async def test_the_file_of_the_user_is_untouched(open_session: Open, tmp_path: Path) -> None:
    session, path = await open_session(SMALL), tmp_path / "in.csv"
    path.write_text("a\n1\n")
    before = path.stat()
    await session.put([local_file(path)])
    for source in ("chmod -R 777 /input; echo x > /input/in.csv", "rm -f in.csv; echo x > in.csv", "chmod 0 /input /input/in.csv"):
        await run(session, source, "bash")

    after = path.stat()
    assert (after.st_mtime_ns, after.st_ino, after.st_mode) == (before.st_mtime_ns, before.st_ino, before.st_mode)
    assert hashlib.sha256(path.read_bytes()).digest() == hashlib.sha256(b"a\n1\n").digest()
    # A second file still goes in, and the first is what it was.
    (tmp_path / "second.csv").write_text("b\n")
    await session.put([local_file(tmp_path / "second.csv")])
    assert await says(session, "cat /input/second.csv", "bash") == "b"
