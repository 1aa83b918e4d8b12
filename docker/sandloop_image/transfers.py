"""Files in and out, and the list of those that there are: between the host's line and the folders."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping

from . import frames
from .folder import WORK, Incoming, Listing, Refused, open_regular
from .hostlink import HostLink


class Transfers:
    """The operations on files."""

    def __init__(self, host: HostLink) -> None:
        self._host = host

    def put(self, command: Mapping[str, str]) -> None:
        """Take a file in."""
        incoming, refused, data = None, "", sent_along(self._host)
        try:
            incoming = Incoming(command["name"])
            for piece in data:
                incoming.write(piece)
            incoming.finish(int(command["modified"]))
        except Refused as error:
            refused = str(error)
            if incoming is not None:
                incoming.drop()
        if incoming is not None:
            incoming.close()
        with contextlib.suppress(Refused):
            for _ in data:
                continue  # the rest of what was refused
        self._host.answer(op="put", n=command["n"], refused=refused, size=incoming.size if incoming else 0)

    def list(self, command: Mapping[str, str]) -> None:
        """Say what stands in the working folder."""
        listing = Listing(WORK)
        self._host.send(frames.FILES, "\0".join(listing.files).encode())
        self._host.send(frames.SKIPPED, "\0".join(listing.skipped).encode())
        self._host.answer(op="list", n=command["n"])

    def get(self, command: Mapping[str, str]) -> None:
        """Send a file out, as fast as the host takes it."""
        try:
            file = open_regular(WORK, command["name"], int(command["most"]))
        except Refused as error:
            return self._host.answer(op="get", n=command["n"], refused=str(error), size=0)
        size = left = os.fstat(file).st_size
        try:
            while left:
                self._host.send_file(frames.DATA, file, min(left, frames.MAX_PAYLOAD))
                left -= min(left, frames.MAX_PAYLOAD)
        finally:
            os.close(file)
        return self._host.answer(op="get", n=command["n"], refused="", size=size)


def sent_along(host: HostLink) -> Iterator[bytes]:
    """What the host sends along with a command, code or a file, piece by piece. Raises `Refused` when it gave up."""
    while True:
        kind, payload = host.next_frame()
        if kind == frames.GIVEN_UP:
            raise Refused("was given up")
        if kind == frames.COMMAND and frames.parse_record(payload).get("op") == "interrupt":
            continue  # of a step that has ended meanwhile
        if kind != frames.DATA:
            raise frames.Malformed("a command in the middle of data")
        if not payload:
            return
        yield payload
