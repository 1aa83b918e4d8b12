"""Files in are copies, read-only; files out are regular files only, whatever stands in the folder."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from docker_runs import SMALL, Open, fetched, local_file, run, says
from sandloop.errors import BadFile
from sandloop.events import InputFile
from sandloop.limits import MB
from sandloop.ports import LocalFile, SandboxSession


async def test_a_file_goes_in_under_its_name_and_is_not_listed_as_made(session: SandboxSession, tmp_path: Path) -> None:
    path = tmp_path / "Umsätze 2024, 'x' $(id).csv"
    path.write_text("a,b\n1,2\n")
    await session.put([local_file(path)])

    assert await says(session, f"open({path.name!r}).read()") == "'a,b\\n1,2\\n'"
    assert await says(session, "import os; sorted(os.listdir(os.environ['INPUT_DIR'])) == sorted(os.listdir())") == "True"
    assert (await session.files()).files == ()
    assert (await session.files()).skipped == ()


async def test_inputs_are_read_only_and_the_file_of_the_user_is_never_touched(session: SandboxSession, tmp_path: Path) -> None:
    path = tmp_path / "in.csv"
    path.write_text("a\n1\n")
    before = path.stat()
    await session.put([local_file(path)])

    ran = await run(session, "open('in.csv', 'w').write('spoiled')")
    assert ran.error is not None
    assert ran.error.name == "PermissionError"
    # The code may insist: the folder is its own, and only a copy.
    await run(
        session, "import os\nos.chmod('/input', 0o700); os.chmod('/input/in.csv', 0o600)\nopen('in.csv', 'w').write('spoiled')"
    )
    await run(session, "os.remove('/input/in.csv')")

    assert path.read_text() == "a\n1\n"
    assert path.stat().st_mtime_ns == before.st_mtime_ns


@pytest.mark.parametrize("name", ["../up", "a/b", "", ".", "..", "x" * 300, "/etc/passwd"])
async def test_a_name_that_is_no_plain_component_is_refused(shared: SandboxSession, tmp_path: Path, name: str) -> None:
    path = tmp_path / "plain"
    path.write_text("x")
    file = InputFile(name=name, size=1, mime="text/plain", sha256="")

    with pytest.raises(BadFile, match="plain component"):
        await shared.put([LocalFile(file=file, path=path)])
    assert await says(shared, "1 + 1") == "2"


async def test_a_file_is_not_put_over_one_that_the_code_made(session: SandboxSession, tmp_path: Path) -> None:
    path = tmp_path / "made.txt"
    path.write_text("mine")
    await says(session, "open('made.txt', 'w').write('theirs')")

    with pytest.raises(BadFile, match="already in the working folder"):
        await session.put([local_file(path)])
    assert await fetched(session, "made.txt") == b"theirs"


async def test_more_input_than_its_limit_is_refused_and_the_session_goes_on(session: SandboxSession, tmp_path: Path) -> None:
    path = tmp_path / "big"
    with path.open("wb") as file:
        file.truncate(SMALL.input_bytes + 5 * MB)

    with pytest.raises(BadFile, match="input_bytes"):
        await session.put([local_file(path)])
    assert await says(session, "1 + 1") == "2"


async def test_files_made_and_changed_are_seen_and_come_out_whole(session: SandboxSession) -> None:
    source = """
import os
os.makedirs('out/deep')
data = os.urandom(3_000_000)
open('out/deep/d ä.bin', 'wb').write(data)
open('b', 'w')
"""
    await says(session, source)
    first = {f.name: f for f in (await session.files()).files}
    assert {name: f.size for name, f in first.items()} == {"b": 0, "out/deep/d ä.bin": 3_000_000}

    digest = await says(session, "import hashlib; print(hashlib.sha256(data).hexdigest())\nopen('b', 'w').write('x');")
    assert hashlib.sha256(await fetched(session, "out/deep/d ä.bin")).hexdigest() == digest
    second = {f.name: f for f in (await session.files()).files}
    assert second["b"].version != first["b"].version
    assert second["out/deep/d ä.bin"].version == first["out/deep/d ä.bin"].version


async def test_only_regular_files_are_listed_and_the_rest_is_named_with_its_reason(session: SandboxSession) -> None:
    source = r"""
