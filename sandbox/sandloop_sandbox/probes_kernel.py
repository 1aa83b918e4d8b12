"""Probes of identity and of the kernel's surface: who the code is, what it may become, and which system calls it reaches."""

from __future__ import annotations

import errno

from sandloop_sandbox.attack import lines
from sandloop_sandbox.judging import both, needs, not_made, refused
from sandloop_sandbox.probe import Judge, Probe, Seen, Verdict
from sandloop_sandbox.probes_network import FILTERED
from sandloop_sandbox.system_calls import GROUPS

_IDENTITY = """
for name, call_, *arguments in (('setuid', os.setuid, 0), ('setgid', os.setgid, 0), ('setgroups', os.setgroups, [0]),
                               ('setresuid', os.setresuid, 0, 0, 0), ('chown', os.chown, '/workspace', 0, 0)):
    attempt(name, call_, *arguments)
tell(uids=os.getresuid(), gids=os.getresgid(), groups=os.getgroups())
"""
_STATUS = """
def status(pid): return dict(line.rstrip('\\n').split(':\\t', 1) for line in open(f'/proc/{pid}/status') if ':\\t' in line)
def mine(pid): return {key: status(pid).get(key, 'missing') for key in
                       ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs', 'Seccomp')}
bounding = [number for number in range(64) if libc.prctl(23, number, 0, 0, 0) == 1]
attempt('mknod', os.mknod, '/workspace/null', 0o20666, os.makedev(1, 3))
attempt('chroot', os.chroot, '/tmp')
attempt('chown', os.chown, '/tmp', 0, 0)
attempt('low nice', lambda: call(141 if os.uname().machine == 'x86_64' else 140, 0, 0, -5))
# An own program with the bits for another identity, and what it is once started.
own = os.memfd_create('own')
with open('/bin/sh', 'rb') as shell: os.write(own, shell.read())
os.fchmod(own, 0o6755)
start = [f'/proc/self/fd/{own}', '-p', '-c', 'grep NoNewPrivs /proc/self/status']
asked = subprocess.run(start, capture_output=True, text=True, pass_fds=[own])
os.close(own)
tell(self=mine('self'), first=mine(1), bounding=bounding, asked=asked.stdout.split()[-1:], again=libc.prctl(39, 0, 0, 0, 0))
"""
_CALLS = """
numbers = given['calls'].get(os.uname().machine, {})
for group, names in numbers.items():
    for name, number, *arguments in names:
        room = ctypes.create_string_buffer(256)
        def make(): return call(number, *[room if a == 'room' else a for a in arguments])
        # In a child: a call that comes through may stop or spoil whoever makes it.
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try: make(); answer = 0
            except OSError as error: answer = error.errno
            os.write(writer, b'%d' % answer); os._exit(0)
        os.close(writer)
        answer = os.read(reader, 10).decode() or '-1'
        os.close(reader); os.waitpid(child, 0)
        tried.append([f'{group} {name}', int(answer), ''])
tell(machine=os.uname().machine)
"""
_GATE = """
machine, answers = os.uname().machine, {}
program = '''
import ctypes, mmap, sys
code = bytes.fromhex('b814000000cd80c3')   # mov eax, 20 (getpid of 32 bits); int 0x80; ret
page = mmap.mmap(-1, 4096, prot=7)
page.write(code)
print('attempted', flush=True)
print('answer', ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))(), flush=True)
'''
x32 = '''
import ctypes
print('attempted', flush=True)
libc = ctypes.CDLL(None, use_errno=True)
print('answer', libc.syscall(ctypes.c_long(0x40000000 + 39)), ctypes.get_errno(), flush=True)
'''
if machine == 'x86_64':
    for name, text in (('int 0x80', program), ('x32', x32)):
        ran = subprocess.run([sys.executable, '-I', '-c', text], capture_output=True, text=True)
        said = ran.stdout.split()
        if said[:1] == ['attempted']: answers[name] = int(said[2]) if len(said) > 2 else None
tell(machine=machine, answers=answers)
"""


def _nobody(seen: Seen, uids: list[int]) -> Verdict:
    gids, groups, outside = seen.told["gids"], seen.told["groups"], seen.host.get("process", {})
    ids = {*uids, *gids, *groups, *(int(n) for key in ("Uid", "Gid") for n in outside.get(key, "").split())}
    if 0 in ids or len({*gids, *groups}) > 1:
        return Verdict(held=False, happened=f"uids {uids}, gids {gids}, groups {groups}; outside {sorted(ids)}")
    return Verdict(held=True, happened=f"user and group {uids[0]}, no other group")


