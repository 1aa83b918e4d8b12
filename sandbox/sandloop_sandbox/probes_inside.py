"""Probes of the boundary inside: the code against the supervisor, the helpers, the line to us, and what they know."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sandloop.errors import SandboxError
from sandloop.events import CodeRan, InputFile
from sandloop.ports import LocalFile
from sandloop_sandbox.attack import tell, with_host
from sandloop_sandbox.judging import attempts, needs, not_made, refused
from sandloop_sandbox.probe import Probe, Seen, Stage, Verdict

_SIGNALS = """
import signal
sent = 0
for number in sorted(signal.valid_signals()):
    try: os.kill(1, number); sent += 1
    except OSError as error: tried.append(['signal', error.errno, ''])
time.sleep(0.2)
tell(sent=sent)
"""
_LOOK = """
def look(pid):
    for name in ['environ', 'mem', 'maps', 'fd/0', 'fd/1', 'root/etc', 'cwd', 'exe', 'auxv', 'stack', 'syscall', f'task/{pid}/mem']:
        for mode in (os.O_RDONLY, os.O_WRONLY):
            def open_():
                one = os.open(f'/proc/{pid}/{name}', mode | os.O_NONBLOCK)
                if mode == os.O_RDONLY and not name.startswith('fd/'): os.read(one, 10)
            attempt(f'{pid} {name}', open_)
    for name in ('fd', 'fdinfo', 'map_files', 'root'): attempt(f'{pid} {name}', os.listdir, f'/proc/{pid}/{name}')
import numpy   # so that the helper has begun its work
helpers = []
for pid in filter(str.isdigit, os.listdir('/proc')):
    try: parent = open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[1]
    except OSError: continue
    if int(pid) not in (1, os.getpid()) and parent in ('0', '1'): helpers.append(pid)
look('1')
for pid in helpers: look(pid)
tell(helpers=helpers)
"""
_FORGE = """
def record(**fields):
    body = '\\0'.join(text for pair in fields.items() for text in pair).encode()
    return b'A' + len(body).to_bytes(4, 'big') + body
answer = record(op='run', n=str(given['answer']), exit='0', stopped='itself', state='kept', seconds='0', out='0', err='0',
                name='', value='', trace='')
def write(pid):
    opened = 0
    for number in range(0, 64):
        try: one = os.open(f'/proc/{pid}/fd/{number}', os.O_WRONLY | os.O_NONBLOCK)
        except OSError: continue
        opened += 1
        try: os.write(one, answer)
        except OSError: pass
    return opened
opened = write(1)
# Told now: the supervisor ends this as soon as it reads a claim that our own program never makes.
tell(opened=opened)
for pid in filter(str.isdigit, os.listdir('/proc')):
    if pid != '1': write(pid)
for number in range(3, 1100):
    try: os.write(number, answer)
    except OSError: pass
raise SystemExit(7)
"""
_PLANT = """
planted = []
text = "open('/workspace/ran-' + str(__import__('os').getpid()), 'w').close()\\n"
for place in ('/workspace', '/tmp', '/tmp/.local/lib/python3.11/site-packages'):
    os.makedirs(place, exist_ok=True)
    for name in ('sitecustomize.py', 'usercustomize.py', 'json.py', 'csv.py', 'frames.py', 'pandas.py'):
        with open(f'{place}/{name}', 'w') as file: file.write(text)
        planted.append(name)
os.makedirs('/workspace/bin', exist_ok=True)
for name in ('python3', 'bash', 'tar'):
    with open(f'/workspace/bin/{name}', 'w') as file: file.write('#!/bin/sh\\ntouch /workspace/ran-$$\\n')
    os.chmod(f'/workspace/bin/{name}', 0o755)
os.environ['PATH'] = '/workspace/bin'; os.environ['PYTHONPATH'] = os.environ['PYTHONSTARTUP'] = '/workspace'
for pid in filter(str.isdigit, os.listdir('/proc')):
    # Our helper is started anew, with all this in place.
    if int(pid) not in (1, os.getpid()): os.kill(int(pid), 9)
tell(planted=len(planted))
os._exit(1)
"""
_CLEAN_UP = """
ran = [name for name in os.listdir('/workspace') if name.startswith('ran-')]
import shutil
for place in ('/workspace', '/tmp'):
    for name in os.listdir(place):
        path = f'{place}/{name}'
        if os.path.isdir(path) and not os.path.islink(path): shutil.rmtree(path)
        else: os.remove(path)
