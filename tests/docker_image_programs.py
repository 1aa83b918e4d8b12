"""What is run inside the sandbox image by its tests: the work it must be able to do, and the calls it must refuse."""

from __future__ import annotations

WORK = {
    "linear algebra on several threads": """
        import numpy as np
        a = np.random.rand(500, 500)
        np.linalg.svd(a @ a)
        np.memmap("/tmp/m.bin", dtype=float, mode="w+", shape=(100,)).flush()
    """,
    "tables to and from CSV, Excel, Parquet and HTML": """
        import io, pandas as pd
        d = pd.DataFrame({"a": range(1000), "b": list("abcd") * 250})
        d["t"] = pd.date_range("2024-01-01", periods=1000, tz="Europe/Berlin").tz_localize(None)
        d.to_csv("d.csv"); d.to_parquet("d.parquet"); d.to_excel("d.xlsx"); d.to_excel("x.xlsx", engine="xlsxwriter")
        assert len(pd.read_csv("d.csv")) == len(pd.read_parquet("d.parquet")) == len(pd.read_excel("x.xlsx")) == 1000
        pd.read_html(io.StringIO("<table><tr><td>1</td></tr></table>"), flavor="lxml")
    """,
    "charts as PNG, PDF and SVG": """
        import matplotlib.pyplot as plt, seaborn as sns
        fig, ax = plt.subplots()
        sns.heatmap([[1, 2], [3, 4]], ax=ax)
        for name in ("a.png", "a.pdf", "a.svg"):
            fig.savefig(name)
    """,
    "models on several processors": """
        from sklearn.datasets import load_iris
        from sklearn.cluster import KMeans
        from sklearn.ensemble import RandomForestClassifier
        X, y = load_iris(return_X_y=True)
        assert RandomForestClassifier(n_jobs=2).fit(X, y).score(X, y) > 0.9
        KMeans(3, n_init=1).fit(X)
    """,
    "statistics and optimization": """
        import numpy as np, pandas as pd, scipy.optimize, scipy.stats, statsmodels.api as sm, statsmodels.formula.api as smf
        scipy.optimize.minimize(lambda x: (x**2).sum(), [1.0, 2.0])
        sm.OLS(np.arange(10.0), sm.add_constant(np.random.rand(10))).fit().summary()
        smf.ols("y ~ x", pd.DataFrame({"x": [1.0, 2, 3, 4], "y": [1.0, 3, 2, 5]})).fit()
    """,
    "arrow and duckdb": """
        import duckdb, pyarrow as pa, pyarrow.dataset as ds, pyarrow.parquet as pq
        pq.write_table(pa.table({"a": list(range(100000))}), "t.parquet")
        assert ds.dataset("t.parquet").to_table().num_rows == 100000
        assert duckdb.connect("x.duckdb").sql("select count(*) from 't.parquet'").fetchone() == (100000,)
    """,
    "documents": """
        import bs4, docx, pptx, pypdf, reportlab.pdfgen.canvas, tabulate
        from PIL import Image
        d = docx.Document(); d.add_table(2, 2); d.save("a.docx")
        p = pptx.Presentation(); p.slides.add_slide(p.slide_layouts[0]); p.save("a.pptx")
        c = reportlab.pdfgen.canvas.Canvas("r.pdf"); c.drawString(10, 10, "x"); c.save()
        assert len(pypdf.PdfReader("r.pdf").pages) == 1
        bs4.BeautifulSoup("<p>x</p>", "lxml"); tabulate.tabulate([[1]])
        Image.new("RGB", (9, 9)).save("b.jpg")
    """,
    "symbols and graphs": """
        import networkx, sympy
        x = sympy.Symbol("x")
        assert sympy.integrate(x, x) == x**2 / 2
        networkx.pagerank(networkx.karate_club_graph())
    """,
    "SQLite with a write-ahead log": """
        import sqlite3
        c = sqlite3.connect("s.db")
        assert c.execute("pragma journal_mode=wal").fetchone() == ("wal",)
        c.execute("create table t(a)"); c.commit(); c.close()
    """,
    "bash and other programs": """
        import subprocess, sys
        script = "set -e; echo $((1+1)) | cat; mkfifo f; ls -la / >/dev/null; (sleep 0.01 & wait)"
        assert subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True).stdout == "2\\n"
        subprocess.run([sys.executable, "-c", "pass"], check=True, start_new_session=True)
    """,
    "asyncio": """
        import asyncio, time
        async def go():
            p = await asyncio.create_subprocess_exec("echo", "hi", stdout=asyncio.subprocess.PIPE)
            assert (await p.communicate())[0] == b"hi\\n"
            server = await asyncio.start_unix_server(lambda r, w: w.close(), "/tmp/u.sock")
            r, w = await asyncio.open_unix_connection("/tmp/u.sock")
            await r.read(); w.close(); server.close()
            await asyncio.to_thread(time.sleep, 0.01)
        asyncio.run(go())
    """,
    "threads and processes": """
        import concurrent.futures, math, multiprocessing, multiprocessing.shared_memory
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            list(pool.map(math.sqrt, range(100)))
        for method in ("fork", "spawn", "forkserver"):
            with multiprocessing.get_context(method).Pool(2) as pool:
                assert pool.map(math.sqrt, [4, 9]) == [2, 3], method
        with multiprocessing.Manager() as manager:
            manager.dict()["a"] = 1
        shared = multiprocessing.shared_memory.SharedMemory(create=True, size=1000); shared.close(); shared.unlink()
    """,
    "joblib": """
        import math
        from joblib import Parallel, delayed
        assert Parallel(n_jobs=2, backend="loky")(delayed(math.sqrt)(i) for i in (4, 9)) == [2, 3]
    """,
    "looking for a host fails as without a network": """
        import socket, urllib.request
        for look, what in (socket.getaddrinfo, ("example.com", 80)), (urllib.request.urlopen, ("http://127.0.0.1:1/",)):
            try:
                look(*what)
            except OSError:
                continue
            raise AssertionError("it answered")
    """,
}

