"""Probes of what the code is given and what is kept of it: environment, descriptors, terminal, log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sandloop_sandbox.attack import lines, tell, with_host
from sandloop_sandbox.judging import both, needs, not_made, refused
from sandloop_sandbox.probe import Probe, Seen, Stage, Verdict

_ENVIRONMENT = """
found, read = [], 0
names = sorted(os.environ)
for path in [f'/proc/{pid}/{name}' for pid in filter(str.isdigit, os.listdir('/proc')) for name in ('environ', 'cmdline')]:
    try: text = open(path, 'rb').read(); read += 1
    except OSError: continue
    if given['secret'].encode() in text: found.append(path)
if any(given['secret'] in value for value in os.environ.values()): found.append('os.environ')
tell(read=read, found=found, names=names)
"""
_TERMINAL = """
for number in (0, 1, 2): tried.append([f'terminal {number}', 0 if os.isatty(number) else 25, ''])
attempt('terminal /dev/tty', os.open, '/dev/tty', os.O_RDWR)
tell(read=len(os.read(0, 1)))
"""
_INHERITED = """
listing = "import os; print(*sorted(int(n) for n in os.listdir('/proc/self/fd')))"
ran = subprocess.run([sys.executable, '-I', '-S', '-c', listing], capture_output=True, text=True, close_fds=False, stdin=0)
tell(numbers=[int(number) for number in ran.stdout.split()])
"""


def _not_there(seen: Seen, found: list[str]) -> Verdict:
    if not seen.told["read"]:
        return not_made(seen, "no environment could be read, not even its own")
    if seen.given["secret"] in str(seen.about.get("Config", {}).get("Env")):
        found = [*found, "the engine's record of the container"]
    if found:
        return Verdict(held=False, happened=f"our variable was found in {', '.join(found[:3])}")
    return Verdict(held=True, happened=f"not in {seen.told['read']} places; {len(seen.told['names'])} variables, all set by us")


def _three(seen: Seen, numbers: list[int]) -> Verdict:
    # The fourth is the folder that was read to list them.
    if not {0, 1, 2} <= set(numbers):
        return not_made(seen, f"a child saw {numbers}")
    more = [number for number in numbers if number > 3]
    return Verdict(held=not more, happened=f"a child has {more} too" if more else "a child has the three standard streams")


def _no_terminal(seen: Seen, read: int) -> Verdict:
    asked: Mapping[str, Any] = seen.about.get("Config", {})
    return Verdict(held=not read and not asked.get("Tty"), happened="no terminal, and nothing to read from standard input")


async def _log(stage: Stage) -> Seen:
    session = await stage.session()
    seen = await tell(session, stage.given, "print(given['secret'], flush=True)\ntell(said=True)")
    kept = stage.ground.log(session.opened.id)
    return with_host(seen, stage, session, found=stage.given["secret"].encode() in kept, kept=len(kept))


def _unlogged(seen: Seen, said: bool) -> Verdict:
    if seen.given["secret"] not in seen.ran.stdout:
        return not_made(seen, "nothing was printed")
    kind = seen.about.get("HostConfig", {}).get("LogConfig", {}).get("Type", "none")
    if seen.host["kept"] or kind != "none":
        return Verdict(held=False, happened=f"the engine keeps {seen.host['kept']:,} bytes in its log ({kind})")
    return Verdict(held=said, happened="the engine has no log of it")


PROBES = (
    Probe(
        control="environment: ours stays out",
        tried="look for a variable of ours in every process",
        act=lines(_ENVIRONMENT),
        judge=needs("found", _not_there),
    ),
    Probe(
        control="descriptors: none handed down",
        tried="start a child that keeps what it can",
        act=lines(_INHERITED),
        judge=needs("numbers", _three),
    ),
    Probe(
        control="no terminal",
        tried="open the terminal, read standard input",
        act=lines(_TERMINAL),
        judge=both(refused("terminal", least=4), needs("read", _no_terminal)),
    ),
    Probe(control="no log", tried="print a secret, and look for it in the engine's log", act=_log, judge=needs("said", _unlogged)),
)