tell(ran=ran)
"""


async def _signals(stage: Stage) -> Seen:
    """The oracle is that the supervisor answers afterwards."""
    session = await stage.session()
    await tell(session, stage.given, "kept = 1\ntell()")
    first = await tell(session, stage.given, _SIGNALS)
    after = await tell(session, stage.given, "tell(kept='kept' in globals())")
    return with_host(first, stage, session, kept=after.told.get("kept"))


def _unmoved(seen: Seen, sent: int) -> Verdict:
    made = sent + len(attempts(seen, "signal"))
    if made < 60:
        return not_made(seen, f"{made} signals were sent")
    if seen.host["kept"] is not True:
        return Verdict(held=False, happened="it did not go on after the signals")
    return Verdict(held=True, happened=f"{made} signals sent; it answers, and the variables are there")


def _hidden(pid: str) -> Any:
    def judge(seen: Seen, helpers: list[str]) -> Verdict:
        if pid == "1":
            return refused("1 ", least=28)(seen)
        if not helpers:
            return not_made(seen, "no helper was found")
        verdicts = [refused(f"{helper} ", least=28)(seen) for helper in helpers]
        return next((one for one in verdicts if not one.held), verdicts[0])

    return needs("helpers", judge)


async def look(stage: Stage) -> Seen:
    """In a session whose first step asks for the libraries: else there may be no helper yet."""
    session = await stage.open()
    return with_host(await tell(session, stage.given, _LOOK), stage, session)


async def _forge(stage: Stage) -> Seen:
    session = await stage.session()
    # For the step after this one: of its own cell the code may say what it likes. A session counts what it is asked, from 1.
    number = int(getattr(session, "_number", 0)) + 2
    try:
        seen = await tell(session, {**stage.given, "answer": number}, _FORGE)
        after = await tell(session, stage.given, "tell(well=True)")
    except SandboxError as error:
        lost = CodeRan(code_id="lost", exit_code=None, stderr=str(error))
        return Seen(given=stage.given, ran=lost, host={"lost": str(error)})
    return with_host(seen, stage, session, after=after.told.get("well"))


def _not_believed(seen: Seen) -> Verdict:
    if "lost" in seen.host:
        return Verdict(held=False, happened=f"it reached our line: {seen.host['lost']}")
    if "opened" not in seen.told or (seen.ran.state != "lost" and "stopped" not in seen.ran.stdout):
        return not_made(seen, "no forged answer was written anywhere")
    if seen.told["opened"] or not seen.host["after"]:
        says = f"{seen.told['opened']} lines of PID 1 could be opened; the next step " + (
            "ran" if seen.host["after"] else "did not run"
        )
        return Verdict(held=False, happened=says)
    return Verdict(
        held=True, happened=f"none reached us (exit {seen.ran.exit_code}, variables {seen.ran.state}); the next step ran itself"
    )


async def _plant(stage: Stage) -> Seen:
    session = await stage.open()
    table = Path(stage.host.folder) / "table.csv"
    table.write_text("a,b\n1,2\n")
    file = InputFile(name=table.name, size=8, mime="text/csv", sha256="")
    await session.put([LocalFile(file=file, path=table)])
    first = await tell(session, stage.given, _PLANT)
    preview = await session.preview(table.name)
    # The program that runs our cells, started anew; the one of the first cell may read what lies in its folder, this is the code's.
    listed = await session.files()
    ran = [found.name for found in listed.files if found.name.startswith("ran-")]
    return with_host(first, stage, session, preview=preview, ran=ran)


def _unplanted(seen: Seen, planted: int) -> Verdict:
    if "no preview" in seen.host["preview"] or not seen.host["preview"]:
        return Verdict(held=False, happened=f"our program failed after {planted} files were planted")
    if seen.host["ran"]:
        return Verdict(held=False, happened=f"planted code ran in {len(seen.host['ran'])} of our programs")
    return Verdict(held=True, happened=f"{planted} files planted, none was run by our programs")


PROBES = (
    Probe(
        control="supervisor: signals", tried="send every signal to PID 1", act=_signals, judge=needs("sent", _unmoved), room="rough"
    ),
    Probe(
        control="supervisor: out of sight",
        tried="open the memory, descriptors, environment and files of PID 1",
        act=look,
        judge=_hidden("1"),
    ),
    Probe(
        control="helpers: out of sight",
        tried="open the memory, descriptors and environment of our other programs",
        act=look,
        judge=_hidden("others"),
    ),
    Probe(
        control="helpers: planted programs",
        tried="leave modules and programs with the names that our programs load",
        act=_plant,
        judge=needs("planted", _unplanted),
        room="life",
    ),
    Probe(
        control="protocol: forged answers",
        tried="write an answer of the supervisor into every descriptor of every process",
        act=_forge,
        judge=_not_believed,
        room="rough",
    ),
)