DO_WORK = """
import json, os, sys, textwrap, traceback, warnings
if __name__ == "__main__":
    os.chdir("/tmp")
    results = {}
    for what, source in json.loads(sys.argv[1]).items():
        try:
            exec(compile(textwrap.dedent(source), what, "exec"), {"__name__": "work"})
            results[what] = "done"
        except BaseException:
            results[what] = traceback.format_exc()
    print("RESULT " + json.dumps(results))
"""

CALLS = {
    # name: its number on x86_64, and on aarch64
    "io_uring_setup": (425, 425),
    "unshare": (272, 97),
    "ptrace": (101, 117),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "perf_event_open": (298, 241),
    "mount": (165, 40),
    "umount2": (166, 39),
    "setns": (308, 268),
    "process_vm_readv": (310, 270),
    "pidfd_getfd": (438, 438),
    "inotify_init1": (294, 26),
    "mq_open": (240, 180),
    "msgget": (68, 186),
    "semget": (64, 190),
    "shmget": (29, 194),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "memfd_secret": (447, 447),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "mount_setattr": (442, 442),
    "io_setup": (206, 0),
    "set_mempolicy": (238, 237),
    "clock_settime": (227, 112),
    "capset": (126, 91),
    "vmsplice": (278, 75),
    "sched_setscheduler": (144, 119),
    "remap_file_pages": (216, 234),
    "kcmp": (312, 272),
    "personality": (135, 92),
    "bpf": (321, 280),
}
"""Calls which a container without a filter answers otherwise than with EPERM, so that EPERM is the filter's. Some kernels forbid
`bpf` by themselves, and some are built without one or the other: ENOSYS says so."""

