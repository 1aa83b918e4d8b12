"""Probes of what the code finds: the root, the scratch places and their bounds, mounts, devices, /proc and /sys, namespaces."""

from __future__ import annotations

import errno
from typing import Any

from sandloop_sandbox.attack import lines
from sandloop_sandbox.judging import both, needs, not_made, refused
from sandloop_sandbox.probe import Probe, Seen, Verdict

_WALK = """
import stat
writable, gains, sockets, devices, seen = [], [], [], [], 0
for top, folders, files in os.walk('/'):
    if top in ('/proc', '/sys'): folders[:] = []; continue
    seen += 1
    path = os.path.join(top, '.try')
    try: os.close(os.open(path, os.O_CREAT | os.O_WRONLY)); os.remove(path); writable.append(top)
    except OSError: pass
    with os.scandir(top) as entries:
        for entry in entries:
            try: mode = entry.stat(follow_symlinks=False).st_mode
            except OSError: continue
            if stat.S_ISREG(mode) and mode & 0o6000:
                if not os.statvfs(entry.path).f_flag & os.ST_NOSUID: gains.append(entry.path)
            elif stat.S_ISSOCK(mode): sockets.append(entry.path)
            elif stat.S_ISCHR(mode) or stat.S_ISBLK(mode): devices.append(entry.path)
mounts = []
for line in open('/proc/self/mountinfo'):
    left, _, right = line.rstrip().partition(' - ')
    fields, kind = left.split(), right.split()
    mounts.append([fields[4], kind[0], fields[5].split(',') + kind[2].split(','), fields[3]])
for path in ('/usr/bin/.try', '/etc/.try', '/opt/.try', '/.try', '/usr/local/lib/.try'):
    attempt('create ' + path, os.open, path, os.O_CREAT | os.O_WRONLY)
for path in ('/usr/bin/env', '/opt/sandloop/supervisor.py', '/etc/passwd'):
    attempt('open ' + path, os.open, path, os.O_WRONLY)
tell(seen=seen, writable=sorted(writable), gains=gains, sockets=sockets, devices=sorted(devices), mounts=mounts,
     read_only=bool(os.statvfs('/').f_flag & os.ST_RDONLY))
"""
_FILL = """
taken = {}
attempt('open /input', os.chmod, '/input', 0o700)
for place, size in given['scratch'].items():
    got, number, step = 0, 0, 4_000_000
    # A little more than there may be, in files under the limit of one file.
    while got < size * 1.2 + 16_000_000 and step >= 4096:
        try: file = os.open(f'{place}/fill-{got}', os.O_CREAT | os.O_WRONLY)
        except OSError as error: number = error.errno; break
        try: os.posix_fallocate(file, 0, step); got += step
        except OSError as error: number = error.errno; step //= 4
        finally: os.close(file)
    taken[place] = [got, number]
    for name in os.listdir(place):
        if name.startswith('fill-'): os.remove(f'{place}/{name}')
tell(taken=taken)
"""
_INODES = """
made = {}
attempt('open /input', os.chmod, '/input', 0o700)
for place in given['scratch']:
    count, number = 0, 0
    try:
        os.mkdir(f'{place}/many')
        while count < given['inodes'] + 500: os.mknod(f'{place}/many/{count}'); count += 1
    except OSError as error: number = error.errno
    made[place] = [count, number]
    for name in range(count): os.remove(f'{place}/many/{name}')
    if os.path.isdir(f'{place}/many'): os.rmdir(f'{place}/many')
tell(made=made)
"""
_HOST_FILES = """
found, looked = [], 0
points = {line.split()[4] for line in open('/proc/self/mountinfo')} | {'/', '/host', '/mnt', '/media', '/rootfs'}
parts = given['path'].split('/')[1:]
for point in points:
    for start in range(len(parts)):
        path = os.path.join(point, *parts[start:])
        looked += 1
        try:
            if given['secret'] in open(path).read(): found.append(path)
            open(path, 'a').write('spoiled'); found.append('written: ' + path)
        except OSError: pass
tell(found=found, looked=looked)
"""
_PROC = """
import stat
open_, state = [], {}
for path in given['masked']:
    try: about = os.stat(path)
    except OSError as error: state[path] = 'absent'; continue
    covered = stat.S_ISCHR(about.st_mode) and about.st_rdev == os.makedev(1, 3)
    if stat.S_ISDIR(about.st_mode):
        try: covered = not os.listdir(path)
        except PermissionError: covered = True
    state[path] = 'covered' if covered else 'open'
groups = [line.split()[4] for line in open('/proc/self/mountinfo') if line.partition(' - ')[2].startswith(('cgroup', 'sysfs'))]
for path in ['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus', '/proc/fs'] + groups:
    if os.path.exists(path): state[path] = 'read-only' if os.statvfs(path).f_flag & os.ST_RDONLY else 'writable'
for path in ('/proc/sys/kernel/core_pattern', '/proc/sys/vm/overcommit_memory', '/proc/sysrq-trigger', '/proc/self/oom_score_adj',
             '/sys/fs/cgroup/memory/memory.limit_in_bytes', '/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/pids/pids.max',
             '/sys/fs/cgroup/pids.max', '/sys/fs/cgroup/cgroup.procs', '/sys/kernel/mm/transparent_hugepage/enabled',
             '/proc/1/oom_score_adj', '/dev/mem', '/dev/kmsg', '/proc/kcore'):
    # One's own score may only be raised; that it can't be lowered is what counts.
    attempt('write ' + path, lambda: os.write(os.open(path, os.O_WRONLY), b'-1000'))
tell(state=state)
"""
_NAMESPACES = """
tell(mine={name: os.readlink('/proc/self/ns/' + name) for name in os.listdir('/proc/self/ns')},
     hostname=socket.gethostname(), pids=sum(n.isdigit() for n in os.listdir('/proc')), cgroup=open('/proc/self/cgroup').read())
"""
MASKED = ("/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/sched_debug", "/proc/scsi", "/proc/acpi", "/sys/firmware")
_VIRTUAL = frozenset({"proc", "sysfs", "cgroup", "cgroup2", "devpts", "mqueue", "tmpfs", "overlay"})
_ENGINES_OWN = frozenset({"/etc/resolv.conf", "/etc/hostname", "/etc/hosts"})
"""They name the container and nothing else, and are read-only with the root."""
_ENGINES_DEVICES = frozenset({"null", "zero", "full", "random", "urandom", "tty", "console", "ptmx"})

