"""How two processes of one user meet on this machine, and how an open connection goes from one to the other.

They meet at a Unix socket in a folder that is the user's alone, and each asks the kernel who the other is. One message goes each
way, of bounded size; with the answer may come a descriptor. Nothing here waits without an end.
"""

from __future__ import annotations

import array
import contextlib
import os
import socket
import stat
import struct
import sys
import tempfile
import time
from pathlib import Path

MOST = 1 << 16
"""Bytes of a message."""
LONGEST_PATH = 107
"""What fits into the address of a Unix socket."""
_FOLDER = stat.S_IRWXU


class Unfit(Exception):
    """There is no place to meet, or the other one is not ours."""


def possible(address: str) -> bool:
    """Whether connections to that engine can be given away, which only those of plain sockets can, and there is a place to meet."""
    if sys.platform != "linux" or not address.startswith("unix://"):
        return False
    with contextlib.suppress(Unfit):
        return bool(folder())
    return False


def folder() -> Path:
    """The user's own folder for sockets, made if need be. Raises `Unfit` when it could be anybody else's, too."""
    given = os.environ.get("XDG_RUNTIME_DIR", "")
    places = [Path(given) / "sandloop"] if given.startswith("/") and _is_ours(Path(given)) else []
    for place in (*places, Path(tempfile.gettempdir()) / f"sandloop-{os.geteuid()}"):
        with contextlib.suppress(OSError):
            place.mkdir(mode=_FOLDER, exist_ok=True)
            if _is_ours(place):
                return place
    raise Unfit(f"no folder of user {os.geteuid()} alone")


def _is_ours(place: Path) -> bool:
    """A real folder, of this user, closed to all others."""
    with contextlib.suppress(OSError):
        about = place.lstat()
        return stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid() and stat.S_IMODE(about.st_mode) == _FOLDER
    return False


def meeting_place(name: str) -> Path:
    """The socket of that name. Raises `Unfit`."""
    place = folder() / name
    if len(os.fsencode(place)) > LONGEST_PATH:
        raise Unfit(f"{place} is too long for a socket")
    return place


def peer_is_ours(connection: socket.socket) -> bool:
    """Whether the process at the other end belongs to this user, as the kernel knows it."""
    size = struct.calcsize("3i")
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, size))
    return bool(uid == os.geteuid())


def listen(place: Path) -> socket.socket:
    """A socket to be met at. The caller has seen to it that nobody else listens there."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    place.unlink(missing_ok=True)
    listener.bind(str(place))
    place.chmod(0o600)
    listener.listen(64)
    return listener


def call(place: Path, message: bytes, seconds: float) -> tuple[bytes, socket.socket | None]:
    """Say something and hear the answer, all within that time. Raises `OSError` (also for the time) or `Unfit`."""
    end = time.monotonic() + seconds
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.settimeout(seconds)
        connection.connect(str(place))
        if not peer_is_ours(connection):
            raise Unfit("somebody else listens there")
        connection.send(message)
        connection.settimeout(max(0.001, end - time.monotonic()))
        return receive(connection)


def receive(connection: socket.socket) -> tuple[bytes, socket.socket | None]:
    """One message, and the connection that came with it."""
    one = array.array("i").itemsize
    message, about, flags, _ = connection.recvmsg(MOST, socket.CMSG_SPACE(one), socket.MSG_CMSG_CLOEXEC)
    descriptors = array.array("i")
    for level, kind, data in about:
        if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
            descriptors.frombytes(data[: len(data) - len(data) % one])
    if len(descriptors) > 1 or flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        for descriptor in descriptors:
            os.close(descriptor)
        raise Unfit("it sent more than was agreed")
    return message, socket.socket(fileno=descriptors[0]) if descriptors else None


def answer(connection: socket.socket, message: bytes, given: socket.socket | None = None) -> None:
    """Answer a call, and give a connection away with it."""
    rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [given.fileno()]))] if given is not None else []
    connection.sendmsg([message], rights)
