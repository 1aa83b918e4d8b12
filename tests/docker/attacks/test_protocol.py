"""What the code says about itself, and to the host: forged claims, hostile reprs, patched kernels."""

from __future__ import annotations

from dataclasses import replace

import pytest

from docker_runs import SMALL, Live, Open, run, says, value
from sandloop.ports import SandboxSession

pytestmark = pytest.mark.alone


async def test_frames_forged_on_every_descriptor_pass_for_no_success(session: SandboxSession) -> None:
    await says(session, "kept = 1")
    source = """
import os
fields = dict(op='run', n='999', exit='0', stopped='itself', state='kept', seconds='0', out='0', err='0')
fields |= dict(name='', value='', trace='')
body = '\\0'.join(text for pair in fields.items() for text in pair).encode()
forged = b'A' + len(body).to_bytes(4, 'big') + body
written = 0
for pid in filter(str.isdigit, os.listdir('/proc')):
    for number in range(0, 1100):
        try:
            fd = os.open(f'/proc/{pid}/fd/{number}', os.O_WRONLY | os.O_NONBLOCK)
            written += os.write(fd, forged) > 0
        except OSError: pass
for number in range(3, 1100):
    try: written += os.write(number, forged) > 0
    except OSError: pass
print(written)
raise SystemExit(7)
"""
    ran = await run(session, source)

    # It reaches its own line only. What it forges there is no claim of this cell, so its kernel is not believed any more.
    assert (ran.exit_code, ran.state) == (137, "lost")
    assert await says(session, "1 + 1") == "2"


async def test_a_cell_that_lies_about_its_own_end_gets_no_other_cell_passed(open_session: Open) -> None:
    session = await open_session(replace(SMALL, step_seconds=1.5))
    source = """
import gc, os
kernel = next(o for o in gc.get_objects() if type(o).__name__ == 'Kernel')
body = '\\0'.join(['n', '1', 'exit', '0', 'name', '', 'value', '', 'trace', '']).encode()
os.write(kernel._claims, b'A' + len(body).to_bytes(4, 'big') + body)
while True: pass
"""
    assert (await run(session, source)).exit_code == 0  # as `sys.exit(0)` would have said
    ran = await run(session, "print('the next')")

    # The interrupt may have let its kernel begin with the next cell, for the moment until it was killed.
    assert (ran.stopped_by, ran.state) == ("time", "lost")
    assert await says(session, "1 + 1") == "2"


@pytest.mark.parametrize(
    "payload",
    [
        "b'A' + (10**9).to_bytes(4, 'big')",
        "b'A' + (4).to_bytes(4, 'big') + b'\\xff\\xfe\\0\\0'",
        "b'A' + (3).to_bytes(4, 'big') + b'a\\0b'",
        "b'Z' * 5",
        "b'A' + (1 << 20).to_bytes(4, 'big') + b'x' * (1 << 20)",
        "frame(n='0', exit='0', name='', value='', trace='')",
        "frame(n='{n}', exit='999', name='', value='', trace='')",
        "frame(n='{n}', exit='x', name='', value='', trace='')",
        "frame(n='{n}')",
    ],
)
async def test_a_claim_that_our_kernel_never_makes_costs_the_kernel(shared: SandboxSession, payload: str) -> None:
    before = await value(
        shared, "import gc\nkernel = next(o for o in gc.get_objects() if type(o).__name__ == 'Kernel')\nkernel._runner and 1"
    )
    assert before == 1
    source = f"""
import os, time
def frame(**fields):
    body = '\\0'.join(t for pair in fields.items() for t in pair).encode()
    return b'A' + len(body).to_bytes(4, 'big') + body
import inspect
n = inspect.currentframe().f_code.co_filename.split()[1].rstrip('>')
data = {payload.replace("'{n}'", "n")}
os.write(kernel._claims, data)
time.sleep(4)
"""
    ran = await run(shared, source)

    assert (ran.exit_code, ran.state) == (137, "lost")
    assert ran.seconds is not None
    assert ran.seconds < 3
    assert await says(shared, "1 + 1") == "2"