walk = lines(_WALK)


def _root(seen: Seen, writable: list[str]) -> Verdict:
    extra = sorted(set(writable) - set(seen.given["scratch"]))
    if extra or not seen.told["read_only"]:
        return Verdict(held=False, happened=f"the root is {_not(seen.told['read_only'])}read-only; writable: {extra[:5]}")
    return Verdict(held=True, happened=f"of {seen.told['seen']} folders only {', '.join(writable)} can be written")


def _not(fine: bool) -> str:
    return "" if fine else "not "


def _mounts(seen: Seen, mounts: list[Any]) -> Verdict:
    scratch, shown = seen.given["scratch"], set(seen.given["shown"])
    wrong: list[str] = []
    for point, kind, flags, root in mounts:
        if point in scratch and (kind != "tmpfs" or not {"nosuid", "nodev"} <= set(flags)):
            wrong.append(f"{point} is {kind} with {','.join(flags[:4])}")
        elif (point in shown and flags[0] == "ro") or (
            shown and (root == "/null" or point.removeprefix("/dev/") in _ENGINES_DEVICES)
        ):
            continue
        elif kind == "devtmpfs" or (kind not in _VIRTUAL and (point not in _ENGINES_OWN or flags[0] == "rw")):
            wrong.append(f"{point} is of {kind}")
    missing = set(scratch) - {point for point, *_ in mounts}
    wrong += [f"{point} is no place of its own" for point in sorted(missing)]
    return Verdict(
        held=not wrong, happened="; ".join(wrong[:4]) or f"{len(mounts)} mounts, none of this machine's; no set-id, no devices"
    )


def _none(key: str, what: str) -> Any:
    def judge(seen: Seen, found: list[str]) -> Verdict:
        if found:
            return Verdict(held=False, happened=f"{len(found)} {what}: {', '.join(found[:4])}")
        return Verdict(held=True, happened=f"no {what} in {seen.told.get('seen') or seen.told.get('looked')} places")

    return needs(key, judge)


def _devices(seen: Seen, found: list[str]) -> Verdict:
    more = [path for path in found if path.removeprefix("/dev/") not in _ENGINES_DEVICES and not path.startswith("/dev/pts/")]
    return Verdict(
        held=not more,
        happened=f"more than the usual: {', '.join(more[:6])}" if more else f"the usual {len(found)}, none of hardware",
    )


