"""Code and our own processes: not signalled, not stopped, not looked into, not written to."""

from __future__ import annotations

from typing import cast

import pytest

from docker_runs import SMALL, Open, run, says, value
from sandloop.ports import SandboxSession

pytestmark = pytest.mark.alone


async def test_pid_1_ignores_every_signal_from_inside(shared: SandboxSession) -> None:
    await says(shared, "kept = 1")
    source = """
import os, signal, time
for number in signal.valid_signals():
    os.kill(1, number)
time.sleep(0.2)
"""
    assert (await run(shared, source)).ok
    # And all at once, the cell's own process among them.
    assert (
        await run(shared, "import os, signal\ntry: os.kill(-1, signal.SIGTSTP)\nfinally: os.kill(os.getpid(), signal.SIGKILL)")
    ).state == "lost"
    assert await says(shared, "1 + 1") == "2"


@pytest.mark.parametrize("who", ["1", "zygote"])
async def test_our_processes_cant_be_looked_into(shared: SandboxSession, who: str) -> None:
    await run(shared, "import os; os._exit(1)")
    await says(shared, "import pandas")  # by a kernel of the zygote
    source = f"""
import os
pids = ['1'] if {who!r} == '1' else [n for n in os.listdir('/proc') if n.isdigit() and int(n) not in (1, os.getpid())]
got = []
for pid in pids:
    for name in ('environ mem maps fd/0 fd/1 root/etc cwd exe auxv stack syscall task/' + pid + '/mem').split():
        for flags in (os.O_RDONLY, os.O_WRONLY):
            try: got.append((name, os.read(os.open(f'/proc/{{pid}}/{{name}}', flags), 10)))
            except OSError: pass
    for name in ('fd', 'fdinfo', 'map_files', 'root'):
        try: got.append(os.listdir(f'/proc/{{pid}}/{{name}}'))
        except OSError: pass
(len(pids), got)
"""
    assert await value(shared, source) == (1, [])


async def test_no_process_but_itself_can_name_pid_1(shared: SandboxSession) -> None:
    source = """
import os
before, came = open('/proc/1/comm').read(), []
for path in ('/proc/1/comm', '/proc/1/task/1/comm'):
    try: came.append(os.write(os.open(path, os.O_WRONLY), b'sandloop-ready'))
    except OSError: pass
(came, open('/proc/1/comm').read() == before)
"""
    assert await value(shared, source) == ([], True)


async def test_the_code_holds_no_descriptors_of_ours_but_its_own_lines(shared: SandboxSession) -> None:
    source = """
import os
folder = os.open('/proc/self/fd', os.O_RDONLY)
sorted(int(n) for n in os.listdir(folder) if 2 < int(n) != folder)
"""
    numbers = cast("list[int]", await value(shared, source))
    # Its cells, its claims and its two streams, kept out of the way; 3 is a copy of the folder that is being listed.
    assert [number for number in numbers if number > 10] == [1000, 1001, 1002, 1003]
    assert [number for number in numbers if number <= 10] in ([], [3], [4])
    children = (
        "import subprocess; subprocess.run(['ls', '/proc/self/fd'], close_fds=False, capture_output=True, text=True).stdout.split()"
    )
    assert await value(shared, children) == ["0", "1", "2", "3"]


async def test_signals_sent_by_other_ways_than_kill_do_not_reach_pid_1(shared: SandboxSession) -> None:
    source = """
import ctypes, os, signal, struct, time
libc = ctypes.CDLL(None, use_errno=True)
info = (ctypes.c_char * 128)()
for number in range(1, 65):
    info[0:12] = struct.pack('iii', number, 0, -1)
    try: signal.pidfd_send_signal(os.pidfd_open(1), number)
    except OSError: pass
    for call, *given in ((200, 1, number), (234, 1, 1, number), (129, 1, number, info), (297, 1, 1, number, info)):
        libc.syscall(call, *given)
time.sleep(0.2)
"""
    await run(shared, source)
    assert await says(shared, "1 + 1") == "2"


async def test_a_stopped_zygote_and_a_kernel_that_stops_itself_cost_time_only(open_session: Open) -> None:
    session = await open_session(SMALL)
    await says(session, "import pandas")
    source = """
import os, signal
for name in filter(str.isdigit, os.listdir('/proc')):
    if int(name) not in (1, os.getpid()): os.kill(int(name), signal.SIGSTOP)
"""
    await says(session, source)
    assert (await run(session, "os._exit(1)")).state == "lost"
    assert await says(session, "import pandas; 1 + 1") == "2"


async def test_zygotes_killed_again_and_again_leave_every_step_working(open_session: Open) -> None:
    session = await open_session(SMALL)
    source = """
import os, signal, time
end = time.monotonic() + 1
while time.monotonic() < end:
    for name in filter(str.isdigit, os.listdir('/proc')):
        try:
            if int(name) not in (1, os.getpid()): os.kill(int(name), signal.SIGKILL)
        except ProcessLookupError: pass
os._exit(3)
"""
    for _ in range(3):
        assert (await run(session, source)).exit_code == 3
    assert await says(session, "import numpy; int(numpy.arange(3).sum())") == "3"


async def test_our_programs_in_memory_of_the_code_hold_no_secret(shared: SandboxSession) -> None:
    # The kernel was forked from the zygote and is the code's own: whatever it finds there must be no key to anything.
    source = """
import os
found = []
for pid in filter(str.isdigit, os.listdir('/proc')):
    for line in open(f'/proc/{pid}/cmdline', 'rb').read().split(b'\\0'):
        if b'secret' in line.lower() or b'token' in line.lower(): found.append(line)
found
"""
    assert await value(shared, source) == []


async def test_threads_of_a_step_do_not_outlive_a_kill(open_session: Open) -> None:
    session = await open_session(SMALL)
    source = """
import os, threading, time
def fork_on():
    while True:
        if os.fork() == 0:
            os.setsid()
            time.sleep(0.001)
try:
    for _ in range(4): threading.Thread(target=fork_on, daemon=True).start()
    time.sleep(0.5)
finally:
    os._exit(9)
"""
    assert (await run(session, source)).exit_code == 9
    assert await says(session, "import os; sum(name.isdigit() for name in os.listdir('/proc'))") in ("2", "3")
