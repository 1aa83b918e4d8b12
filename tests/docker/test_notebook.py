"""What a model expects of a notebook, beyond state: short tables, pictures of every library, workers, one environment."""

from __future__ import annotations

import pytest

from docker_runs import Open, fetched, run, says
from sandloop.ports import SandboxSession

CJK = "plt.plot([1, 2]); plt.title('中文 日本語 한국어', fontweight='bold'); plt.show()"


@pytest.mark.parametrize(
    ("source", "lines", "part"),
    [
        ("pd.DataFrame({'a': range(100_000)})", 15, "[100000 rows x 1 columns]"),
        ("pd.DataFrame({f'c{i}': range(50) for i in range(300)})", 30, "[50 rows x 300 columns]"),
        ("pd.Series(range(100_000))", 15, "Length: 100000"),
        ("pd.DataFrame({'text': ['x' * 10_000] * 3})", 5, "..."),
        ("pd.DataFrame({'a': range(9), 'b': 1}).groupby('b').describe()", 10, "count"),
        ("np.zeros((10_000, 10_000), dtype='int8')", 10, "..."),
        ("pa.table({'a': range(100_000)})", 12, "..."),
        ("duckdb.sql('select range as a from range(100_000)')", 60, "a"),
    ],
)
async def test_a_large_value_is_shown_short(shared: SandboxSession, source: str, lines: int, part: str) -> None:
    ran = await run(shared, f"import numpy as np, pandas as pd, pyarrow as pa, duckdb\n{source}")

    assert ran.ok, ran
    assert part in ran.stdout
    assert len(ran.stdout.splitlines()) <= lines
    assert len(ran.stdout) < 8_000


@pytest.mark.parametrize(
    "before",
    [
        "",
        "sns.set_theme()",
        "sns.set_style('whitegrid'); sns.set_context('talk')",
        "plt.style.use('ggplot')",
        "plt.style.use('seaborn-v0_8')",
        "plt.rcdefaults()",
        "plt.rcParams['font.family'] = 'serif'",
        "plt.rcParams['font.sans-serif'] = ['Arial', 'DejaVu Sans']",
        "matplotlib.use('Agg'); sns.set_theme()",
    ],
)
async def test_titles_in_every_script_are_drawn_under_every_theme(open_session: Open, session: SandboxSession, before: str) -> None:
    ran = await run(session, f"import matplotlib, seaborn as sns, matplotlib.pyplot as plt\n{before}\n{CJK}")

    assert (ran.ok, ran.stderr) == (True, "")
    assert len((await session.files()).files) == 1


async def test_a_font_that_is_missing_is_said_once_a_step_and_the_title_is_drawn(session: SandboxSession) -> None:
    source = f"import matplotlib.pyplot as plt\nplt.rcParams['font.family'] = 'SimHei'\n{CJK}"
    for _ in range(2):
        ran = await run(session, source)
        assert ran.stderr == "findfont: Font family 'SimHei' not found.\n"


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("for i in range(3): plt.figure(); plt.plot([i]); plt.savefig(f'p{i}.png'); plt.close()", ["p0.png", "p1.png", "p2.png"]),
        ("for i in range(3): plt.plot([i]); plt.show()", ["figure-1.png", "figure-2.png", "figure-3.png"]),
        ("sns.histplot([1, 2, 2]);", ["figure-1.png"]),
        ("sns.relplot(x=[1, 2], y=[2, 1])", ["figure-1.png"]),
        ("sns.pairplot(pd.DataFrame({'a': [1, 2], 'b': [2, 1]})).savefig('pairs.png')", ["pairs.png"]),
        ("pd.Series([1, 2]).plot()", ["figure-1.png"]),
        ("pd.DataFrame({'a': [1, 2]}).hist(); plt.tight_layout(); plt.show()", ["figure-1.png"]),
        ("fig = plt.figure(); fig.add_subplot().plot([1]); fig", ["figure-1.png"]),
        ("f = matplotlib.figure.Figure(); f.add_subplot().plot([1]); f.savefig('own.svg')", ["own.svg"]),
        ("plt.imsave('raw.png', [[0, 1], [1, 0]])", ["raw.png"]),
        ("%matplotlib inline\nplt.plot([1]); plt.show()", ["figure-1.png"]),
        ("display(pd.DataFrame({'a': [1]})); plt.plot([1]);", ["figure-1.png"]),
    ],
)
async def test_pictures_of_a_step_are_saved_each_once(session: SandboxSession, source: str, names: list[str]) -> None:
    await says(session, "import matplotlib, matplotlib.figure, pandas as pd, seaborn as sns, matplotlib.pyplot as plt")
    ran = await run(session, source)

    assert (ran.ok, ran.stderr) == (True, ""), ran
    assert [file.name for file in (await session.files()).files] == names


