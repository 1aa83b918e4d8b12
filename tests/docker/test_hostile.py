"""Code that turns against its own next steps: what it closes, fills, takes or leaves running, and what the next step finds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import anyio
import pytest

from docker_runs import SMALL, Open, fetched, local_file, run, says
from sandloop.errors import BadFile
from sandloop.ports import SandboxSession

pytestmark = pytest.mark.alone

FORGE = r"""
import gc, inspect, os, subprocess, sys, threading, time
kernel = next(o for o in gc.get_objects() if type(o).__name__ == 'Kernel')
number = inspect.currentframe().f_code.co_filename.split()[1].rstrip('>')
def claim():
    body = '\0'.join(['n', number, 'exit', '0', 'name', '', 'value', '', 'trace', '']).encode()
    os.write(kernel._claims, b'A' + len(body).to_bytes(4, 'big') + body)
"""


async def test_a_process_whose_first_thread_has_ended_is_gone_after_the_step(session: SandboxSession) -> None:
    source = r"""
import ctypes, subprocess, sys, time
program = '''
import ctypes, threading, time
threading.Thread(target=time.sleep, args=(600,)).start()
ctypes.CDLL(None).pthread_exit(None)
'''
child = subprocess.Popen([sys.executable, '-c', program], start_new_session=True)
while ') Z' not in open(f'/proc/{child.pid}/stat').read(): time.sleep(0.01)
len(__import__('os').listdir(f'/proc/{child.pid}/task'))
"""
    assert await says(session, source) == "2"
    assert await says(session, "child.poll()") == "-9"


async def test_a_kernel_that_others_let_go_on_stands_still_between_steps(session: SandboxSession) -> None:
    source = r"""
import os, signal, subprocess, threading, time
def write():
    while True:
        with open('beat', 'w') as file: file.write(str(time.time_ns()))
threading.Thread(target=write, daemon=True).start()
loop = f'while :; do kill -CONT {os.getpid()}; done'
for _ in range(30): subprocess.Popen(['bash', '-c', loop], start_new_session=True)
time.sleep(0.3)
"""
    for _ in range(5):
        await says(session, source)
        assert await fetched(session, "beat") == await fetched(session, "beat")


async def test_no_timer_lets_a_kernel_go_on_between_steps(session: SandboxSession) -> None:
    source = r"""
import ctypes, signal, struct, threading, time
libc = ctypes.CDLL(None, use_errno=True)
timer, every = ctypes.c_void_p(), struct.pack('4q', 0, 10_000_000, 0, 10_000_000)
event = struct.pack('qii48x', 0, signal.SIGCONT, 0)
made = libc.timer_create(1, event, ctypes.byref(timer))
refused = ctypes.get_errno()
set = made or libc.timer_settime(timer, 0, every, None)
def write():
    while True:
        with open('beat', 'w') as file: file.write(str(time.time_ns()))
        time.sleep(0.001)
threading.Thread(target=write, daemon=True).start()
time.sleep(0.1)
made, refused
"""
    assert await says(session, source) == "(-1, 1)"
    before = await fetched(session, "beat")
    await anyio.sleep(0.1)
    assert await fetched(session, "beat") == before


async def test_a_kernel_that_can_not_be_held_is_not_kept(session: SandboxSession) -> None:
    source = """
def write():
    while True:
        with open('beat', 'w') as file: file.write(str(time.time_ns()))
def later():
    time.sleep(0.1)
    claim()
for work in (write, later): threading.Thread(target=work).start()
import ctypes
ctypes.CDLL(None).pthread_exit(None)
"""
    await run(session, FORGE + source)
    assert await fetched(session, "beat") == await fetched(session, "beat")
    ran = await run(session, "1 + 1")

    assert (ran.stdout, ran.state) == ("2\n", "lost")


@pytest.mark.parametrize(
    "source",
    [
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(600,), daemon=True).start()",
        "import os\nwhile True:\n    if os.fork() == 0: os._exit(0)",
    ],
)
async def test_a_kernel_that_holds_every_process_gives_way_to_the_next_script(session: SandboxSession, source: str) -> None:
    await run(session, source)
    ran = await run(session, "echo here", "bash")

    # Where many children died with the step, the kernel has taken note of them all and may stay.
    assert (ran.stdout, ran.exit_code) == ("here\n", 0)
    assert await says(session, "1 + 1") == "2"


async def test_a_zygote_killed_while_no_process_is_free_is_started_later(session: SandboxSession) -> None:
    await says(session, "import pandas")
    source = """
import os, time
def fill():
    while True:
        try:
            if os.fork() == 0: time.sleep(600)
        except OSError: pass
for _ in range(4):
    if os.fork() == 0: fill()
time.sleep(0.3)
for name in filter(str.isdigit, os.listdir('/proc')):
    if name != '1' and not os.access(f'/proc/{name}/environ', os.R_OK): os.kill(int(name), 9)
