"""What is bounded here in another way than by control groups, and what is said of the rest."""

from __future__ import annotations

from dataclasses import replace

from docker_runs import SMALL, Open, run, says
from sandloop.ports import SandboxSession
from sandloop_sandbox.bubblewrap_policy import NOT_LIMITED


async def test_what_is_not_bounded_is_said_before_the_first_step(session: SandboxSession) -> None:
    assert session.opened.sandbox == "bubblewrap"
    assert session.opened.engine.startswith("bubblewrap ")
    assert session.opened.not_limited[: len(NOT_LIMITED)] == NOT_LIMITED


async def test_a_process_that_takes_too_much_memory_gets_an_error_and_the_session_goes_on(session: SandboxSession) -> None:
    await says(session, "kept = 1")
    ran = await run(session, "hold = []\nwhile True: hold.append(bytearray(10_000_000))")

    assert ran.error is not None
    assert (ran.error.name, ran.state) == ("MemoryError", "kept")
    held = int(await says(session, "taken = len(hold); hold = None; taken"))
    assert held * 10_000_000 < SMALL.memory + 200_000_000
    assert await says(session, "kept") == "1"


async def test_a_fork_bomb_stops_at_the_number_of_processes(open_session: Open) -> None:
    session = await open_session(replace(SMALL, step_seconds=3))
    await says(session, "kept = 1")
    source = """
import os, time
children = 0
try:
    while True:
        if os.fork() == 0: time.sleep(60); os._exit(0)
        children += 1
except OSError as error:
    print(children < 100, error.errno)
"""
    assert await says(session, source) == "True 11"
    assert await says(session, "kept") == "1"
    await run(session, "bomb() { bomb | bomb & }; bomb; wait; sleep 60", "bash")
    assert await says(session, "kept") == "1"


async def test_too_many_threads_are_refused(session: SandboxSession) -> None:
    source = "import threading, time\nfor _ in range(500): threading.Thread(target=time.sleep, args=(30,), daemon=True).start()"
    ran = await run(session, source)

    assert ran.error is not None
    assert ran.error.name == "RuntimeError"


async def test_two_sandboxes_do_not_count_each_others_processes(open_session: Open) -> None:
    first, second = await open_session(SMALL), await open_session(SMALL)
    source = "import subprocess\nmany = [subprocess.Popen(['sleep', '1']) for _ in range(40)]\nlen([p.wait() for p in many])"

    assert await says(first, source) == "40"
    assert await says(second, source) == "40"


async def test_no_process_can_raise_its_own_limits(session: SandboxSession) -> None:
    source = """
import resource
raised = []
for name in ('NOFILE', 'CORE', 'FSIZE', 'DATA', 'NPROC'):
    hard = resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[1]
    try: resource.setrlimit(getattr(resource, 'RLIMIT_' + name), (hard + 1, hard + 1)); raised.append(name)
    except (ValueError, OSError): pass
raised
"""
    assert await says(session, source) == "[]"