BAD_TITLE = r"plt.figure(); plt.plot([1]); plt.title(r'$\frac{1}{$')"


async def test_a_figure_that_can_not_be_drawn_costs_no_other_and_is_said_once(session: SandboxSession) -> None:
    ran = await run(session, f"import matplotlib.pyplot as plt\n{BAD_TITLE}\nplt.figure(); plt.plot([2]);")
    assert ran.stderr.startswith("An open figure could not be saved: ValueError")
    assert [file.name for file in (await session.files()).files] == ["figure-1.png"]

    assert (await run(session, "1")).stderr == ""
    ran = await run(session, f"{BAD_TITLE}\nplt.show()")
    assert ran.error is not None
    assert [file.name for file in (await session.files()).files] == ["figure-1.png"]


async def test_a_figure_that_takes_the_place_of_a_saved_one_is_saved(session: SandboxSession) -> None:
    source = """
import gc, matplotlib.pyplot as plt
def draw(number): plt.figure(); plt.plot([number])
for number in range(5):
    draw(number); plt.savefig(f'p{number}.png'); plt.close(); gc.collect()
for number in range(3): draw(number)
"""
    await run(session, source)

    names = {file.name for file in (await session.files()).files}
    assert names == {f"p{number}.png" for number in range(5)} | {f"figure-{number}.png" for number in range(1, 4)}


PLOTLY = """
import os
os.makedirs('/tmp/lib/plotly/io')
open('/tmp/lib/plotly/__init__.py', 'w').close()
open('/tmp/lib/plotly/io/__init__.py', 'w').write('def show(figure, *a, **k): raise OSError("no browser")')
open('/tmp/lib/plotly/express.py', 'w').write('''
import plotly.io
class Figure:
    def show(self): plotly.io.show(self)
    def write_html(self, file, include_plotlyjs): file.write('<html>')
''')
import sys; sys.path.insert(0, '/tmp/lib')
"""


@pytest.mark.parametrize("show", ["px.Figure()", "px.Figure().show()", "px.Figure().show(); px.Figure();"])
async def test_a_figure_of_plotly_is_saved_as_a_page(session: SandboxSession, show: str) -> None:
    # Plotly is in derived images; this stands for its three entrances.
    await says(session, PLOTLY)
    ran = await run(session, f"import plotly.express as px\n{show}")

    assert (ran.ok, ran.stdout) == (True, "")
    assert await fetched(session, "figure-1.html") == b"<html>"


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("await asyncio.sleep(0, 7)", "7"),
        ("x = await asyncio.sleep(0, 7)\nx", "7"),
        ("[await asyncio.sleep(0, i) for i in range(3)]", "[0, 1, 2]"),
        ("async with asyncio.timeout(5): print('in')", "in"),
        ("async def g():\n    for i in range(2): yield i\nasync for i in g(): print(i)", "0\n1"),
        ("(await asyncio.gather(*(asyncio.sleep(0, i) for i in range(3))))[-1]", "2"),
        ("asyncio.run(asyncio.sleep(0, 5))", "5"),
    ],
)
async def test_await_works_at_the_top_also_after_an_error_with_tasks_left_over(
    session: SandboxSession, source: str, shown: str
) -> None:
    await says(session, "import asyncio")
    ran = await run(session, "left = asyncio.create_task(asyncio.sleep(99))\nawait asyncio.sleep(0)\n1 / 0")
    assert (ran.error is not None, ran.state) == (True, "kept")
    ran = await run(session, "async def bad(): raise ValueError\nother = asyncio.create_task(bad())\nawait asyncio.sleep(0.01)")
    assert ran.ok

    assert await says(session, source) == shown
    assert await says(session, "left.done()") == "False"


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("input()", "EOFError"),
        ("import getpass, warnings; warnings.simplefilter('ignore'); getpass.getpass()", "EOFError"),
        ("import pdb; pdb.set_trace()", "BdbQuit"),
        ("breakpoint()", "BdbQuit"),
    ],
)
async def test_what_asks_a_person_fails_at_once(shared: SandboxSession, source: str, name: str) -> None:
    ran = await run(shared, source)

    assert ran.error is not None, ran
    assert ran.error.name == name
    assert ran.seconds is not None
    assert ran.seconds < 5


