"""Lines that attack, run as a cell of a real session, and what they tell of their attempts."""

from __future__ import annotations

import itertools
import json
import time
from dataclasses import replace
from typing import Any, Literal

from sandloop.ports import SandboxSession
from sandloop_sandbox.probe import Act, Given, Seen, Stage

PRELUDE = """
import ctypes, json, os, socket, subprocess, sys, time
tried = []
def attempt(what, call, *arguments):
    # Notes that it was made, and the error number: 0 when it came through.
    try: got = call(*arguments)
    except OSError as error: tried.append([what, error.errno or -1, '']); return None
    except ValueError: tried.append([what, 1, '']); return None   # resource.setrlimit says it so
    tried.append([what, 0, repr(got)[:100]])
    return got
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *arguments):
    ctypes.set_errno(0)
    got = libc.syscall(ctypes.c_long(number), *[a if isinstance(a, (bytes, ctypes.Array)) else ctypes.c_long(a) for a in arguments])
    if got == -1: raise OSError(ctypes.get_errno(), 'refused')
    return got
def tell(**more):
    print('\\nTOLD ' + json.dumps({'tried': tried, **more}), flush=True)
"""
_numbers = itertools.count(1)


async def tell(session: SandboxSession, given: Given, lines: str, language: Literal["python", "bash"] = "python") -> Seen:
    """Run lines in a session, and hear what they tell."""
    head = f"{PRELUDE}given = json.loads({json.dumps(dict(given))!r})\n" if language == "python" else ""
    began = time.monotonic()
    ran = await session.run(f"probe-{next(_numbers)}", head + lines, language, lambda stream, text: None)
    return Seen(given=given, ran=ran, told=told(ran.stdout), seconds=time.monotonic() - began)


def told(stdout: str) -> dict[str, Any]:
    """The last thing that lines told; empty when they told nothing that can be read."""
    for line in reversed(stdout.splitlines()):
        if line.startswith("TOLD "):
            try:
                found = json.loads(line.removeprefix("TOLD "))
            except ValueError:
                return {}
            return found if isinstance(found, dict) else {}  # pyright: ignore[reportUnknownVariableType]
    return {}


def lines(source: str) -> Act:
    """An attack of one cell in the shared session."""

    async def act(stage: Stage) -> Seen:
        session = await stage.session()
        seen = await tell(session, stage.given, source)
        return with_host(seen, stage, session)

    return act


def with_host(seen: Seen, stage: Stage, session: SandboxSession, **more: Any) -> Seen:
    """The same, with what this machine and its engine say."""
    about = stage.ground.about(session.opened.id)
    host = {**stage.host.seen(), "process": stage.host.process(about), **more}
    return replace(seen, host=host, about=about)
