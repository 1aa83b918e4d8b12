"""Everything a working folder can hold: only regular files come out, whole, and by clean names."""

from __future__ import annotations

import pytest

from docker_runs import SMALL, Open, fetched, run, says
from sandloop.errors import BadFile
from sandloop.ports import SandboxSession


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("os.symlink('/etc/passwd', 'thing')", "thing"),
        ("os.symlink('/proc/self/environ', 'thing')", "thing"),
        ("os.symlink('thing', 'thing')", "thing"),
        ("os.symlink('.', 'thing')", "thing/thing/thing"),
        ("os.symlink('/', 'thing')", "thing/etc/passwd"),
        ("os.symlink('/tmp', 'thing'); open('/tmp/x', 'w').close()", "thing/x"),
        ("os.mkfifo('thing')", "thing"),
        ("s = socket.socket(socket.AF_UNIX); s.bind('thing')", "thing"),
        ("os.mkdir('thing')", "thing"),
        ("os.mkdir('thing'); os.chmod('thing', 0)", "thing/x"),
        ("open('thing', 'w').close(); os.chmod('thing', 0)", "thing"),
        ("open('thing', 'wb').truncate(15_000_000)", "thing"),
        ("open('/tmp/x', 'w').close()", "../tmp/x"),
        ("open('/tmp/x', 'w').close()", "/tmp/x"),
        ("1", "./../etc/passwd"),
        ("1", ""),
        ("1", "."),
        ("1", "a//b"),
        ("1", "x" * 5000),
        ("1", "thing\udcff"),
        ("1", "-rf"),
    ],
)
async def test_what_is_no_plain_file_of_the_folder_does_not_come_out(shared: SandboxSession, source: str, name: str) -> None:
    clean = "chmod -R u+rwX . 2>/dev/null; find . -mindepth 1 -delete; rm -rf /tmp/x"
    await says(shared, clean, "bash")
    await run(shared, f"import os, socket\n{source}")

    listed = await shared.files()
    with pytest.raises(BadFile):
        await fetched(shared, name)
    assert all(file.name == name and file.size > 10_000_000 for file in listed.files if file.name == name) or "chmod" in source
    assert await says(shared, "1 + 1") == "2"


NAMES = r"""
names = [b'a\nb', b'-rf', b'~', b' x', b'x.', b'CON', b'a:b', b'\xff\xfe', b'\x1b[2J', '\u202egpj.exe'.encode(), b'..x', b'%00', b'$(id)', b"'",
         b'a' * 255, b'\\', b'*', b'\xe2\x80\x8b', 'e\u0301'.encode(), '\u00e9'.encode(), b'.hidden', b'A', b'\x7f']
"""


async def test_odd_names_are_listed_as_they_are_and_come_out_or_are_left_out_with_a_reason(session: SandboxSession) -> None:
    await says(session, NAMES + "for name in names: open(b'/workspace/' + name, 'wb').write(name)")
    listed = await session.files()

    assert len(listed.files) + len(listed.skipped) == 23
    for file in listed.files:
        assert await fetched(session, file.name) == file.name.encode()
    assert all(why for _, why in listed.skipped)


@pytest.mark.parametrize(
    "source",
    [
        "for i in range(19_990): open(f'{i}', 'w').close()",
        "p = '.'\nfor i in range(500): os.mkdir(p := p + '/d')",
        "p = '.'\nfor i in range(12): os.mkdir(p := p + '/' + 'n' * 255)\nopen(p + '/f', 'w').close()",
        "for i in range(3000): os.link('f', f'l{i}')",
        "os.truncate('f', 19_000_000_000_000) if 0 else os.truncate('f', 49_000_000)",
        "for i in range(200):\n    os.mkdir(f'd{i}')\n    for j in range(90): open(f'd{i}/' + 'm' * 200 + str(j), 'w').close()",
        "os.chmod('.', 0)",
        "os.chmod('.', 0o333)",
        "os.rename('/workspace/f', '/workspace/g'); os.symlink('/etc/passwd', '/workspace/f')",
        "os.utime('f', ns=(-1 << 60, (1 << 63) - 1))",
        "os.utime('f', (0, 0)); os.chmod('f', 0o7777)",
    ],
)
async def test_trees_made_to_trouble_the_listing_are_listed_up_to_a_bound_in_time(open_session: Open, source: str) -> None:
    session = await open_session(SMALL)
    await run(session, f"import os\nopen('f', 'w').write('x')\n{source}")
    listed = await session.files()

    assert len(listed.files) <= 10_000
    assert sum(len(file.name) for file in listed.files) < 2_000_000
    for file in listed.files[:3]:
        if file.size < SMALL.file_bytes:
            await fetched(session, file.name)
    assert await says(session, "1 + 1") == "2"


async def test_a_folder_replaced_by_a_link_between_listing_and_fetching_gives_nothing_of_elsewhere(session: SandboxSession) -> None:
    await says(session, "import os; os.makedirs('a/b'); open('a/b/passwd', 'w').write('mine')")
    (file,) = (await session.files()).files
    await says(session, "import shutil; shutil.rmtree('a/b'); os.symlink('/etc', 'a/b')")

    with pytest.raises(BadFile):
        await fetched(session, file.name)


async def test_a_file_that_is_held_mapped_and_changed_by_threads_is_fetched_as_it_stood(session: SandboxSession) -> None:
    source = """
import mmap, os, threading
fd = os.open('f', os.O_RDWR | os.O_CREAT); os.ftruncate(fd, 1 << 20); m = mmap.mmap(fd, 1 << 20)
def fill():
    n = 0
    while True: m[:] = bytes([n & 255]) * (1 << 20); n += 1
for _ in range(3): threading.Thread(target=fill, daemon=True).start()
"""
    await says(session, source)
    assert await fetched(session, "f") == await fetched(session, "f")


async def test_a_bomb_is_only_bytes(session: SandboxSession) -> None:
    await says(session, "import gzip; open('bomb.gz', 'wb').write(gzip.compress(bytes(100_000_000))); 1")
    (file,) = (await session.files()).files

    assert len(await fetched(session, file.name)) == file.size < 200_000
