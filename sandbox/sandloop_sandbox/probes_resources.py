"""Probes of the limits: memory, processes, processors, descriptors, core files, sizes of files."""

from __future__ import annotations

from dataclasses import replace

from sandloop_sandbox.attack import lines, tell, with_host
from sandloop_sandbox.judging import attempts, needs, not_made
from sandloop_sandbox.probe import PROOF_LIMITS, Probe, Seen, Stage, Verdict

_ONE = """
blocks, piece = [], 32_000_000
while len(blocks) * piece < given['memory'] * 1.25:
    try: blocks.append(b'x' * piece)
    except MemoryError: blocks.clear(); raise   # where the variables stay, others come after this
    tell(taken=len(blocks) * piece)
tell(taken=len(blocks) * piece, all=True)
"""
_MANY = """
import signal
# Each takes well under the limit; all of them more than it.
parts, piece = 5, int(given['memory'] * 0.27)
reader, writer = os.pipe()
children = []
for _ in range(parts):
    child = os.fork()
    if not child:
        block = b'x' * piece
        os.write(writer, b'.')
        signal.pause()
    children.append(child)
os.close(writer)
import select
end, came, ended = time.monotonic() + 50, 0, 0
while time.monotonic() < end and came + ended < parts:
    if select.select([reader], [], [], 0.05)[0]: came += len(os.read(reader, 9))
    for child in children[:]:
        if os.waitpid(child, os.WNOHANG)[0]: children.remove(child); ended += 1
time.sleep(0.1)
for child in children[:]:
    if os.waitpid(child, os.WNOHANG)[0]: children.remove(child)
left = len(children)
tell(parts=parts, left=left, each=piece, came=came)
for child in children: os.kill(child, 9); os.waitpid(child, 0)
"""
_SWAP = """
def number(*paths):
    for path in paths:
        try: text = open(path).read().strip(); return 1 << 62 if text == 'max' else int(text)
        except OSError: pass
memory = number('/sys/fs/cgroup/memory.max', '/sys/fs/cgroup/memory/memory.limit_in_bytes')
swap = number('/sys/fs/cgroup/memory.swap.max')
both = number('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes')
tell(memory=memory, swap=swap if swap is not None else both - memory if both is not None else None)
"""
_FORKS = """
made, number = [], 0
try:
    while len(made) < given['processes'] + 100:
        child = os.fork()
        if not child: time.sleep(60); os._exit(0)
        made.append(child)
except OSError as error: number = error.errno
for child in made: os.kill(child, 9)
for child in made: os.waitpid(child, 0)
import threading
threads, stop, refused = [], threading.Event(), False
try:
    while len(threads) < given['processes'] + 100:
        one = threading.Thread(target=stop.wait); one.start(); threads.append(one)
except RuntimeError: refused = True
stop.set()
tell(made=len(made), number=number, threads=len(threads), refused=refused)
"""
_BUSY = """
def first(*names):
    for folder in ('', 'cpu/', 'cpu,cpuacct/'):
        try: return [open(f'/sys/fs/cgroup/{folder}{name}').read() for name in names]
        except OSError: pass
def stat():
    text = first('cpu.stat')
    return int(dict(line.split() for line in text[0].splitlines()).get('nr_throttled', 0)) if text else 0
limit = ' '.join(first('cpu.max') or first('cpu.cfs_quota_us', 'cpu.cfs_period_us') or ['']).split()
quota = None if not limit else -1 if limit[0] in ('max', '-1') else int(limit[0]) / int(limit[1])
before, began, children = stat(), time.monotonic(), []
for _ in range(3):
    child = os.fork()
    if not child:
        while time.monotonic() < began + 1.5: pass
        os._exit(0)
    children.append(child)
for child in children: os.waitpid(child, 0)
used = sum(os.times()[2:4])
tell(used=used, wall=time.monotonic() - began, throttled=stat() - before, quota=quota)
"""
_ULIMITS = """
import resource
opened = []
try:
    while len(opened) < given['files'] + 100: opened.append(os.dup(0))
except OSError as error: tried.append(['descriptors', error.errno, ''])
count = len(opened)
for one in opened: os.close(one)
for name in ('NOFILE', 'CORE', 'FSIZE'):
    kind = getattr(resource, 'RLIMIT_' + name)
    soft, hard = resource.getrlimit(kind)
    attempt('raise ' + name, resource.setrlimit, kind, (soft, hard + 1 if hard >= 0 else 1 << 40))
hard = {name: resource.getrlimit(getattr(resource, 'RLIMIT_' + name))[1] for name in ('NOFILE', 'CORE', 'FSIZE')}
child = os.fork()
if not child: os.abort()
_, how = os.waitpid(child, 0)
cores = [name for name in os.listdir() if name.startswith('core')]
with open('/tmp/large', 'wb') as file: attempt('large', file.truncate, given['largest'] + 1)
os.remove('/tmp/large')
tell(count=count, hard=hard, died=os.waitstatus_to_exitcode(how), dumped=os.WCOREDUMP(how), cores=cores)
"""
_SLOW = 0.2
"""Cores: so few that a machine which does other things too still has more to give."""


