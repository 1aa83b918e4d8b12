"""Attacks on what bubblewrap does in another way than a container engine; the rest of the list runs in `test_same_hardening`."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import cast

import pytest

from docker_runs import run, says
from sandloop.ports import SandboxSession
from sandloop_sandbox.bubblewrap_held import found


async def value(session: SandboxSession, source: str) -> object:
    """The last expression of a cell, as a Python value."""
    return ast.literal_eval(await says(session, source))


async def test_the_code_is_nobody_inside_and_can_become_nobody_else(shared: SandboxSession) -> None:
    source = """
import os
status = dict(line.rstrip('\\n').split(':\\t', 1) for line in open('/proc/self/status') if ':\\t' in line)
came = []
for call, *given in ((os.setuid, 0), (os.setgid, 0), (os.setgroups, [0]), (os.chroot, '/tmp'), (os.chown, '/workspace', 0, 0)):
    try: call(*given); came.append(call.__name__)
    except OSError: pass
capabilities = [status['Cap' + kind] for kind in ('Eff', 'Prm', 'Inh', 'Bnd', 'Amb')]
ids = min(os.getresuid()) >= 20000, min(os.getresgid()) >= 20000
(*ids, capabilities, status['NoNewPrivs'], status['Seccomp'], came)
"""
    assert await value(shared, source) == (True, True, ["0" * 16] * 5, "1", "2", [])


async def test_on_the_machine_it_is_not_root_either(session: SandboxSession) -> None:
    await says(session, "1")
    (sandbox,) = [one for one in found() if one.held.id == session.opened.id]
    children = Path(f"/proc/{sandbox.pid}/task/{sandbox.pid}/children").read_text().split()

    assert children
    for child in children:
        uids = Path(f"/proc/{child}/status").read_text().split("Uid:")[1].split("\n")[0].split()
        assert "0" not in uids
        assert os.geteuid() != 0 or all(int(uid) >= 20_000 for uid in uids)


async def test_the_network_is_a_loopback_without_anybody(shared: SandboxSession) -> None:
    source = """
lines = [line.partition(':')[0].strip() for line in open('/proc/net/dev') if ':' in line]
lines, len(open('/proc/net/route').readlines()), open('/proc/net/tcp').read().count('\\n')
"""
    assert await value(shared, source) == (["lo"], 1, 1)


async def test_only_the_machines_programs_and_ours_are_shown_and_none_can_be_written(shared: SandboxSession) -> None:
    source = """
lines = [line.split(' - ') for line in open('/proc/self/mountinfo')]
virtual = 'tmpfs proc devpts devtmpfs'.split()
[(left.split()[4], left.split()[5].split(',')[0]) for left, right in lines if right.split()[0] not in virtual]
"""
    mounts = cast("list[tuple[str, str]]", await value(shared, source))
    shown = {
        *("/usr", "/usr/local", "/bin", "/sbin", "/lib", "/lib64", "/lib32", "/libx32"),
        *("/opt/python", "/opt/mplconfig", "/opt/sandloop", "/etc/alternatives", "/etc/ld.so.cache", "/etc/fonts"),
    }
    assert {(path, how) for path, how in mounts if not path.startswith("/dev/")} <= {(path, "ro") for path in shown}


@pytest.mark.parametrize("path", ["/home", "/root", "/var", "/run", "/srv", "/mnt", "/media", "/sys", "/etc/shadow", "/work"])
async def test_what_is_the_users_is_not_there(shared: SandboxSession, path: str) -> None:
    assert await value(shared, f"import os; os.path.lexists({path!r})") is False


async def test_the_first_process_shows_nothing_of_the_caller(shared: SandboxSession) -> None:
    ran = await run(
        shared, "cat /proc/1/environ /proc/1/maps /proc/1/mem; ls /proc/1/fd /proc/1/cwd; kill -9 1; kill -STOP 1", "bash"
    )

    assert ran.stdout == ""
    assert await value(shared, "open('/proc/1/cmdline').read().split('\\0')[0]") == "/usr/local/bin/python3"


async def test_nothing_is_there_that_says_which_machine_this_is(shared: SandboxSession) -> None:
    source = """
import os
told = []
for path in ('/proc/cmdline', '/proc/keys', '/proc/modules', '/proc/kallsyms', '/proc/partitions',
             '/proc/sys/kernel/random/boot_id'):
    try: told += [path] * bool(open(path).read())
    except OSError: pass
told, os.listdir('/proc/fs'), os.uname().nodename
"""
    assert await value(shared, source) == ([], [], "sandbox")


@pytest.mark.parametrize(
    ("call", "number"),
    [
        ("unshare(0x10000000)", 1),
        ("mount(b'none', b'/tmp', b'tmpfs', 0, 0)", 1),
        ("ptrace(0, 0, 0, 0)", 1),
        ("keyctl(0, 0)", 1),
        ("syscall(435, 0, 0)", 38),
        ("syscall(425, 1, 0)", 1),
        ("syscall(321, 0, 0, 0)", 1),
        ("socket(2, 1, 0)", 1),
        ("personality(0x0040000)", 1),
        ("setpriority(2, 0, 0)", 1),
    ],
)
async def test_the_allow_list_of_system_calls_is_in_force(shared: SandboxSession, call: str, number: int) -> None:
    call = call.replace("keyctl(", "syscall(250, ")
    source = f"import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n(libc.{call}, ctypes.get_errno())"

    assert await value(shared, source) == (-1, number)
