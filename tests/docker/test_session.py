"""A session is a notebook: state, the last expression, pictures, readable errors."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from docker_runs import Live, fetched, run, says
from sandloop.ports import SandboxSession
from sandloop_sandbox.engine import Engine


async def test_variables_stay_between_steps(session: SandboxSession) -> None:
    await says(session, "x = 20\ndef double(n): return 2 * n")

    assert await says(session, "double(x) + 2") == "42"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("1 + 1", "2"),
        ("x = 5\nx", "5"),
        ("None", ""),
        ("x = 5", ""),
        ("5;", ""),
        ("5;  # five", ""),
        ("(\n    5\n);", ""),
        ("5  # no end;", "5"),
        ("'ü'\n# this; and that;", "'ü'"),
        ("\ufeff5", "5"),
        ("print('a'); 'b'", "a\n'b'"),
        ("for i in range(2): i", ""),
        ("_", ""),
        ("# nothing", ""),
        ("", ""),
    ],
)
async def test_the_last_expression_is_shown_as_in_a_notebook(shared: SandboxSession, source: str, shown: str) -> None:
    await says(shared, "_ = None")

    assert await says(shared, source) == shown


async def test_a_table_is_shown_short_with_all_columns(session: SandboxSession) -> None:
    text = await says(session, "import pandas as pd\npd.DataFrame({f'column_{i}': range(100) for i in range(15)})")

    assert "column_0" in text
    assert "column_14" in text
    assert "..." in text
    assert "[100 rows x 15 columns]" in text
    assert len(text.splitlines()) < 60


async def test_a_session_left_alone_has_the_libraries_when_its_first_cell_comes(session: SandboxSession, engine: Engine) -> None:
    container: Any = f"sandloop-{session.opened.id}"
    with anyio.fail_after(60):
        while len(engine.client.top(container)["Processes"]) < 3:  # the supervisor, the zygote, and its first kernel
            await anyio.sleep(0.05)

    assert (
        await says(session, "import sys; [name in sys.modules for name in ('numpy', 'pandas', 'matplotlib')]")
        == "[True, True, True]"
    )


async def test_a_table_is_shown_short_also_before_pandas_was_ready(session: SandboxSession) -> None:
    # No library is named, so the cell is not made to wait for them.
    await says(session, "lib = __import__('pan' + 'das')")

    assert len((await says(session, "lib.DataFrame({'a': range(1000)})")).splitlines()) < 30


async def test_await_works_at_the_top_and_its_loop_lives_on(session: SandboxSession) -> None:
    await says(
        session, "import asyncio\nevent = asyncio.Event()\nwaiter = asyncio.create_task(event.wait())" + "\nawait asyncio.sleep(0)"
    )

    assert await says(session, "event.set()\nawait waiter") == "True"
    assert await says(session, "async def f(): return 7\nasyncio.run(f())") == "7"


async def test_an_error_names_the_users_lines_only(session: SandboxSession) -> None:
    await says(session, "def divide(a, b):\n    return a / b")
    ran = await run(session, "x = 1\ndivide(x, 0)")

    assert ran.exit_code == 1
    assert ran.state == "kept"
    assert ran.error is not None
    assert (ran.error.name, ran.error.value) == ("ZeroDivisionError", "division by zero")
    assert 'File "<step 2>", line 2, in <module>' in ran.error.traceback
    assert "divide(x, 0)" in ran.error.traceback
    assert 'File "<step 1>", line 2, in divide' in ran.error.traceback
    assert "/opt/sandloop" not in ran.error.traceback


async def test_an_error_in_a_library_shows_where_the_user_called_it(session: SandboxSession) -> None:
    ran = await run(session, "import pandas as pd\ndf = pd.DataFrame({'a': [1]})\ndf['b']")

    assert ran.error is not None
    assert ran.error.traceback.splitlines()[-1] == "KeyError: 'b'"
    assert "df['b']" in ran.error.traceback
    assert len(ran.error.traceback.splitlines()) < 8


@pytest.mark.parametrize(
    ("source", "name", "part"),
    [
        ("x = (1,\ny = 2", "SyntaxError", "x = (1,"),
        ("def f():\nreturn 1", "IndentationError", "return 1"),
        ("def f(): f()\nf()", "RecursionError", "[Previous line repeated"),
        ("raise ExceptionGroup('two', [ValueError(1), KeyError('k')])", "ExceptionGroup", "ValueError: 1"),
        ("class Bad(Exception):\n  def __str__(self): raise SystemExit(9)\nraise Bad", "Bad", ""),
        ("input('name? ')", "EOFError", "nobody can type"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "raise KeyboardInterrupt"),
        ("import nothing_of_that_name", "ModuleNotFoundError", "nothing_of_that_name"),
        ("raise ValueError('x' * 10_000_000)", "ValueError", "xxx"),
        ("raise ValueError('\\0 \\ud800')", "ValueError", ""),
    ],
)
async def test_every_error_is_told_and_keeps_the_state(shared: SandboxSession, source: str, name: str, part: str) -> None:
    await says(shared, "kept = 1")
    ran = await run(shared, source)

    assert ran.error is not None, ran
    assert ran.error.name == name
    assert part in ran.error.traceback
    assert len(ran.error.traceback) < 50_000
    assert ran.exit_code != 0
    assert ran.stopped_by == "itself"
    assert await says(shared, "kept") == "1"


@pytest.mark.parametrize(
    ("source", "code"),
    [("import sys; sys.exit(3)", 3), ("exit()", 0), ("raise SystemExit('bye')", 1), ("raise SystemExit(256)", 0)],
)
async def test_leaving_like_a_program_gives_its_exit_code_and_keeps_the_state(
    shared: SandboxSession, source: str, code: int
) -> None:
    await says(shared, "kept = 1")
    ran = await run(shared, source)

    assert (ran.exit_code, ran.error, ran.state, ran.stopped_by) == (code, None, "kept", "itself")
    assert await says(shared, "kept") == "1"


async def test_what_a_cell_defines_can_be_pickled_and_sent_to_processes(session: SandboxSession) -> None:
    source = """
