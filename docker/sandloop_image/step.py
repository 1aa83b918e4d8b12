"""One step: what it prints is captured, its time is kept, and its end is seen from outside.

A step ends when the kernel claims so, when its process dies, or when it is made to end; never at the end of a pipe, which a
daemon may hold open. Then everybody is frozen, what is left in the pipes is read, and all but kernel and zygote are killed.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping

from . import environment, facts, frames, processes
from .capture import Capture
from .folder import WORK
from .hostlink import HostLink
from .pipes import MOST_READS, read_some

GRACE_SECONDS = 1.0
"""Between the interrupt and the kill."""
_TICK, _BLIND_TICK = 0.05, 0.002
"""How long nothing is looked at, while something may wake us and where nothing can."""
_PIECE_SECONDS = 0.005
_PIECE_BYTES = 1 << 15
"""Live output goes out in pieces: one frame a write would drown the host in tiny ones."""
MAX_CLAIM = 1 << 19
PLACES = (WORK, "/tmp", "/dev/shm")  # noqa: S108 - the container's own
NO_ROOM = ("No space left on device", "File too large", "Not enough free space")
"""What is said, the last by numpy, of a file that found no room, wherever it was and whether or not it was removed since."""
_CLAIM_CHARS = {"name": 200, "value": 4_000, "trace": 20_000}


class Stream:
    """One output stream of the step: kept, counted, and passed on live."""

    def __init__(self, send: Callable[[bytes, bytes], None], source: int, live: bytes, tail: bytes, kept: int) -> None:
        self.source = source
        self.capture = Capture(kept)
        self._send, self._live, self._tail = send, live, tail
        self._held = bytearray()
        self.ended = False
        """Nobody has the pipe open for writing any more."""
        # As if just sent: what a short step prints goes out together with its answer.
        self._sent_at = time.monotonic()

    def read(self) -> bool:
        """Take what is there; whether there was anything."""
        data = read_some(self.source)
        if data is None:
            return False
        self.ended = not data
        self._held += self.capture.take(data)
        self.flush(now=len(self._held) >= _PIECE_BYTES)
        return bool(data)

    def flush(self, *, now: bool = False) -> None:
        """Send what is held, if it is time."""
        at = time.monotonic()
        if self._held and (now or at - self._sent_at >= _PIECE_SECONDS):
            self._send(self._live, bytes(self._held))
            self._held.clear()
            self._sent_at = at

    @property
    def due(self) -> float | None:
        """Seconds until what is held should go out."""
        return max(0.0, self._sent_at + _PIECE_SECONDS - time.monotonic()) if self._held else None

    def finish(self) -> None:
        """What is left in the pipe after the step, which is bounded even if somebody goes on writing."""
        for _ in range(MOST_READS):
            if not self.read():
                break
        if self._held:
            self._send(self._live, bytes(self._held))
            self._held.clear()
        tail = self.capture.tail()
        for start in range(0, len(tail), frames.MAX_PAYLOAD):
            self._send(self._tail, tail[start : start + frames.MAX_PAYLOAD])


class Claim:
    """What the kernel says about a cell: bounded, well-formed, and no more than a claim."""

    def __init__(self, number: int) -> None:
        self._number, self._left = str(number), MAX_CLAIM
        self._decoder = frames.Decoder(frames.FROM_KERNEL)
        self.said: dict[str, str] | None = None
        self.exit_code = 0
        self.environment: environment.Changes = {}
        """What the cell changed in it."""
        self.broken = False
        """It is none that our kernel makes: the kernel is not ours any more."""

    def read(self, source: int) -> None:
        """Take what is there."""
        data = read_some(source) or b""
        self._left -= len(data)
        try:
            for _, payload in self._decoder.feed(data):
                self._take(frames.parse_record(payload))
        except (frames.Malformed, KeyError, ValueError):
            self.broken = True
        self.broken |= self._left < 0

    def _take(self, said: dict[str, str]) -> None:
        self.exit_code = int(said["exit"])
        if self.said is not None or said["n"] != self._number or not 0 <= self.exit_code <= 255:
            raise frames.Malformed("a claim out of turn")
        self.environment = environment.unpacked(said.get("env", ""))
        self.said = {key: said[key][:most] for key, most in _CLAIM_CHARS.items()}


class Step:
    """The running of one cell or script, up to the answer."""

    _locks = facts.Locks()

    def __init__(
        self, host: HostLink, command: Mapping[str, str], out: int, err: int, send: Callable[[bytes, bytes], None] | None = None
    ) -> None:
        self.host, self.number = host, command["n"]
        kept = int(command["kept"])
        self.total = int(command["total"])
        self.streams = (
            Stream(send or host.queue, out, frames.STDOUT, frames.STDOUT_TAIL, kept),
            Stream(send or host.queue, err, frames.STDERR, frames.STDERR_TAIL, kept),
        )
        self._were_full = _full()
        self.started = time.monotonic()
        self.until = self.started + float(command["seconds"])
        self.cause = ""
        """Why it was made to end: `time`, `output`, `interrupt`, `memory`."""
        self.out_of_memory = ""

    def follow(self, pid: int, over: Callable[[], bool], *readable: int, pending: memoryview | None = None, to: int = -1) -> bool:
        """Follow the process until `over()` says so. False: it did not end in time and has to be killed."""
        self._locks.go_on(time.monotonic())
        while not over():
            dues = [stream.due for stream in self.streams if stream.due is not None]
            left = max(0.0, self.until - time.monotonic())
            sources = [stream.source for stream in self.streams if not stream.ended]
            tick = _TICK if sources or readable else _BLIND_TICK
            ready = self.host.wait(min([tick, left, *dues]), *sources, *readable, writable=to if pending else None)
            if pending and to in ready:
                pending = pending[os.write(to, pending) :]
            for stream in self.streams:
                if stream.source in ready:
                    stream.read()
                stream.flush()
            if not self._goes_on(pid):
                return False
        return True

    def _goes_on(self, pid: int) -> bool:
        if not self.cause:
            self.cause = self._reason_to_end()
            if self.cause:
                processes.tell_group(pid, signal.SIGINT)
                # Its locks go with it only.
                self.until = time.monotonic() + (GRACE_SECONDS if self.cause != "memory" else 0.0)
            return True
        return time.monotonic() < self.until

    def _reason_to_end(self) -> str:
        while self.host.inbox:
            kind, payload = self.host.inbox.popleft()
            if kind != frames.COMMAND:
                raise frames.Malformed("data in the middle of a step")
            command = frames.parse_record(payload)
            if command["op"] != "interrupt":
                raise frames.Malformed("a command in the middle of a step")
            if command["n"] == self.number:
                return "interrupt"
        if sum(stream.capture.total for stream in self.streams) > self.total:
            return "output"
        now = time.monotonic()
        if self._locks.too_many(now):
            return "memory"
        return "time" if now >= self.until else ""

    def stands_still(self) -> None:
        """All that ran in it is frozen or dead."""
        self._locks.pause(time.monotonic())

    def hear_out(self) -> None:
        """Read what is left of the output."""
        for stream in self.streams:
            stream.finish()

    def stopped_by(
        self, counters: facts.Counters, *, well: bool, kernel_died: bool = False, others: int = 0, error: str = ""
    ) -> str:
        """What stopped it, as far as it can be known from outside.

        `kernel_died`: the interpreter ended by a kill that was not ours; `others`: so did as many processes of ours. `error` is
        the one that the kernel claims: where the folder was full before, it says whether that stopped the step.
        """
        kills, refused = counters.since()
        if kills and kernel_died:
            self.out_of_memory = "kernel"
        elif kills > others:
            self.out_of_memory = "child"
        if self.cause:
            return self.cause
        if well:
            return "itself"
        if self.out_of_memory:
            return "memory"
        if refused:
            return "processes"
        full = _full()
        no_room = full - self._were_full or (WORK in full and not error) or any(words in error for words in NO_ROOM)
        return "disk" if no_room else "itself"

    def answer(self, stopped_by: str, exit_code: int, *, lost: bool, error: Mapping[str, str]) -> None:
        """The record that ends the step."""
        out, err = (stream.capture.total for stream in self.streams)
        self.host.answer(
            op="run",
            n=self.number,
            exit=exit_code,
            stopped=stopped_by,
            state="lost" if lost else "kept",
            seconds=time.monotonic() - self.started,
            out=out,
            err=err,
            oom=self.out_of_memory,
            **{key: error.get(key, "") for key in ("name", "value", "trace")},
        )


def _full() -> set[str]:
    """The places where nothing more can be written."""
    return {place for place in PLACES if facts.is_full(place)}
