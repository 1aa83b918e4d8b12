"""Probes of files in and out, and of what is left of a session: in the next one, after its end, after ours."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import anyio
from anyio import to_thread

from sandloop.errors import BadFile
from sandloop.events import CodeRan, InputFile
from sandloop.ports import LocalFile, SandboxSession
from sandloop_sandbox.attack import tell, with_host
from sandloop_sandbox.judging import attempts, needs, not_made
from sandloop_sandbox.probe import Probe, Seen, Stage, Verdict

_TRAPS = """
os.chdir('/workspace')
os.symlink('/etc/passwd', 'link'); os.symlink('/etc', 'folder-link'); os.symlink(given['path'], 'host-link')
os.mkfifo('fifo')
with socket.socket(socket.AF_UNIX) as s: s.bind('socket')
attempt('device', os.mknod, 'device', 0o20666, os.makedev(1, 5))
with open('sparse', 'wb') as file: file.truncate(given['file_bytes'] + 1)
os.makedirs('/'.join(['deep'] * 20))
with open('good.txt', 'w') as file: file.write('good')
tell(made=sorted(os.listdir()))
"""
_ASKED = (
    *("link", "folder-link/passwd", "host-link", "fifo", "socket", "sparse", "device"),
    *("../etc/passwd", "/etc/passwd", "good.txt/../../etc/passwd", "deep/../../etc/passwd"),
)
_SPOIL = """
attempt('open /input', os.chmod, '/input', 0o700)
for path in ('/input/original.csv', '/workspace/original.csv'):
    attempt('mode ' + path, os.chmod, path, 0o666)
    def write():
        with open(path, 'w') as file: file.write('spoiled')
    attempt('write ' + path, write)
with open('/workspace/original.csv') as file: now = file.read()
attempt('remove', os.remove, '/input/original.csv')
attempt('replace', os.symlink, '/etc/passwd', '/input/original.csv')
# And where it lies on the host, should that be to be seen.
parts = given['original'].split('/')[1:]
for point in {line.split()[4] for line in open('/proc/self/mountinfo')}:
    for start in range(len(parts)):
        path = os.path.join(point, *parts[start:])
        if path.startswith(('/input', '/workspace')): continue
        try:
            if os.path.exists(path): open(path, 'w').write('spoiled')
        except OSError: pass
tell(now=now)
"""
_MARK = """
made = []
attempt('open /input', os.chmod, '/input', 0o700)
for place in ('/workspace', '/tmp', '/dev/shm', '/input', '/var/tmp', '/run', '/'):
    try:
        with open(f'{place}/{given["mark"]}', 'w') as file: file.write('left')
        made.append(place)
    except OSError: pass
import builtins; builtins.left = 1
tell(made=made, uid=os.getuid())
"""
_LOOK = """
import builtins
found = [place for place in ('/workspace', '/tmp', '/dev/shm', '/input', '/var/tmp', '/run', '/')
         if os.path.lexists(f'{place}/{given["mark"]}')]
if hasattr(builtins, 'left'): found.append('variables')
tell(found=found, uid=os.getuid(), entries=sum(len(os.listdir(p)) for p in ('/workspace', '/tmp', '/dev/shm')))
"""
GONE_SECONDS = 7.0
"""Ending takes 0.3 s; the library's own second try comes after 10."""


async def _outputs(stage: Stage) -> Seen:
    session = await stage.open()
    made = await tell(session, stage.given, _TRAPS)
    listing = await session.files()
    got: dict[str, int] = {}
    for name in (*_ASKED, "good.txt"):
        try:
            got[name] = sum([len(piece) async for piece in session.get(name)])
        except BadFile:
            continue
    return with_host(made, stage, session, listed=[f.name for f in listing.files], got=got, skipped=len(listing.skipped))


def _only_files(seen: Seen, made: list[str]) -> Verdict:
    if len(made) < 8 or seen.host["got"].get("good.txt") != 4:
        return not_made(seen, f"{len(made)} entries were made, {seen.host['got']} came out")
    out = sorted({*seen.host["got"], *seen.host["listed"]} - {"good.txt", "sparse"}) + (
        ["sparse"] if "sparse" in seen.host["got"] else []
    )
    if out:
        return Verdict(held=False, happened=f"came out: {', '.join(out[:4])}")
    return Verdict(
        held=True,
        happened=f"of {len(_ASKED) + 1} names only the regular file came out, {seen.host['skipped']} others were named as left out",
    )


async def _input(stage: Stage) -> Seen:
    session = await stage.open()
    path = Path(stage.host.folder) / "original.csv"
    path.write_text("a\n1\n")
    path.chmod(0o666)
    before = path.stat()
    file = InputFile(name=path.name, size=4, mime="text/csv", sha256="")
    await session.put([LocalFile(file=file, path=path)])
    seen = await tell(session, {**stage.given, "original": str(path)}, _SPOIL)
    same = path.read_text() == "a\n1\n" and path.stat().st_mtime_ns == before.st_mtime_ns
    return with_host(seen, stage, session, same=same)


def _original(seen: Seen, now: str) -> Verdict:
    writes = [number for _, number, _ in attempts(seen, "write ")]
    if len(writes) != 2 or (now != "spoiled" and not all(writes)):
        return not_made(seen, f"its copy was not written to, and has {now[:40]!r}")
    says = "its copy was overwritten" if now == "spoiled" else "its copy can't be changed either"
    says += "; ours has the same bytes and time"
    return Verdict(held=bool(seen.host["same"]), happened=says if seen.host["same"] else "our file was changed")


