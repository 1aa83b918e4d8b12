"""Probes of time and output: what has no end, what ignores its end, what outlives it."""

from __future__ import annotations

import time
from dataclasses import replace

import anyio

from sandloop.errors import SandboxError
from sandloop.events import CodeRan
from sandloop_sandbox.attack import tell, with_host
from sandloop_sandbox.judging import both, not_made
from sandloop_sandbox.probe import PROOF_LIMITS, Judge, Probe, Seen, Stage, Verdict

_FLOOD = """
tell(begun=True)
block = 'x' * 65_536
while True: print(block, flush=True)
"""
_LOOP = "tell(begun=True)\nwhile True: pass"
_DEAF = """
import signal
for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT): signal.signal(number, signal.SIG_IGN)
signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))
tell(begun=True)
while True: pass
"""
_STILL = """
import signal
tell(begun=True)
while True: os.kill(os.getpid(), signal.SIGSTOP)
"""
_DAEMONS = """
reader, writer = os.pipe()
for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writer, b'.')
            while True:
                with open('/workspace/beat', 'a') as file: file.write('.')
                time.sleep(0.001)
        os._exit(0)
began = 0
while began < 3: began += len(os.read(reader, 3))
while not os.path.exists('/workspace/beat'): time.sleep(0.01)
tell(begun=began)
"""
_AFTER = """
before, end = os.path.getsize('/workspace/beat'), time.monotonic() + 0.6
while os.path.getsize('/workspace/beat') == before and time.monotonic() < end: time.sleep(0.01)
tell(beats=os.path.getsize('/workspace/beat') - before)
"""
_SESSION_SECONDS = 3.0
_STEP_SECONDS = (1.0, 4.0, 12.0)
_LATE_SECONDS = 6.0
"""One of them is the grace after the interrupt, the rest is for a busy machine; the clock is ours, from asking to answer."""


def _stopped(by: str, *, state: str | None = None) -> Judge:
    """Held when it was begun, stopped for that reason, and back in time by our own clock."""

    def judge(seen: Seen) -> Verdict:
        if not seen.told.get("begun"):
            return not_made(seen, "it was never begun")
        says = f"stopped by {seen.ran.stopped_by} after {seen.seconds:.1f} s by our clock, variables {seen.ran.state}"
        in_time = seen.seconds < seen.host.get("limit", PROOF_LIMITS.step_seconds) + _LATE_SECONDS
        return Verdict(held=seen.ran.stopped_by == by and in_time and state in (None, seen.ran.state), happened=says)

    return judge


def _gone(seen: Seen) -> Verdict:
    if seen.host["begun"] != 3 or "beats" not in seen.told:
        return not_made(seen, "the daemons were not begun")
    return Verdict(
        held=not seen.told["beats"],
        happened="they went on in the next step" if seen.told["beats"] else "none was left in the next step",
    )


def _light(seen: Seen) -> Verdict:
    grown, kept = seen.host["memory"] - seen.host["memory_before"], len(seen.ran.stdout) + len(seen.ran.stderr)
    fine = grown < 64_000_000 and kept <= 2 * PROOF_LIMITS.output_kept + 200
    return Verdict(held=fine, happened=f"{kept:,} characters kept, our own memory grew by {grown // 10**6} MB")


async def _flood(stage: Stage) -> Seen:
    session = await stage.open(replace(PROOF_LIMITS, step_seconds=8))
    before = stage.host.seen()["memory"]
    return with_host(await tell(session, stage.given, _FLOOD), stage, session, memory_before=before)


async def _daemons(stage: Stage) -> Seen:
    session = await stage.session()
    first = await tell(session, stage.given, _DAEMONS)
    return with_host(await tell(session, stage.given, _AFTER), stage, session, begun=first.told.get("begun"))


async def _loop(stage: Stage) -> Seen:
    return await _timed(stage, _LOOP)


async def _deaf(stage: Stage) -> Seen:
    return await _timed(stage, _DEAF)


async def _still(stage: Stage) -> Seen:
    return await _timed(stage, _STILL)


async def _timed(stage: Stage, source: str) -> Seen:
    """A machine that is very busy may interrupt the lines before they have begun: then once more, with more time."""
    seen = Seen(given=stage.given, ran=CodeRan(code_id="none", exit_code=None))
    for seconds in _STEP_SECONDS:
        session = await stage.open(replace(PROOF_LIMITS, step_seconds=seconds))
        await tell(session, stage.given, "tell()")  # the interpreter is there: what follows is the step's own time
        seen = with_host(await tell(session, stage.given, source), stage, session, limit=seconds)
        if seen.told.get("begun"):
            break
    return seen


async def _outlived(stage: Stage) -> Seen:
    """Nobody hangs up: the session has to end by itself."""
    seconds = _SESSION_SECONDS
    session = await stage.open(replace(PROOF_LIMITS, session_seconds=seconds))
    began = time.monotonic()
    there = bool(stage.ground.about(session.opened.id))
    while time.monotonic() < began + seconds + _LATE_SECONDS:
        if not stage.ground.about(session.opened.id):
            break
        await anyio.sleep(0.1)
    took = time.monotonic() - began
    said = ""
    try:
        await tell(session, stage.given, "tell()")
    except SandboxError as error:
        said = str(error)
    host = {"there": there, "gone": not stage.ground.about(session.opened.id), "said": said}
    return Seen(given=stage.given, ran=CodeRan(code_id="none", exit_code=None), seconds=took, host=host)


def _ended(seen: Seen) -> Verdict:
    if not seen.host["there"]:
        return not_made(seen, "the engine did not know the container")
    fine = bool(seen.host["gone"] and seen.host["said"])
    return Verdict(held=fine, happened=f"gone after {seen.seconds:.1f} s" if fine else f"still there after {seen.seconds:.1f} s")


PROBES = (
    Probe(
        control="output: flood",
        tried="print without end",
        act=_flood,
        judge=both(_stopped("output"), _light),
        room="rough",
    ),
    Probe(
        control="time: busy loop",
        tried="compute without end",
        act=_loop,
        judge=_stopped("time"),
        room="clock",
    ),
    Probe(
        control="time: ignored signals",
        tried="ignore and block every signal, and compute without end",
        act=_deaf,
        judge=_stopped("time", state="lost"),
        room="clock",
    ),
    Probe(
        control="time: stopped processes",
        tried="stop oneself, and again when let go on",
        act=_still,
        judge=_stopped("time"),
        room="clock",
    ),
    Probe(control="time: daemons", tried="leave three daemons with sessions of their own", act=_daemons, judge=_gone, room="rough"),
    Probe(
        control="time: whole session",
        tried="stay when the session's time, 3 seconds, is over",
        act=_outlived,
        judge=_ended,
        room="life",
    ),
)
