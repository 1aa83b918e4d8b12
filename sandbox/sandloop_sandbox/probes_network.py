"""Probes of the network: nothing is reached, and there is nothing to reach it with."""

from __future__ import annotations

import errno

from sandloop_sandbox.attack import lines
from sandloop_sandbox.judging import both, needs, refused
from sandloop_sandbox.probe import Judge, Probe, Seen, Verdict

FILTERED = frozenset({errno.EPERM, errno.ENOSYS})
"""What our filter of system calls answers; anything else came from the kernel behind it."""

_ROUTES = """
def table(path, head):
    try: return len(open(path).read().splitlines()) - head
    except FileNotFoundError: return 0
try: routes6 = sum(line.split()[-1] != 'lo' for line in open('/proc/net/ipv6_route'))
except FileNotFoundError: routes6 = 0
interfaces = sorted(os.listdir('/sys/class/net')) if os.path.isdir('/sys') else []
tell(interfaces=interfaces, routes=table('/proc/net/route', 1), routes6=routes6,
     devices=sorted(line.split(':')[0].strip() for line in open('/proc/net/dev').read().splitlines()[2:]))
"""
_HOST = """
for address in given['addresses'] + ['host.docker.internal', 'localhost']:
    def reach():
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as s:
            s.settimeout(0.5); s.connect((address, given['port'])); s.send(b'x')
    attempt('tcp ' + address, reach)
tell()
"""
_IPV6 = """
for address in ('::1', '::ffff:' + given['addresses'][-1], 'fe80::1', '2001:db8::1'):
    def reach():
        with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as s:
            s.settimeout(0.5); s.connect((address, given['port6'] or given['port'])); s.send(b'x')
    attempt('tcp6 ' + address, reach)
tell()
"""
_DNS = """
question = b'\\1\\2\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\7example\\3com\\0\\0\\1\\0\\1'
for address in given['addresses'] + ['8.8.8.8']:
    def ask():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            for port in (given['udp'], 53): s.sendto(question, (address, port))
    attempt('ask ' + address, ask)
attempt('resolve', socket.getaddrinfo, 'example.com', 80)
tell()
"""
_ABSTRACT = """
def reach():
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(1); s.connect('\\0' + given['secret']); s.send(b'x')
attempt('abstract', reach)
tell(names=sum('@' in line for line in open('/proc/net/unix')))
"""
_FAMILIES = """
for family in range(0, 47):
    for kind in (1, 2, 3, 5):
        def make(): socket.socket(family, kind, 0).close()
        attempt(f'family {family} kind {kind}', make)
tell()
"""
_NAMED = """
for name, family, kind, protocol in given['families']:
    def make(): socket.socket(family, kind, protocol).close()
    attempt(name, make)
tell()
"""
NAMED_FAMILIES = (
    ("raw IPv4", 2, 3, 1),
    ("raw IPv6", 10, 3, 58),
    ("packet", 17, 3, 768),
    ("netlink route", 16, 3, 0),
    ("netlink audit", 16, 3, 9),
    ("vsock stream", 40, 1, 0),
    ("vsock datagram", 40, 2, 0),
    ("AF_ALG", 38, 5, 0),
    ("AF_XDP", 44, 3, 0),
    ("bluetooth", 31, 3, 1),
)
"""Name, family, kind and protocol of the sockets that are more than network, or are not bound by a network namespace."""

routes, named = lines(_ROUTES), lines(_NAMED)


def _empty(seen: Seen, interfaces: list[str]) -> Verdict:
    told = seen.told
    every = sorted({*interfaces, *told["devices"]})
    if every != ["lo"] or told["routes"] or told["routes6"]:
        says = f"interfaces {', '.join(every)}; {told['routes']} routes, {told['routes6']} of IPv6"
        return Verdict(held=False, happened=says)
    return Verdict(held=True, happened="only the loopback, no route")


def unvisited(name: str) -> Judge:
    """Held when nobody came to that server of ours."""

    def judge(seen: Seen) -> Verdict:
        came = sum(visit == name for visit in seen.host["visits"])
        if came:
            return Verdict(held=False, happened=f"our own server had {came} visits")
        return Verdict(held=True, happened="our own server had no visit")

    return judge


def _only_local(seen: Seen) -> Verdict:
    opened = sorted({int(what.split()[1]) for what, number, _ in seen.told.get("tried", []) if not number})
    made = len(seen.told.get("tried", []))
    if made < 180 or opened != [1]:
        return Verdict(held=False, happened=f"families that opened: {opened or 'none, not even the local one'} ({made} attempts)")
    return Verdict(held=True, happened=f"{made} attempts: of 47 families only the local one (unix) opens")


def _no_names(seen: Seen, names: int) -> Verdict:
    return Verdict(held=not names, happened=f"{names} abstract sockets to be seen" if names else "none to be seen")


def _named(name: str, least: int) -> Judge:
    return refused(name, least=least, by=FILTERED)


PROBES = (
    Probe(
        control="network: none",
        tried="list the interfaces and routes of IPv4 and IPv6",
        act=routes,
        judge=needs("interfaces", _empty),
    ),
    Probe(
        control="network: this machine",
        tried="connect to a server of ours on each of this machine's addresses",
        act=lines(_HOST),
        judge=both(unvisited("tcp"), refused("tcp ", least=3)),
    ),
    Probe(
        control="network: IPv6",
        tried="connect to a server of ours over IPv6",
        act=lines(_IPV6),
        judge=both(unvisited("tcp6"), refused("tcp6 ", least=4)),
    ),
    Probe(
        control="network: names",
        tried="send name queries (UDP) to this machine and beyond, resolve a name",
        act=lines(_DNS),
        judge=both(unvisited("udp"), refused("", least=3)),
    ),
    Probe(
        control="network: abstract sockets",
        tried="connect to an abstract unix socket of this machine",
        act=lines(_ABSTRACT),
        judge=both(unvisited("abstract"), both(refused("abstract"), needs("names", _no_names))),
    ),
    Probe(control="sockets: local only", tried="open sockets of all families", act=lines(_FAMILIES), judge=_only_local),
    Probe(
        control="sockets: raw", tried="open raw and packet sockets", act=named, judge=both(_named("raw", 2), _named("packet", 1))
    ),
    Probe(control="sockets: netlink", tried="open netlink sockets", act=named, judge=_named("netlink", 2)),
    Probe(
        control="sockets: vsock",
        tried="open sockets to the hypervisor, which no network namespace binds",
        act=named,
        judge=_named("vsock", 2),
    ),
    Probe(control="sockets: kernel crypto", tried="open AF_ALG and AF_XDP sockets", act=named, judge=_named("AF_", 2)),
)