def _sizes(seen: Seen, taken: dict[str, list[int]]) -> Verdict:
    wrong = [
        f"{place} took {taken[place][0]:,} of {size:,} bytes"
        for place, size in seen.given["scratch"].items()
        if not _full(taken[place], size, size + 65_536)
    ]
    return Verdict(held=not wrong, happened="; ".join(wrong) or "each was full at its size: no space left on device")


def _full(end: list[int], size: int, most: int) -> bool:
    """Whether a place was full at its size; or not to be written to at all, as inputs may be. Otherwise nothing is no proof."""
    got, number = end
    if not got and number in (errno.EACCES, errno.EPERM, errno.EROFS):
        return True
    return size * 0.5 < got <= most and number == errno.ENOSPC


def _inodes(seen: Seen, made: dict[str, list[int]]) -> Verdict:
    most = seen.given["inodes"]
    wrong = [f"{place} took {made[place][0]:,} files" for place in seen.given["scratch"] if not _full(made[place], most, most)]
    return Verdict(held=not wrong, happened="; ".join(wrong) or f"each was full at {most:,} files: no space left on device")


def _untouched(seen: Seen, found: list[str]) -> Verdict:
    if found or seen.host["file"] != seen.given["secret"]:
        return Verdict(held=False, happened=f"our file was found: {', '.join(found[:3])}")
    return Verdict(held=True, happened=f"not found under {seen.told['looked']} paths, and unchanged")


def _masked(seen: Seen, state: dict[str, str]) -> Verdict:
    wrong = [f"{path} is {how}" for path, how in state.items() if how in ("open", "writable")]
    if "/proc/sys" not in state:
        return not_made(seen, "/proc/sys was not looked at")
    return Verdict(held=not wrong, happened="; ".join(wrong[:5]) or f"{len(state)} places covered, absent or read-only")


def _own(seen: Seen, mine: dict[str, str]) -> Verdict:
    ours, modes = seen.given["namespaces"], seen.about.get("HostConfig", {})
    shared = [name for name, which in mine.items() if ours.get(name) == which]
    shared += [key for key in ("PidMode", "IpcMode", "UTSMode", "UsernsMode", "NetworkMode") if modes.get(key) == "host"]
    if seen.told["hostname"] == seen.given["hostname"]:
        shared.append("host name")
    if (most := seen.given["processes"]) < seen.told["pids"]:
        shared.append(f"{seen.told['pids']} processes (at most {most} are its own)")
    return Verdict(
        held=not shared, happened=f"shared with this machine: {', '.join(shared)}" if shared else f"{len(mine)} of its own"
    )


PROBES = (
    Probe(
        control="root: read-only",
        tried="create a file in every folder, open system files and our programs for writing",
        act=walk,
        judge=both(needs("writable", _root), refused("", least=8)),
    ),
    Probe(control="root: no set-id programs", tried="search all files", act=walk, judge=_none("gains", "set-id programs")),
    Probe(control="mounts: only scratch", tried="list the mounts with their flags", act=walk, judge=needs("mounts", _mounts)),
    Probe(
        control="mounts: no files of ours",
        tried="look for a file of this machine under every mount, and write to it",
        act=lines(_HOST_FILES),
        judge=needs("found", _untouched),
    ),
    Probe(control="mounts: no engine socket", tried="search all files for sockets", act=walk, judge=_none("sockets", "sockets")),
    Probe(control="devices: none", tried="search all files for devices", act=walk, judge=needs("devices", _devices)),
    Probe(control="scratch: sizes", tried="fill every writable place", act=lines(_FILL), judge=needs("taken", _sizes)),
    Probe(
        control="scratch: number of files",
        tried="make files without end in every writable place",
        act=lines(_INODES),
        judge=needs("made", _inodes),
    ),
    Probe(
        control="/proc and /sys: covered",
        tried="read what the kernel shows of itself, write its settings and our limits",
        act=lines(_PROC),
        judge=both(needs("state", _masked), refused("write", least=12)),
    ),
    Probe(
        control="namespaces: its own",
        tried="compare the namespaces, the host name and the processes with ours",
        act=lines(_NAMESPACES),
        judge=needs("mine", _own),
    ),
)
