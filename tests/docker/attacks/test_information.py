"""What a step can find out: nothing of the machine, of us, of neighbours, of those who were there before."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

import pytest

from docker_runs import SMALL, Open, run, says, value
from sandloop.ports import SandboxSession
from sandloop_sandbox.container import LABEL
from sandloop_sandbox.engine import Engine


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


@pytest.mark.parametrize(
    "path",
    [
        *("/proc/cmdline", "/proc/key-users", "/proc/keys", "/proc/sys/kernel/random/boot_id", "/proc/kallsyms", "/proc/modules"),
        *(
            "/proc/diskstats",
            "/proc/partitions",
            "/proc/interrupts",
            "/proc/softirqs",
            "/proc/iomem",
            "/proc/config.gz",
            "/proc/swaps",
        ),
        *("/proc/timer_list", "/proc/sched_debug", "/proc/zoneinfo", "/proc/buddyinfo", "/proc/slabinfo", "/proc/vmallocinfo"),
        *(
            "/proc/kcore",
            "/proc/kmsg",
            "/proc/kpagecount",
            "/proc/bus",
            "/proc/fs",
            "/proc/irq",
            "/proc/acpi",
            "/proc/scsi",
            "/proc/driver",
        ),
        *(
            "/sys/block",
            "/sys/class/dmi/id",
            "/sys/devices/virtual/dmi",
            "/sys/bus/pci/devices",
            "/sys/firmware",
            "/sys/kernel",
            "/sys/module",
        ),
        *(
            "/sys/kernel/debug",
            "/sys/kernel/tracing",
            "/sys/kernel/security",
            "/sys/hypervisor",
            "/sys/power",
            "/sys/dev",
            "/sys/fs/ext4",
        ),
        *(
            "/dev/pts",
            "/etc/machine-id",
            "/etc/hosts",
            "/etc/resolv.conf",
            "/var/lib/dbus",
            "/run",
            "/home",
            "/root",
            "/mnt",
            "/srv",
        ),
    ],
)
async def test_a_place_that_tells_of_the_machine_is_empty_or_closed(shared: SandboxSession, path: str) -> None:
    source = f"""
import os
try: found = os.listdir({path!r}) if os.path.isdir({path!r}) else open({path!r}, 'rb').read(100)
except OSError: found = b''
len(found)
"""
    assert await value(shared, source) == 0 or path in ("/run", "/home", "/var/lib/dbus"), path


async def test_ids_of_the_machine_are_nowhere_to_be_read(shared: SandboxSession) -> None:
    canaries = [
        Path(name).read_text().strip() for name in ("/proc/sys/kernel/random/boot_id", "/etc/machine-id") if Path(name).exists()
    ]
    canaries += [os.uname().nodename] if len(os.uname().nodename) > 5 else []
    source = f"""
import os
found, canaries = [], [c.encode() for c in {[c for c in canaries if c]!r}]
for top, folders, files in os.walk('/'):
    folders[:] = [f for f in folders if not (top == '/' and f in ('usr', 'opt')) and not (top == '/proc' and f.isdigit() and int(f) != os.getpid())]
    if top.count('/') > 4: folders[:] = []
    for name in files:
        try:
            file = os.open(os.path.join(top, name), os.O_RDONLY | os.O_NONBLOCK)
            data = os.read(file, 1 << 16); os.close(file)
        except OSError: continue
        found += [os.path.join(top, name) for canary in canaries if canary in data and '/environ' not in name and 'mem' != name]
found
"""
    assert await value(shared, source) == []


async def test_canaries_of_our_process_are_not_inside(open_session: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "HTTPS_PROXY", "SANDLOOP_CANARY"):
        monkeypatch.setenv(name, "canary-5d2f")
    session = await open_session(SMALL)
    source = """
import glob, os
places = [*glob.glob('/proc/*/environ'), *glob.glob('/proc/*/cmdline'), '/etc/environment', '/proc/self/mountinfo']
found = []
for place in places:
    try: found += [place] if b'canary-5d2f' in open(place, 'rb').read() else []
    except OSError: pass
found
"""
    assert await value(session, source) == []
    assert await says(session, "env | grep -c canary-5d2f; true", "bash") == "0"


async def test_a_session_finds_nothing_of_one_before_it(open_session: Open) -> None:
    first = await open_session(SMALL)
    fill = "import os\nfor p in ('/workspace', '/tmp', '/dev/shm'):\n    open(p + '/left', 'w').write('canary-77' * 100)"
    await says(first, fill)
    await first.close()
    second = await open_session(SMALL)

    assert await says(second, "ls -A /workspace /tmp /dev/shm /input | grep -v : | tr -d '\\n'", "bash") == ""


async def test_processes_of_neighbours_and_of_the_machine_are_not_seen(open_session: Open) -> None:
    neighbour, session = await open_session(SMALL), await open_session(SMALL)
    await says(neighbour, "import subprocess; child = subprocess.Popen(['sleep', '4242'])")
    names = cast("list[str]", await value(session, "import os; [n for n in os.listdir('/proc') if n.isdigit()]"))

    assert len(names) <= 3


async def test_the_container_is_as_the_engine_was_asked(engine: Engine, open_session: Open) -> None:
    session = await open_session(SMALL)
    (container,) = engine.labelled(f"{LABEL}.session={session.opened.id}")
    client: Any = engine.client
    found = client.inspect_container(container)
    host = found["HostConfig"]

    assert {"/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware", "/proc/cmdline", "/dev/pts"} <= set(
        host["MaskedPaths"]
    )
    assert {"/proc/sys", "/proc/sysrq-trigger"} <= set(host["ReadonlyPaths"])
    assert (host["NetworkMode"], host["Privileged"], host["Binds"], host["CapDrop"]) == ("none", False, None, ["ALL"])
    assert found["Mounts"] == []


@pytest.mark.parametrize(
    "source",
    [
        "import os; len(os.sched_getaffinity(0)) >= 1 and os.cpu_count() >= 1",
        "import os; os.getloadavg()[0] >= 0",
        "import time; time.time() > 1e9 and time.monotonic() > 0",
        "import platform; bool(platform.platform() and platform.machine())",
        "import joblib; joblib.cpu_count(only_physical_cores=True) >= 1",
        "import pyarrow; pyarrow.cpu_count() >= 1",
        "import duckdb; duckdb.sql('select current_setting($$threads$$)').fetchone()[0] >= 1",
        "import numpy; bool(numpy.ones(1000).sum() == 1000)",
        "from sklearn.linear_model import LinearRegression as L; bool(L(n_jobs=2).fit([[0], [1]], [0, 1]).coef_[0] > 0.9)",
        "import uuid; uuid.uuid1() != uuid.uuid4()",
        "import multiprocessing as m; m.cpu_count() >= 1",
    ],
)
async def test_libraries_do_not_miss_what_is_covered(shared: SandboxSession, source: str) -> None:
    ran = await run(shared, source)

    assert (ran.stdout.strip(), ran.stderr) == ("True", ""), ran