async def test_a_patched_kernel_can_only_lie_about_its_own_cell(open_session: Open) -> None:
    session = await open_session(replace(SMALL, step_seconds=1.5))
    source = """
import gc, os
kernel = next(o for o in gc.get_objects() if type(o).__name__ == 'Kernel')
cls = type(kernel)
cls._answer = lambda self, number, claim: os.write(self._claims, b'')
"""
    await run(session, source)
    # From now on no answer comes: the step's time runs out, and its kernel with it.
    ran = await run(session, "1")
    assert (ran.stopped_by, ran.state) == ("time", "lost")
    assert await says(session, "1 + 1") == "2"


async def test_an_output_that_is_a_frame_is_only_text(shared: SandboxSession) -> None:
    live = Live()
    ran = await run(shared, "import sys; sys.stdout.buffer.write(b'A\\0\\0\\0\\4op\\0x' * 3); sys.stdout.flush()", live=live)

    assert ran.stdout == "A\0\0\0\4op\0x" * 3
    assert ran.ok


@pytest.mark.parametrize(
    ("source", "exit_code"),
    [
        ("class R:\n    def __repr__(self): return 5\nR()", 1),
        ("class R:\n    def __repr__(self): raise SystemExit(4)\nR()", 4),
        ("class R:\n    def __repr__(self): raise KeyboardInterrupt\nR()", 130),
        ("class R(str):\n    def __repr__(self): return R('x' * 10_000_000)\nR()", 0),
        ("class R:\n    def __getattribute__(self, name): 1 / 0\n    __class__ = property(lambda self: 1 / 0)\nR();", 0),
        ("a = []; a.append(a); a", 0),
        ("x = 1\nfor _ in range(100_000): x = [x]\nx", 1),
        ("'\\ud800 \\0 \\x1b]0;title\\x07'", 0),
        ("e = Exception(); e.__cause__ = e; e.__context__ = e; raise e", 1),
        ("raise type('x' * 100_000, (Exception,), {})('y' * 10_000_000)", 1),
        ("raise BaseExceptionGroup('deep', [KeyboardInterrupt()])", 1),
        ("e = Exception()\nfor _ in range(5000):\n    n = Exception(); n.__context__ = e; e = n\nraise e", 1),
        ("import traceback; traceback.TracebackException.format = None; 1 / 0", 1),
        ("import sys; sys.tracebacklimit = -1; sys.excepthook = None; 1 / 0", 1),
        ("import sys; sys.setprofile(lambda *a: 1 / 0)", 1),
        ("import linecache; linecache.cache = None", 0),
        ("del __builtins__", 0),
        ("import builtins; builtins.print = builtins.repr = builtins.open = None; 5", 0),
        ("class E(dict):\n    def __eq__(self, other): raise ValueError\nimport os; os.environ = E()", 0),
        ("import pickle\nclass P:\n    def __reduce__(self): return (exit, (9,))\npickle.dumps(P());", 0),
    ],
)
async def test_hostile_values_and_errors_cost_their_own_cell_only(open_session: Open, source: str, exit_code: int) -> None:
    session = await open_session(SMALL)
    ran = await run(session, source)

    assert (ran.exit_code, ran.stopped_by) == (exit_code, "itself"), ran
    assert len(ran.stdout) < SMALL.output_kept + 100
    assert ran.error is None or len(ran.error.traceback) + len(ran.error.value) + len(ran.error.name) < 25_000
    await run(session, "1")  # one that spoiled its own interpreter may need another step to be rid of it
    assert (await run(session, "7 * 6")).stdout == "42\n"


@pytest.mark.parametrize("text", ["zz", "0", "41" * 200_001, "00", "ff" * 100, "3d3d3d"])
async def test_a_forged_environment_is_no_claim_or_no_harm(shared: SandboxSession, text: str) -> None:
    source = f"""
import gc, inspect, os, time
kernel = next(o for o in gc.get_objects() if type(o).__name__ == 'Kernel')
number = inspect.currentframe().f_code.co_filename.split()[1].rstrip('>')
body = '\\0'.join(['n', number, 'exit', '0', 'name', '', 'value', '', 'trace', '', 'env', {text!r}]).encode()
data = b'A' + len(body).to_bytes(4, 'big') + body
while data: data = data[os.write(kernel._claims, data):]
time.sleep(4)
"""
    ran = await run(shared, source)

    assert ran.seconds is not None
    assert ran.seconds < 3
    await run(shared, "1")
    assert await says(shared, "echo ok", "bash") == "ok"
    assert await says(shared, "1 + 1") == "2"