async def test_a_warning_goes_to_stderr_and_names_the_users_line(session: SandboxSession) -> None:
    ran = await run(session, "x = 1\nimport warnings; warnings.warn('careful')")

    assert (ran.ok, ran.stdout) == (True, "")
    assert ran.stderr.startswith("<step 1>:2: UserWarning: careful")
    again = await run(session, "x = 1\nwarnings.warn('careful')")
    assert again.stderr.startswith("<step 2>:2: UserWarning: careful")


async def test_a_traceback_shows_the_line_that_the_compiler_means(shared: SandboxSession) -> None:
    ran = await run(shared, 'text = """a\x0cb\u2028c\x85"""\n1 / 0  # here')

    assert ran.error is not None
    assert "1 / 0  # here" in ran.error.traceback


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("x = (1,", 4),
        ("def f(:\n    pass", 4),
        ("  x = 1", 3),
        ("import json; json.loads('{')", 5),
        ("import pandas as pd; pd.DataFrame({'a': [1]}).apply(lambda r: r['zz'], axis=1)", 8),
        ("import asyncio\nasync def f(): 1 / 0\nawait asyncio.gather(f())", 8),
        ("try: 1 / 0\nexcept Exception as e: raise ValueError from e", 14),
    ],
)
async def test_a_traceback_holds_lines_of_the_user_alone(shared: SandboxSession, source: str, lines: int) -> None:
    ran = await run(shared, source)

    assert ran.error is not None
    assert len(ran.error.traceback.splitlines()) <= lines, ran.error.traceback
    assert "/opt/" not in ran.error.traceback
    assert "/usr/" not in ran.error.traceback


@pytest.mark.parametrize(
    "source",
    [
        "with cf.ThreadPoolExecutor(4) as pool: print(list(pool.map(square, range(3))))",
        "with cf.ProcessPoolExecutor(2) as pool: print(list(pool.map(square, range(3))))",
        "with mp.Pool(2) as pool: print(pool.map(square, range(3)))",
        "with mp.get_context('fork').Pool(2) as pool: print(pool.map(square, range(3)))",
        "with mp.get_context('spawn').Pool(2) as pool: print([int(x) for x in pool.map(math.sqrt, [0, 1, 16])])",
        "with mp.get_context('forkserver').Pool(2) as pool: print([int(x) for x in pool.map(math.sqrt, [0, 1, 16])])",
        "print(joblib.Parallel(2)(joblib.delayed(square)(i) for i in range(3)))",
        "print(joblib.Parallel(2, backend='threading')(joblib.delayed(square)(i) for i in range(3)))",
        "print(joblib.Parallel(2, backend='multiprocessing')(joblib.delayed(square)(i) for i in range(3)))",
        "print(list(mp.Manager().list([0, 1, 4])))",
        "m = shared_memory.SharedMemory(create=True, size=3); m.buf[:] = bytes([0, 1, 4]); print(list(m.buf)); m.unlink()",
        "q = mp.Queue(); p = mp.Process(target=q.put, args=([0, 1, 4],)); p.start(); print(q.get()); p.join()",
        "print(subprocess.run(['python3', '-c', 'print([0, 1, 4])'], capture_output=True, text=True).stdout, end='')",
    ],
)
async def test_workers_of_every_kind_do_their_work(shared: SandboxSession, source: str) -> None:
    before = "import concurrent.futures as cf, joblib, math, multiprocessing as mp, subprocess\n"
    before += "from multiprocessing import shared_memory"
    for _ in range(2):
        ran = await run(shared, f"{before}\ndef square(n): return n * n\n{source}")
        assert (ran.ok, ran.stdout, ran.stderr) == (True, "[0, 1, 4]\n", ""), ran


async def test_cells_and_scripts_share_their_environment(session: SandboxSession) -> None:
    await says(session, "import os; os.environ['FROM_CELL'] = 'a \"b\"\\nc'; del os.environ['OMP_NUM_THREADS']")
    script = 'echo "$FROM_CELL[$OMP_NUM_THREADS]"; export FROM_SCRIPT="x  y"; unset FROM_CELL'
    assert await says(session, script, "bash") == 'a "b"\nc[]'

    source = "os.environ['FROM_SCRIPT'], 'FROM_CELL' in os.environ, os.getcwd()"
    assert await says(session, source) == "('x  y', False, '/workspace')"
    assert await says(session, "import subprocess; subprocess.run('echo $FROM_SCRIPT', shell=True);") == "x y"
    # A fresh kernel knows what scripts exported, and nothing that the lost one did to itself.
    await run(session, "os.environ['MPLBACKEND'] = 'nonsense'; os._exit(1)")
    assert await says(session, "import os; os.environ['FROM_SCRIPT'], os.environ['MPLBACKEND'][:6]") == "('x  y', 'module')"