def _bounded_memory(seen: Seen) -> Verdict:
    taken, most = int(seen.told.get("taken", 0)), int(seen.given["memory"])
    if not taken:
        return not_made(seen, "no memory was taken")
    if seen.told.get("all"):
        return Verdict(held=False, happened=f"{taken // 10**6:,} MB were taken, of {most // 10**6:,} allowed")
    if seen.ran.stopped_by != "memory" and seen.ran.error is None:
        return Verdict(held=False, happened=f"it ended after {taken // 10**6:,} MB, stopped by {seen.ran.stopped_by}")
    return Verdict(held=True, happened=f"stopped for memory after {taken // 10**6:,} MB of {most // 10**6:,}")


def _bounded_together(seen: Seen, left: int) -> Verdict:
    parts, each = seen.told["parts"], seen.told["each"] // 10**6
    if left == parts and seen.told["came"] < parts:
        return not_made(seen, f"{seen.told['came']} of {parts} processes took their part in time")
    if left == parts:
        return Verdict(held=False, happened=f"{parts} processes with {each} MB each lived at the same time")
    return Verdict(held=True, happened=f"of {parts} processes with {each} MB each, {parts - left} were killed")


def _no_swap(seen: Seen, swap: int | None) -> Verdict:
    asked = seen.about.get("HostConfig", {})
    if asked and not 0 < asked.get("Memory", 0) == asked.get("MemorySwap"):
        return Verdict(held=False, happened=f"memory {asked.get('Memory')}, with swap {asked.get('MemorySwap')}")
    if swap is None:
        return Verdict(held=None, happened="the engine's kernel does not count swap")
    return Verdict(held=swap == 0, happened=f"{swap:,} bytes of swap beside the memory")


def _bounded_processes(seen: Seen, made: int) -> Verdict:
    most, told = seen.given["processes"], seen.told
    if not 0 < made < most or told["number"] != 11 or not 0 < told["threads"] < most or not told["refused"]:
        return Verdict(held=False, happened=f"{made} processes and {told['threads']} threads were made, of {most} allowed")
    return Verdict(held=True, happened=f"refused after {made} processes, and after {told['threads']} threads")


def _slowed(seen: Seen, used: float) -> Verdict:
    """On a machine that is too busy to give them more anyway, the kernel's own record of the limit has to do."""
    cores, throttled, quota = used / seen.told["wall"], seen.told["throttled"], seen.told["quota"]
    fine = cores <= 1.5 * _SLOW and (quota is None or 0 < quota <= 1.01 * _SLOW)
    held_back = f"held back {throttled} times" if throttled or not fine else "which this busy machine did not even give"
    return Verdict(held=fine, happened=f"three processes used {cores:.2f} cores of {_SLOW} allowed, {held_back}")


def _files(seen: Seen, count: int) -> Verdict:
    most = seen.given["files"]
    fine = 0 < count <= most and seen.told["hard"]["NOFILE"] == most and _refused(seen, "descriptors", "raise NOFILE")
    return Verdict(
        held=fine, happened=f"{count:,} were opened, of {most:,} allowed" + ("; the limit can't be raised" if fine else "")
    )


def _core(seen: Seen, cores: list[str]) -> Verdict:
    fine = not cores and not seen.told["dumped"] and seen.told["hard"]["CORE"] == 0 and seen.told["died"] == -6
    return Verdict(held=fine, happened=f"a process died by signal 6, {len(cores)} files; the limit is {seen.told['hard']['CORE']}")


def _size(seen: Seen, hard: dict[str, int]) -> Verdict:
    largest = seen.given["largest"]
    fine = hard["FSIZE"] == largest and _refused(seen, "large", "raise FSIZE")
    return Verdict(
        held=fine, happened=f"the limit is {hard['FSIZE']:,} bytes; one byte more " + ("was refused" if fine else "was taken")
    )


def _refused(seen: Seen, *names: str) -> bool:
    answers = {name: number for name, number, _ in attempts(seen)}
    return all(answers.get(name, 0) > 0 for name in names)


async def _busy(stage: Stage) -> Seen:
    session = await stage.open(replace(PROOF_LIMITS, cpus=_SLOW))
    return with_host(await tell(session, stage.given, _BUSY), stage, session)


ulimits = lines(_ULIMITS)

PROBES = (
    Probe(
        control="memory: one process",
        tried="take a quarter more than allowed",
        act=lines(_ONE),
        judge=_bounded_memory,
        room="rough",
    ),
    Probe(
        control="memory: many processes",
        tried="take a third more than allowed, in five processes",
        act=lines(_MANY),
        judge=needs("left", _bounded_together),
        room="rough",
    ),
    Probe(control="memory: no swap", tried="read the limits of memory and swap", act=lines(_SWAP), judge=needs("swap", _no_swap)),
    Probe(
        control="processes",
        tried="fork and start threads without end",
        act=lines(_FORKS),
        judge=needs("made", _bounded_processes),
        room="rough",
    ),
    Probe(control="processors", tried="keep three processes busy", act=_busy, judge=needs("used", _slowed), room="slow"),
    Probe(control="open files", tried="open descriptors without end, raise the limit", act=ulimits, judge=needs("count", _files)),
    Probe(control="core files", tried="let a process die with a dump of its memory", act=ulimits, judge=needs("cores", _core)),
    Probe(control="size of a file", tried="make one larger than allowed, raise the limit", act=ulimits, judge=needs("hard", _size)),
)
