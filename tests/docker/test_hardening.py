"""The attack list: hostile code, and what must come of it. Oracles stand outside wherever there can be one."""

from __future__ import annotations

import ast
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import cast

import pytest

from docker_runs import SMALL, Live, Open, run, says
from sandloop.ports import SandboxSession


async def value(session: SandboxSession, source: str) -> object:
    """The last expression of a cell, as a Python value."""
    return ast.literal_eval(await says(session, source))


class Listener:
    """A server of this machine that notes who came."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("0.0.0.0", 0))
        self.port = self._socket.getsockname()[1]
        self.visits: list[object] = []
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                visitor, address = self._socket.accept()
            except OSError:
                return
            self.visits.append(address)
            visitor.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture
def listener() -> Iterator[Listener]:
    server = Listener()
    # The oracle itself must work.
    socket.create_connection(("127.0.0.1", server.port)).close()
    while not server.visits:
        pass
    server.visits.clear()
    yield server
    server.close()


async def test_nothing_reaches_a_network(shared: SandboxSession, listener: Listener) -> None:
    hosts = ["127.0.0.1", "172.17.0.1", socket.gethostbyname(socket.gethostname()), "::1", "localhost", "host.docker.internal"]
    source = f"""
import socket, urllib.request
came = []
for host in {hosts!r}:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                s = socket.socket(family, kind); s.settimeout(0.5); s.connect((host, {listener.port})); s.send(b'x')
                came.append((host, kind))
            except OSError as error:
                pass
try:
    urllib.request.urlopen('http://example.com', timeout=1); came.append('http')
except OSError: pass
came
"""
    assert await value(shared, source) == []
    assert listener.visits == []


async def test_no_socket_family_but_unix_can_be_opened(shared: SandboxSession) -> None:
    source = """
import socket
opened = []
for family in range(0, 50):
    for kind in (1, 2, 3, 5):
        try: socket.socket(family, kind).close()
        except OSError: continue
        opened.append(family)
sorted(set(opened))
"""
    assert await value(shared, source) == [1]


async def test_the_network_namespace_has_loopback_only(shared: SandboxSession) -> None:
    assert await value(shared, "import os; os.listdir('/sys/class/net')") == ["lo"]
    assert await value(shared, "len(open('/proc/net/route').readlines()), open('/proc/net/tcp').read().count('\\n')") == (1, 1)


async def test_the_code_is_nobody_and_can_become_nobody_else(shared: SandboxSession) -> None:
    source = """
import os
status = dict(line.rstrip().split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)
came = []
for call, *given in ((os.setuid, 0), (os.setgid, 0), (os.setgroups, [0]), (os.chroot, '/tmp'), (os.chown, '/workspace', 0, 0)):
    try: call(*given); came.append(call.__name__)
    except OSError: pass
capabilities = [status['Cap' + kind] for kind in ('Eff', 'Prm', 'Inh', 'Bnd', 'Amb')]
ids = min(os.getresuid()) >= 20000, min(os.getresgid()) >= 20000
(*ids, capabilities, status['NoNewPrivs'], status['Seccomp'], came)
"""
    assert await value(shared, source) == (True, True, ["0" * 16] * 5, "1", "2", [])


async def test_there_is_no_program_that_gives_a_privilege(shared: SandboxSession) -> None:
    assert await says(shared, "find / -xdev -perm /6000 -type f 2>/dev/null | head", "bash") == ""


async def test_calls_that_no_analysis_needs_are_refused(shared: SandboxSession) -> None:
    # x86_64 numbers: ptrace, mount, unshare, setns, keyctl, bpf, perf_event_open, userfaultfd, io_uring_setup, kexec_load,
    # process_vm_readv, inotify_init, open_by_handle_at, mbind, add_key, request_key, pidfd_getfd, init_module, fsopen.
    source = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
if os.uname().machine == 'x86_64':
    numbers = [101, 165, 272, 308, 250, 321, 298, 323, 425, 246, 310, 253, 304, 237, 248, 249, 438, 175, 430]
    print([(n, ctypes.get_errno()) for n in numbers if libc.syscall(n, 0, 0, 0, 0, 0) != -1 or ctypes.get_errno() not in (1, 38)])
else:
    print([])
"""
    assert await value(shared, source) == []


async def test_new_namespaces_are_refused(shared: SandboxSession) -> None:
    ran = await run(shared, "for kind in U m p n i u C; do unshare -$kind true 2>/dev/null && echo $kind; done; exit 0", "bash")

    assert (ran.stdout, ran.exit_code) == ("", 0)


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
        await run(shared, "import os, signal\nos.kill(-1, signal.SIGTSTP)\nos.kill(os.getpid(), signal.SIGKILL)")
    ).state == "lost"
    assert await says(shared, "1 + 1") == "2"