import pickle, multiprocessing, dataclasses, inspect
@dataclasses.dataclass
class Point:
    x: int
def square(n):
    return n * n
assert pickle.loads(pickle.dumps(Point(3))) == Point(3)
assert 'return n * n' in inspect.getsource(square)
with multiprocessing.Pool(2) as pool:
    print(pool.map(square, range(4)), __name__)
"""
    assert await says(session, source) == "[0, 1, 4, 9] __main__"
    assert await says(session, source) == "[0, 1, 4, 9] __main__"


async def test_worker_pools_of_joblib_work_in_one_step_after_the_other(session: SandboxSession) -> None:
    source = (
        "from joblib import Parallel, delayed\nfrom math import sqrt\nParallel(n_jobs=2)(delayed(sqrt)(i ** 2) for i in range(4))"
    )

    for _ in range(3):
        ran = await run(session, source)
        assert (ran.stdout.strip(), ran.stderr, ran.ok) == ("[0.0, 1.0, 2.0, 3.0]", "", True)


async def test_output_of_child_processes_and_of_c_code_is_heard(session: SandboxSession) -> None:
    source = """
import ctypes, os, subprocess, sys
print('python')
subprocess.run(['echo', 'child'])
ctypes.CDLL(None).puts(b'c'); ctypes.CDLL(None).fflush(None)
os.write(2, b'raw\\n')
print('error', file=sys.stderr)
"""
    ran = await run(session, source)

    assert ran.stdout == "python\nchild\nc\n"
    assert ran.stderr == "raw\nerror\n"


async def test_a_forked_child_that_runs_to_the_end_of_the_cell_is_no_second_kernel(session: SandboxSession) -> None:
    assert (
        await says(session, "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\nprint('parent' if pid else 'child')")
        == "child\nparent"
    )
    assert await says(session, "1 + 1") == "2"


async def test_output_comes_live_and_in_order(session: SandboxSession) -> None:
    live = Live()
    ran = await run(session, "import time\nfor i in range(3):\n    print(i, flush=True); time.sleep(0.1)", live=live)

    assert ran.stdout == "0\n1\n2\n"
    assert live.pieces == [("stdout", "0\n"), ("stdout", "1\n"), ("stdout", "2\n")]


async def test_characters_survive_being_split_and_bad_bytes_become_marks(session: SandboxSession) -> None:
    source = "import os, time\nfor b in 'ü€😀'.encode(): os.write(1, bytes([b])); time.sleep(0.01)\nos.write(1, b'\\xff!');"
    live = Live()
    ran = await run(session, source, live=live)

    assert ran.stdout == "ü€😀\ufffd!"
    assert live.text("stdout") == ran.stdout


async def test_streams_that_a_cell_closed_or_moved_work_again_in_the_next(session: SandboxSession) -> None:
    await run(
        session,
        "import io, os, sys\nsys.stdout.close(); sys.stderr = io.StringIO(); os.close(2)\nos.dup2(os.open('/dev/null', 1), 1)",
    )

    ran = await run(session, "import sys\nprint('out'); print('err', file=sys.stderr)")
    assert (ran.stdout, ran.stderr) == ("out\n", "err\n")


@pytest.mark.parametrize(
    ("source", "stdout"),
    [
        ("import io, sys; print('first', end=''); sys.stdout = io.StringIO(); print('kept')", "first"),
        ("import sys; sys.stdout.buffer.write(b'raw'); sys.stdout = None", "raw"),
        ("import io, sys; sys.stdout = io.TextIOWrapper(sys.stdout.buffer, encoding='utf-8'); print('wrapped')", "wrapped\n"),
        ("import io, sys; sys.stdout = io.TextIOWrapper(sys.stdout.detach(), encoding='utf-8'); print('wrapped')", "wrapped\n"),
    ],
)
async def test_what_was_printed_belongs_to_its_step_whatever_came_in_the_place_of_the_stream(
    shared: SandboxSession, source: str, stdout: str
) -> None:
    ran = await run(shared, source)
    assert (ran.ok, ran.stdout, ran.state) == (True, stdout, "kept")

    assert (await run(shared, "print('next: ü')")).stdout == "next: ü\n"


async def test_standard_input_is_there_and_empty_also_after_exit(shared: SandboxSession) -> None:
    assert (await run(shared, "exit()")).exit_code == 0

    assert await says(shared, "import sys; sys.stdin.read()") == "''"


async def test_bash_runs_in_the_same_folder_and_carries_its_exports_and_folder_over(session: SandboxSession) -> None:
    await says(session, "open('a.txt', 'w').write('from python')")

    assert await says(session, "cat a.txt", "bash") == "from python"
    assert await says(session, "export GREETING='hel\"lo  $x'\nmkdir -p sub && cd sub", "bash") == ""
    assert await says(session, 'echo "$GREETING"; basename "$PWD"', "bash") == 'hel"lo  $x\nsub'
    ran = await run(session, "echo out; echo err >&2; nothing_such; exit 7", "bash")
    assert (ran.exit_code, ran.stdout, ran.error) == (7, "out\n", None)
    assert "err\nbash: line 1: nothing_such: command not found" in ran.stderr
    assert await says(session, "open('a.txt').read()") == "'from python'"


async def test_bash_that_is_killed_says_how_and_keeps_pythons_state(session: SandboxSession) -> None:
    await says(session, "kept = 1")
    ran = await run(session, "kill -9 $$", "bash")

    assert (ran.exit_code, ran.state, ran.stopped_by) == (137, "kept", "itself")
    assert await says(session, "kept") == "1"


async def test_a_plot_that_is_shown_is_saved_and_never_over_another(session: SandboxSession) -> None:
    source = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nplt.plot([2, 1])\nplt.show()"
    ran = await run(session, source)
    assert (ran.ok, ran.stderr) == (True, "")
    await says(session, source)

    assert [f.name for f in (await session.files()).files] == [f"figure-{i}.png" for i in range(1, 5)]
    assert (await fetched(session, "figure-1.png")).startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("plt.plot([1])", ["figure-1.png"]),
        ("plt.plot([1]); plt.savefig('own.png'); plt.show()", ["own.png"]),
        ("plt.plot([1]); plt.savefig('own.pdf')", ["own.pdf"]),
        ("plt.figure()", []),
        ("plt.plot([1]); 1/0", []),
        ("plt.plot([1]); plt.close('all')", []),
        ("import matplotlib; matplotlib.use('Agg'); plt.plot([1])", ["figure-1.png"]),
        ("fig, ax = plt.subplots(); ax.plot([1]); fig.show()", ["figure-1.png"]),
        ("plt.plot([1]); plt.figure(); plt.plot([2])", ["figure-1.png", "figure-2.png"]),
    ],
)
async def test_figures_left_open_are_saved_once(shared: SandboxSession, source: str, names: list[str]) -> None:
    await says(
        shared, "import os\nfor f in os.listdir(): os.remove(f)\nimport matplotlib; matplotlib.use(os.environ['MPLBACKEND'])"
    )
    await run(shared, f"import matplotlib.pyplot as plt\n{source}")

    assert [f.name for f in (await shared.files()).files] == names


async def test_a_script_started_from_bash_saves_its_plot_too(session: SandboxSession) -> None:
    await says(session, "python3 -c 'import matplotlib.pyplot as plt; plt.plot([1]); plt.show()'", "bash")

    assert [f.name for f in (await session.files()).files] == ["figure-1.png"]


async def test_the_folder_of_the_code_comes_first_for_its_own_modules(session: SandboxSession) -> None:
    await says(session, "open('frames.py', 'w').write('mine = 1')\nopen('kernel.py', 'w').write('mine = 2')")

    assert await says(session, "import frames, kernel\nframes.mine, kernel.mine") == "(1, 2)"