import os, socket
os.symlink('/etc/passwd', 'link'); os.symlink('/', 'root'); os.symlink('nowhere', 'dangling'); os.symlink('.', 'loop')
os.mkfifo('fifo')
socket.socket(socket.AF_UNIX).bind('socket')
open(b'bad\xff', 'w'); open('new\nline \x1b[31m', 'w'); open('-rf', 'w'); open('x' * 255, 'w')
os.makedirs('/'.join(['d'] * 20)); open('/'.join(['d'] * 20) + '/deep', 'w')
open('good.txt', 'w').write('good')
with open('sparse', 'wb') as f: f.truncate(10**12)
"""
    await run(session, source)
    listing = await session.files()
    skipped = dict(listing.skipped)

    assert {f.name for f in listing.files} >= {"-rf", "good.txt", "new\nline \x1b[31m", "x" * 255}
    assert {name: skipped[name] for name in ("link", "root", "dangling", "loop")} == dict.fromkeys(
        ("link", "root", "dangling", "loop"), "is a link"
    )
    assert skipped["fifo"] == skipped["socket"] == "is not a regular file"
    assert "not text" in skipped["bad\ufffd"]
    assert any("too deep" in why for why in skipped.values())
    assert await fetched(session, "good.txt") == b"good"


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("link", "can't be read"),
        ("folder_link/passwd", "can't be read"),
        ("fifo", "not a regular file"),
        ("folder", "not a regular file"),
        ("../etc/passwd", "not a plain path"),
        ("/etc/passwd", "not a plain path"),
        ("folder/../../etc/passwd", "not a plain path"),
        ("none", "can't be read"),
        ("sparse", "larger than"),
        ("locked", "can't be read"),
    ],
)
async def test_what_is_no_plain_small_file_is_not_brought_back(shared: SandboxSession, name: str, why: str) -> None:
    source = """
import os
if not os.path.exists('folder'):
    os.mkdir('folder'); os.mkfifo('fifo'); os.symlink('/etc/passwd', 'link'); os.symlink('/etc', 'folder_link')
    open('locked', 'w').close(); os.chmod('locked', 0)
    with open('sparse', 'wb') as f: f.truncate(11_000_000)
"""
    assert (await run(shared, source)).ok

    with pytest.raises(BadFile, match=why):
        await fetched(shared, name)
    assert await says(shared, "1 + 1") == "2"


async def test_a_folder_full_of_files_is_listed_up_to_a_bound(open_session: Open) -> None:
    session = await open_session(replace(SMALL, disk=50 * MB))
    ran = await run(session, "for i in range(19_900): open(f'{i:05}-' + 'n' * 200, 'w').close()")
    listing = await session.files()

    assert ran.ok
    assert 1000 < len(listing.files) <= 5000
    assert "too many" in listing.skipped[-1][1]
    assert await says(session, "1 + 1") == "2"


async def test_the_writers_stand_still_while_files_are_listed_and_fetched(session: SandboxSession) -> None:
    source = """
import threading, subprocess, sys
def write():
    while True:
        with open('changing', 'w') as f: f.write('x' * 1000)
threading.Thread(target=write, daemon=True).start()
subprocess.Popen(['bash', '-c', 'while :; do echo x >> growing; done'], start_new_session=True)
import time; time.sleep(0.2)
"""
    await says(session, source)
    first = await session.files()
    bytes_first = [await fetched(session, f.name) for f in first.files]

    assert await session.files() == first
    assert [await fetched(session, f.name) for f in first.files] == bytes_first
    assert [len(data) for data in bytes_first] == [f.size for f in first.files]


async def test_a_fetch_that_is_given_up_leaves_the_session_usable(session: SandboxSession) -> None:
    await says(session, "open('big', 'wb').write(bytes(9_000_000)); open('small', 'w').write('s')")

    pieces = session.get("big")
    assert await anext(pieces)
    await cast("AsyncGenerator[bytes]", pieces).aclose()
    assert await fetched(session, "small") == b"s"


async def test_a_hundred_megabytes_stream_in_and_out(open_session: Open, tmp_path: Path) -> None:
    session = await open_session(replace(SMALL, input_bytes=110 * MB, disk=110 * MB, file_bytes=100 * MB))
    path = tmp_path / "big.bin"
    block = os.urandom(1 << 20)
    with path.open("wb") as file:
        for _ in range(95):
            file.write(block)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await session.put([LocalFile(file=InputFile(name="big.bin", size=0, mime="", sha256=""), path=path)])
    await says(session, "import shutil; shutil.copyfile('big.bin', 'out.bin');")
    digest = hashlib.sha256()
    async for piece in session.get("out.bin"):
        digest.update(piece)

    assert digest.hexdigest() == hashlib.sha256(block * 95).hexdigest()
    # `block * 95` above comes after this figure.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000


async def test_a_preview_is_made_inside_and_says_so_when_there_is_none(session: SandboxSession, tmp_path: Path) -> None:
    table, junk = tmp_path / "table.csv", tmp_path / "junk.xlsx"
    table.write_text("Region, Profit \nNorth,1\n")
    junk.write_bytes(b"PK\3\4" + os.urandom(1000))
    await session.put([local_file(table), local_file(junk)])

    assert " Profit " in await session.preview("table.csv")
    assert 0 < len(await session.preview("junk.xlsx")) <= 7_000
    assert await session.preview("none.csv")
    assert await says(session, "1 + 1") == "2"
