"""Nothing goes out: neither to a network, nor to the machine, nor to another container."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import cast

import pytest

from docker_runs import SMALL, Open, says, value
from sandloop.ports import SandboxSession


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


async def test_no_socket_is_had_by_another_spelling_of_the_call(shared: SandboxSession) -> None:
    # Of the family only the lower 32 bits count for the kernel; socketcall, and the numbers of other calling conventions, are none.
    source = """
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall.argtypes = [ctypes.c_long] * 5
number = 41 if os.uname().machine == 'x86_64' else 198
families = [40, 38, 16, 17, 44, 2, 10, 1 << 32 | 40, 1 << 32 | 1 << 31 | 2, -24 & (1 << 64) - 1]
[family for family in families if libc.syscall(number, ctypes.c_long(family).value, 1, 0, 0) >= 0]
"""
    assert await value(shared, source) == []


@pytest.mark.parametrize("gate", ["x32", "int 0x80"])
async def test_the_gates_of_other_architectures_end_the_process(shared: SandboxSession, gate: str) -> None:
    # In a child, as the filter kills whoever comes through them.
    source = f"""
import ctypes, mmap, os
def attack():
    if {gate!r} == 'x32':
        return ctypes.CDLL(None).syscall(0x40000000 + 41, 40, 1, 0)
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    # mov eax, 359 (socket); mov ebx, 40; mov ecx, 1; xor edx, edx; int 0x80; ret
    code.write(bytes.fromhex('53b867010000bb28000000b90100000031d2cd805bc3'))
    return ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))()
child = os.fork()
if child == 0:
    os._exit(7 if attack() >= 0 else 0)
os.uname().machine, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
    machine, code = cast("tuple[str, int]", await value(shared, source))
    assert machine != "x86_64" or code in (0, -31)


async def test_sockets_of_the_machine_are_in_no_namespace_of_ours(shared: SandboxSession) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("\0sandloop-oracle")
        server.listen()
        server.settimeout(0.2)
        source = """
import glob, os, socket, stat
came = []
for address in ('\\0sandloop-oracle', '/var/run/docker.sock', '/run/docker.sock', '/run/containerd/containerd.sock', '/run/dbus/system_bus_socket'):
    try: socket.socket(socket.AF_UNIX).connect(address); came.append(address)
    except OSError: pass
for top, folders, files in os.walk('/'):
    if top in ('/proc', '/sys'): folders[:] = []
    came += [path for path in (os.path.join(top, name) for name in files) if stat.S_ISSOCK(os.lstat(path).st_mode)]
came
"""
        assert await value(shared, source) == []
        with pytest.raises(TimeoutError):
            server.accept()


async def test_neighbours_share_no_channel(open_session: Open) -> None:
    one, other = await open_session(SMALL), await open_session(SMALL)
    # Left standing by the first: an abstract socket, a named one, shared memory, a file in every scratch place.
    await says(
        one,
        """
import os, socket
from multiprocessing import shared_memory
servers = [socket.socket(socket.AF_UNIX) for _ in range(2)]
for server, name in zip(servers, ('\\0meet', '/tmp/meet')): server.bind(name); server.listen()
memory = shared_memory.SharedMemory('meet', create=True, size=10)
for place in ('/workspace', '/tmp', '/dev/shm'): open(place + '/left', 'w').write('x')
""",
    )
    source = """
import os, socket
from multiprocessing import shared_memory
came = [place for place in ('/workspace', '/tmp', '/dev/shm', '/input') if os.listdir(place)]
for name in ('\\0meet', '/tmp/meet'):
    try: socket.socket(socket.AF_UNIX).connect(name); came.append(name)
    except OSError: pass
try: shared_memory.SharedMemory('meet'); came.append('memory')
except OSError: pass
came + [line.split()[-1] for line in open('/proc/net/unix').readlines()[1:] if 'meet' in line]
"""
    assert await value(other, source) == []