TRY_CALLS = """
import ctypes, errno, json, mmap, os, platform, signal, socket, sys
calls, column = json.loads(sys.argv[1]), ("x86_64", "aarch64").index(platform.machine())
libc = ctypes.CDLL(None, use_errno=True)
def answer(number, *arguments):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *(ctypes.c_ulong(a) for a in arguments))
    return errno.errorcode[ctypes.get_errno()] if result < 0 else "done"
def in_child(ask):
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.write(write, str(ask()).encode())
        os._exit(0)
    os.close(write)
    said = os.read(read, 100).decode()
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return said if status == 0 else signal.Signals(-status).name
def family(number):
    try:
        socket.socket(number, socket.SOCK_RAW if number in (16, 17) else socket.SOCK_STREAM).close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "done"
def gate_of_32_bit():
    # push rbx; mov eax, socket; mov ebx, AF_VSOCK; mov ecx, SOCK_STREAM; xor edx, edx; int 0x80; pop rbx; ret
    code = bytes.fromhex("53 b867010000 bb28000000 b901000000 31d2 cd80 5b c3")
    page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
answers = {name: in_child(lambda: answer(numbers[column], 0, 0, 0, 0, 0)) for name, numbers in calls.items()}
clone = (56, 220)[column]
answers["clone with a new user namespace"] = in_child(lambda: answer(clone, 0x10000000 | signal.SIGCHLD, 0, 0, 0, 0))
answers["clone3"] = in_child(lambda: answer(435, 0, 0))
for number in range(1, 46):
    answers["family %d" % number] = in_child(lambda: family(number))
if platform.machine() == "x86_64":
    answers["the gate of 32 bit"] = in_child(gate_of_32_bit)
print("RESULT " + json.dumps(answers))
"""

LOOK_AT_FILES = """
import json, os, stat
found = {"set-id": [], "writable by all": [], "certificates of the build": [], "programs": [], "root's own": os.listdir("/root")}
for folder, folders, names in os.walk("/"):
    folders[:] = [f for f in folders if os.path.join(folder, f) not in ("/proc", "/sys", "/dev")]
    for name in names + folders:
        path = os.path.join(folder, name)
        status = os.lstat(path)
        if stat.S_ISREG(status.st_mode) and status.st_mode & (stat.S_ISUID | stat.S_ISGID):
            found["set-id"].append(path)
        if not stat.S_ISLNK(status.st_mode) and status.st_mode & 0o002 and not status.st_mode & stat.S_ISVTX:
            found["writable by all"].append(path)
        if name in ("ca.pem", "pip.conf") or path == "/build":
            found["certificates of the build"].append(path)
        if folder.startswith("/opt") and (status.st_uid, status.st_gid, status.st_mode & 0o222) != (0, 0, 0) and name in names:
            found["programs"].append(path)
print("RESULT " + json.dumps(found))
"""

PACKAGES = """
import importlib, importlib.metadata, json
normal = lambda name: name.lower().replace("_", "-").replace(".", "-")
versions = {normal(d.metadata["Name"]): d.version for d in importlib.metadata.distributions()}
modules = {}
for module, names in importlib.metadata.packages_distributions().items():
    for name in names:
        modules.setdefault(normal(name), []).append(module)
failed = {}
for name in versions:
    for module in modules.get(name, []):
        # The last is a part of duckdb for a package that isn't there.
        if name not in ("pip", "setuptools", "wheel") and module.isidentifier() and module != "adbc_driver_duckdb":
            try:
                importlib.import_module(module)
            except Exception as error:
                failed[module] = repr(error)
print("RESULT " + json.dumps({"versions": versions, "failed": failed}))
"""

TITLE = """
import json, os, warnings
warnings.simplefilter("error")
import matplotlib
import matplotlib.pyplot as plt
fig, ax = plt.subplots()
ax.set_title("\u9500\u552e\u989d \u58f2\u4e0a\u9ad8 \ub9e4\ucd9c\uc561 \u03a3 \u00fc \u22125")
ax.plot([-1, 1])
fig.savefig("/tmp/title.png")
found = {"cache": matplotlib.get_cachedir(), "settings": matplotlib.matplotlib_fname(), "left": sorted(os.listdir("/tmp"))}
print("RESULT " + json.dumps(found))
"""