time.sleep(0.3)
"""
    assert (await run(session, source)).state == "kept"
    assert (await run(session, "os._exit(1)")).state == "lost"
    assert await says(session, "import pandas; 1 + 1") == "2"


async def test_a_working_folder_that_was_closed_is_open_again_for_the_next_step(session: SandboxSession, tmp_path: Path) -> None:
    await says(session, "import os; open('made.txt', 'w').write('made'); os.chmod('/workspace', 0)")
    (tmp_path / "in.csv").write_text("a\n1\n")

    assert [file.name for file in (await session.files()).files] == ["made.txt"]
    await session.put([local_file(tmp_path / "in.csv")])
    assert (await run(session, "os.chmod('/workspace', 0); os._exit(3)")).exit_code == 3
    assert await says(session, "print(open('made.txt').read(), open('in.csv').read())") == "made a\n1"


async def test_a_file_for_a_folder_without_room_is_refused_and_can_come_later(session: SandboxSession, tmp_path: Path) -> None:
    ran = await run(session, "import os, pathlib\nfor i in range(30_000): pathlib.Path(f'{i}').touch()")
    assert ran.stopped_by == "disk"
    (tmp_path / "in.csv").write_text("a\n1\n")

    with pytest.raises(BadFile, match="No space left"):
        await session.put([local_file(tmp_path / "in.csv")])
    await says(session, "os.remove('7')")
    await session.put([local_file(tmp_path / "in.csv")])
    assert await says(session, "print(open('in.csv').read())") == "a\n1"


async def test_a_file_that_has_gone_is_refused_and_the_session_goes_on(session: SandboxSession, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("a\n1\n")
    file = local_file(tmp_path / "in.csv")
    (tmp_path / "in.csv").unlink()

    with pytest.raises(BadFile, match="can't be read any more"):
        await session.put([file])
    assert await says(session, "1 + 1") == "2"


async def test_a_stream_made_non_blocking_prints_everything_in_the_next_step(session: SandboxSession) -> None:
    await says(session, "import os; os.set_blocking(1, False)")
    ran = await run(session, "for _ in range(400): print('x' * 9_999)")

    assert ran.ok
    assert len(ran.stdout.split("\n[")[0]) + ran.stdout_cut + len(ran.stdout.split("left out]\n")[1]) == 4_000_000


async def test_flags_set_on_the_kernels_own_lines_do_not_outlive_it(session: SandboxSession) -> None:
    source = """
import fcntl, os
for number in range(1000, 1004): fcntl.fcntl(number, fcntl.F_SETFL, os.O_NONBLOCK)
"""
    await run(session, source)
    for _ in range(3):  # the kernel that did it may die at its next cell, or at the one after
        await run(session, "1")
    assert [await says(session, f"{number}") for number in range(3)] == ["0", "1", "2"]
    assert (await run(session, "1")).state == "kept"


async def test_a_kernel_that_fills_its_own_line_is_replaced(session: SandboxSession) -> None:
    source = """
line = os.open(f'/proc/self/fd/{kernel._cells}', os.O_WRONLY | os.O_NONBLOCK)
for _ in range(20): subprocess.Popen(['sleep', '600'])
try:
    while True: os.write(line, bytes(4096))
except BlockingIOError: pass
claim()
while True: time.sleep(1)
"""
    await run(session, FORGE + source)

    assert (await run(session, "print('next')")).stdout == "next\n"


@pytest.mark.parametrize(
    "source",
    [
        "import sys; del sys.stdout, sys.__stdout__",
        "import sys\nclass Tee:\n    def write(self, text): return len(text)\n    def flush(self): 1 / 0\nsys.stdout = Tee()",
        "class Code:\n    def __str__(self): 1 / 0\nraise SystemExit(Code())",
        "import sys; sys.stderr.close(); sys.exit('a message')",
        "class Text(str):\n    def __getitem__(self, at): 1 / 0\n    __str__ = replace = encode = __getitem__\n"
        "class Bad(Exception):\n    def __str__(self): return Text('abc')\nraise Bad()",
        "class Meta(type):\n    @property\n    def __name__(cls): 1 / 0\nclass Bad(Exception, metaclass=Meta): pass\nraise Bad()",
    ],
)
async def test_what_a_cell_puts_in_place_of_streams_and_texts_costs_no_state(shared: SandboxSession, source: str) -> None:
    await says(shared, "kept = 1")
    assert (await run(shared, source)).state == "kept"

    assert await says(shared, "kept") == "1"


async def test_a_script_may_use_the_low_descriptors_for_itself(session: SandboxSession) -> None:
    await says(session, "exec 9>lock; flock 9; export KEPT=1; cd /tmp", "bash")

    assert await says(session, "echo $KEPT $PWD; cat /workspace/lock", "bash") == "1 /tmp"


async def test_the_supervisors_priority_and_limits_are_out_of_reach(shared: SandboxSession) -> None:
    source = """
import os, resource
came = []
for call, *given in (
    (os.setpriority, os.PRIO_PROCESS, 1, 19), (os.setpriority, os.PRIO_USER, 0, 19), (os.setpriority, os.PRIO_PGRP, 1, 19),
    (resource.prlimit, 1, resource.RLIMIT_NOFILE, (3, 3)), (resource.prlimit, 1 << 32 | 1, resource.RLIMIT_CPU, (1, 1)),
):
    try: call(*given); came.append((call.__name__, given))
    except (OSError, OverflowError): pass
os.nice(1), resource.setrlimit(resource.RLIMIT_CORE, (0, 0)), resource.getrlimit(resource.RLIMIT_NOFILE)[1], came
"""
    assert await says(shared, source) == "(1, None, 4096, [])"


async def test_a_flood_of_state_does_not_keep_a_script_from_its_end(open_session: Open) -> None:
    session = await open_session(replace(SMALL, step_seconds=1))
    ran = await run(session, "for i in 1 2 3 4; do yes >&97 & done; sleep 60", "bash")

    assert ran.stopped_by == "time"
    assert await says(session, "echo here", "bash") == "here"