@pytest.mark.parametrize("who", ["1", "zygote"])
async def test_our_processes_cant_be_looked_into(shared: SandboxSession, who: str) -> None:
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
time.sleep(10)
"""
    ran = await run(shared, source)

    assert (ran.exit_code, ran.state) == (137, "lost")
    assert ran.seconds is not None
    assert ran.seconds < 8
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


async def test_the_root_is_read_only_and_only_scratch_can_be_written(shared: SandboxSession) -> None:
    source = """
import os
places = set()
for top, folders, files in os.walk('/'):
    if top in ('/proc', '/sys'): folders[:] = []; continue
    try:
        path = os.path.join(top, '.try'); os.close(os.open(path, os.O_CREAT | os.O_WRONLY)); os.remove(path); places.add(top)
    except OSError: pass
sorted(places)
"""
    assert await value(shared, source) == ["/dev/shm", "/tmp", "/workspace"]


async def test_proc_and_sys_cant_be_written_where_it_matters(shared: SandboxSession) -> None:
    source = """
import os
came = []
for path in ('/proc/sys/kernel/core_pattern', '/proc/sysrq-trigger', '/proc/sys/vm/overcommit_memory', '/proc/1/oom_score_adj',
             '/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/pids/pids.max',
             '/sys/fs/cgroup/pids.max', '/sys/fs/cgroup/cgroup.procs', '/dev/mem', '/dev/kmsg'):
    try: os.write(os.open(path, os.O_RDWR), b'0'); came.append(path)
    except OSError: pass
came
"""
    assert await value(shared, source) == []


async def test_nothing_of_our_environment_is_inside(shared: SandboxSession) -> None:
    names = set(cast("list[str]", await value(shared, "import os; list(os.environ)")))

    assert names <= {
        *("PATH", "HOME", "USER", "LOGNAME", "LANG", "INPUT_DIR", "OUTPUT_DIR", "PYTHONPATH", "PYTHONDONTWRITEBYTECODE"),
        *("MPLBACKEND", "MPLCONFIGDIR", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"),
        *("LC_CTYPE", "KMP_DUPLICATE_LIB_OK", "KMP_INIT_AT_FORK"),
    }


async def test_nothing_of_the_host_is_mounted(shared: SandboxSession) -> None:
    source = """
lines = [line.split(' - ') for line in open('/proc/self/mountinfo')]
virtual = 'tmpfs proc sysfs cgroup cgroup2 devpts mqueue overlay'.split()
sorted({left.split()[4] for left, right in lines if right.split()[0] not in virtual})
"""
    # The engine's own three, which name the container and nothing else; /proc/keys and its like are covered with /dev/null.
    mounts = cast("list[str]", await value(shared, source))
    assert set(mounts) <= {"/etc/hostname", "/etc/hosts", "/etc/resolv.conf"}
    assert await says(shared, "cat /etc/hostname /proc/keys", "bash") == "sandbox"


async def test_the_host_can_not_be_told_from_inside(shared: SandboxSession) -> None:
    assert await says(shared, "import socket; print(socket.gethostname())") == "sandbox"
    cgroups = await says(shared, "print(open('/proc/self/cgroup').read())")
    assert "docker" not in cgroups


async def test_planted_programs_and_modules_are_not_used_by_ours(session: SandboxSession) -> None:
    source = """
import os
os.environ['PATH'] = '/workspace:' + os.environ['PATH']; os.environ['PYTHONPATH'] = '/workspace'
for name in ('python3', 'bash', 'sh', 'env', 'kill'):
    with open(name, 'w') as f: f.write('#!/bin/sh\\ntouch /workspace/TAKEN\\n')
    os.chmod(name, 0o755)
modules = [n + '.py' for n in 'os sitecustomize usercustomize frames numpy encodings preview ast'.split()]
for name in (*modules, '.bashrc', '.profile', 'BASH_ENV'):
    with open(name, 'w') as f: f.write("open('/workspace/TAKEN', 'w')\\n")
os._exit(0)
"""
    assert (await run(session, source)).state == "lost"
    await run(session, "export BASH_ENV=/workspace/BASH_ENV ENV=/workspace/BASH_ENV PATH=/workspace:$PATH", "bash")
    assert await says(session, "1 + 1") == "2"
    await session.preview("nothing.csv")
    listing = await session.files()

    assert "TAKEN" not in {f.name for f in listing.files}


async def test_an_output_that_is_a_frame_is_only_text(shared: SandboxSession) -> None:
    live = Live()
    ran = await run(shared, "import sys; sys.stdout.buffer.write(b'A\\0\\0\\0\\4op\\0x' * 3); sys.stdout.flush()", live=live)

    assert ran.stdout == "A\0\0\0\4op\0x" * 3
    assert ran.ok


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