def _no_capability(seen: Seen, me: dict[str, str]) -> Verdict:
    kinds = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
    places = {"the code": me, "PID 1": seen.told["first"], "this machine's view": seen.host.get("process") or me}
    held = [f"{who} has {kind} {at.get(kind)}" for who, at in places.items() for kind in kinds if int(at.get(kind, "1"), 16)]
    if seen.told["bounding"]:
        held.append(f"{len(seen.told['bounding'])} can be gained")
    return Verdict(held=not held, happened="; ".join(held[:3]) or "all five sets are empty, for PID 1 too")


def _no_gain(seen: Seen, me: dict[str, str]) -> Verdict:
    said = {me["NoNewPrivs"], seen.told["first"]["NoNewPrivs"], *seen.told["asked"]}
    said |= {value for key, value in seen.host.get("process", {}).items() if key == "NoNewPrivs"}
    if not seen.told["asked"] or said != {"1"} or seen.told["again"] != 1:
        return Verdict(held=False, happened=f"no-new-privileges is {', '.join(sorted(said))}")
    return Verdict(held=True, happened="no-new-privileges is in force, after a start with set-id bits too")


def _filter(seen: Seen, me: dict[str, str]) -> Verdict:
    modes = {me["Seccomp"], seen.told["first"]["Seccomp"]}
    return Verdict(
        held=modes == {"2"}, happened=f"seccomp mode {', '.join(sorted(modes))}" + (" (filter)" if modes == {"2"} else "")
    )


def _gate(seen: Seen, answers: dict[str, int | None]) -> Verdict:
    if seen.told["machine"] != "x86_64":
        return Verdict(held=None, happened=f"{seen.told['machine']} has no such gate")
    if len(answers) != 2:
        return not_made(seen, f"of two calls {len(answers)} were made")
    through = [name for name, answer in answers.items() if answer is not None and answer >= 0]
    if through:
        return Verdict(held=False, happened=f"{', '.join(through)} came through")
    says = (f"{name}: {'killed' if answer is None else 'refused'}" for name, answer in answers.items())
    return Verdict(held=True, happened=", ".join(says))


def _clone3(seen: Seen) -> Verdict:
    (answer,) = [number for name, number, _ in seen.told.get("tried", []) if name == "clone3 clone3"] or [None]
    if answer is None:
        return not_made(seen, "clone3 was not called")
    return Verdict(held=answer == errno.ENOSYS, happened=f"it answered {errno.errorcode.get(answer, answer)}")


def _calls(group: str, tried: str) -> Probe:
    least = len(GROUPS[group])
    judge: Judge = refused(f"{group} ", least=least, by=FILTERED)
    return Probe(control=f"system calls: {_TITLES[group]}", tried=tried, act=forbidden, judge=judge)


_TITLES = {
    "io_uring": "io_uring",
    "other": "other processes",
    "kernel": "kernel interfaces",
    "keyring": "keyring",
    "mount": "mounts",
    "namespace": "namespaces",
    "counted": "counted per user",
    "machine": "the machine",
}
identity, state, forbidden = lines(_IDENTITY), lines(_STATUS), lines(_CALLS)

PROBES = (
    Probe(
        control="user: nobody",
        tried="become root by five calls, list user, group and groups",
        act=identity,
        judge=both(needs("uids", _nobody), refused("set", least=4)),
    ),
    Probe(
        control="capabilities: none",
        tried="read all five sets, of PID 1 too; make a device, chroot, give files away",
        act=state,
        judge=both(needs("self", _no_capability), refused("", least=4)),
    ),
    Probe(
        control="privileges: no gain",
        tried="start an own program with set-id bits, switch no-new-privileges off",
        act=state,
        judge=needs("self", _no_gain),
    ),
    Probe(
        control="system calls: filter",
        tried="read the seccomp mode of the code and of PID 1",
        act=state,
        judge=needs("self", _filter),
    ),
    _calls("io_uring", "set up io_uring, whose operations pass by a filter"),
    _calls("other", "trace and read other processes, take their descriptors, change PID 1's limits"),
    _calls("kernel", "bpf, perf events, userfaultfd, modules, kexec, file handles, personality"),
    _calls("keyring", "use the kernel's keyring, which no namespace holds"),
    _calls("mount", "mount, unmount, move and change roots"),
    _calls("namespace", "make a user namespace by unshare and clone, enter one by setns"),
    _calls("counted", "inotify, message queues, System V memory, asynchronous I/O"),
    _calls("machine", "set clock, name, priorities, accounting, swap; write out its disks, read its log"),
    Probe(control="system calls: clone3", tried="call clone3, whose flags no filter sees", act=forbidden, judge=_clone3),
    Probe(
        control="system calls: 32-bit gate",
        tried="make system calls by int 0x80 and by x32 numbers",
        act=lines(_GATE),
        judge=needs("answers", _gate),
    ),
)