async def _leftovers(stage: Stage) -> Seen:
    given = {**stage.given, "mark": f"left-{stage.given['secret']}"}
    first = await stage.open()
    made = await tell(first, given, _MARK)
    neighbour = await stage.open()
    meanwhile = await tell(neighbour, given, _LOOK)
    await first.close()
    after = await stage.open()
    seen = await tell(after, given, _LOOK)
    uids = [one.told.get("uid") for one in (made, meanwhile, seen)]
    found = [*meanwhile.told.get("found", ["no answer"]), *seen.told.get("found", ["no answer"])]
    return with_host(seen, stage, after, made=made.told.get("made", []), all_found=found, uids=uids)


def _nothing_left(seen: Seen, found: list[str]) -> Verdict:
    made: list[str] = seen.host["made"]
    if len(made) < 3:
        return not_made(seen, f"marks were made in {made}")
    both = [*found, *seen.host["all_found"]]
    says = f"marks in {len(made)} places and in the variables: "
    return Verdict(held=not both, happened=says + (f"found in {', '.join(sorted(set(both)))}" if both else "none found"))


def _fresh_user(seen: Seen, uid: int) -> Verdict:
    uids: list[int | None] = seen.host["uids"]
    fine = len({one for one in uids if one}) == 3
    return Verdict(held=fine, happened="users " + ", ".join(map(str, uids)) + ("" if fine else f": {uid} twice"))


async def _closed(stage: Stage) -> Seen:
    session = await stage.open()
    seen = await tell(session, stage.given, "subprocess.Popen(['sleep', '600'], start_new_session=True)\ntell(begun=True)")
    there, process = bool(stage.ground.about(session.opened.id)), _pid(stage, session)
    began = time.monotonic()
    await session.close()
    gone = await _until_gone(stage, session.opened.id, process)
    return Seen(
        given=stage.given, ran=seen.ran, told=seen.told, seconds=time.monotonic() - began, host={"there": there, "gone": gone}
    )


async def _killed(stage: Stage) -> Seen:
    """Another process opens a session, and dies without a word."""
    command, asked = stage.ground.client()
    client = await to_thread.run_sync(lambda: subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))  # noqa: S603
    said = b""
    try:
        assert client.stdin is not None  # noqa: S101 - asked for two lines above
        assert client.stdout is not None  # noqa: S101
        client.stdin.write(asked)
        client.stdin.close()
        said = await to_thread.run_sync(client.stdout.readline)
    finally:
        client.kill()
        await to_thread.run_sync(client.wait)
        if client.stdout is not None:
            client.stdout.close()
    began, name = time.monotonic(), said.decode().strip()
    there = said.startswith(b"open ")
    stage.ground.made(name.removeprefix("open "))
    gone = await _until_gone(stage, name.removeprefix("open "), 0) if there else False
    ran = CodeRan(code_id="client", exit_code=client.returncode)
    return Seen(given=stage.given, ran=ran, seconds=time.monotonic() - began, host={"there": there, "gone": gone})


def _pid(stage: Stage, session: SandboxSession) -> int:
    about: Mapping[str, Any] = stage.ground.about(session.opened.id)
    return int(about["State"]["Pid"]) if stage.host.process(about) else 0


async def _until_gone(stage: Stage, session: str, process: int) -> bool:
    end = time.monotonic() + GONE_SECONDS
    while time.monotonic() < end:
        about = await to_thread.run_sync(lambda: stage.ground.about(session))
        if not about and not (process and Path(f"/proc/{process}").exists()):
            return True
        await anyio.sleep(0.05)
    return False


def _left_nothing(seen: Seen) -> Verdict:
    if not seen.host["there"]:
        return not_made(seen, "the session was not there before")
    says = (
        f"container and processes gone after {seen.seconds:.1f} s"
        if seen.host["gone"]
        else f"still there after {seen.seconds:.0f} s"
    )
    return Verdict(held=bool(seen.host["gone"]), happened=says)


PROBES = (
    Probe(
        control="files out: regular only",
        tried="links, FIFO, socket, device, a giant, climbing names",
        act=_outputs,
        judge=needs("made", _only_files),
        room="life",
    ),
    Probe(
        control="files in: copies",
        tried="overwrite, remove and replace an input file",
        act=_input,
        judge=needs("now", _original),
        room="life",
    ),
    Probe(
        control="sessions: nothing passes over",
        tried="leave marks everywhere, look for them from a neighbour and from the next session",
        act=_leftovers,
        judge=needs("found", _nothing_left),
        room="life",
    ),
    Probe(
        control="sessions: a user of its own",
        tried="compare the users of three sessions",
        act=_leftovers,
        judge=needs("uid", _fresh_user),
        room="life",
    ),
    Probe(
        control="end: closed",
        tried="close a session with a daemon in it, and watch the engine",
        act=_closed,
        judge=_left_nothing,
        room="life",
    ),
    Probe(
        control="end: client killed",
        tried="kill -9 a process that holds a session, and watch the engine",
        act=_killed,
        judge=_left_nothing,
        room="life",
    ),
)
