"""What can be asked of a supervisor, one function each. Blocking; used from threads.

An answer is believed in what the supervisor alone can know (exit, time, what stopped it), and checked in its form. What the
kernel claims about itself (the error's name, value and traceback) is passed on as text of the code.
"""

from __future__ import annotations

import math
import os
import stat
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path
from typing import Literal

from sandloop.errors import BadFile
from sandloop.events import CodeError, CodeRan, Language, StoppedBy
from sandloop.limits import Limits
from sandloop.ports import FoundFile, Listing, LocalFile, OnOutput
from sandloop_image import frames
from sandloop_sandbox.container import answer
from sandloop_sandbox.line import Line, expect
from sandloop_sandbox.output import Heard

PIECE = 1 << 19
ANSWER_SECONDS = 60.0
"""Of an operation that is no step. Files: beside what their size allows."""
SLOWEST = 250_000
"""Bytes of a file in a second, below which a supervisor only keeps us waiting."""
PREVIEW_SECONDS = 60.0
"""The supervisor's own bound is 10."""
LATE_SECONDS = 45.0
"""The host's last word on time: a step's own limit, plus the interrupt's grace, plus the libraries' loading on a busy machine."""
MAX_SOURCE = 1_000_000
MAX_NAME_BYTES, MAX_LISTED = 1_000, 20_002
"""Of a listing; the supervisor keeps to them."""
MAX_WORDS = 500
"""Characters of a reason that the supervisor gives."""
MAX_PREVIEW = 20_000
MAX_NAME, MAX_VALUE, MAX_TRACE = 200, 4_000, 20_000
"""Characters of a claim; the supervisor keeps to them."""
MOST_AT_ONCE, MOST_A_SECOND = 100, 500
"""Frames of live output: an honest supervisor sends one for each 32 KiB, or each 5 ms for each stream."""


def run(line: Line, number: int, code_id: str, source: str, language: Language, limits: Limits, on_output: OnOutput) -> CodeRan:
    """Run a cell to its end."""
    code = source.encode("utf-8", "replace")
    if len(code) > MAX_SOURCE:
        said = f"The code is longer than {MAX_SOURCE} bytes and was not run."
        return CodeRan(code_id=code_id, exit_code=1, stderr=said, seconds=0.0)
    bounds = {"seconds": limits.step_seconds, "kept": limits.output_kept, "total": limits.output_total}
    began = time.monotonic()
    line.command(code, *([b""] if code else []), op="run", n=number, language=language, **bounds)
    out = Heard(limits.output_kept, lambda text: on_output("stdout", text))
    err = Heard(limits.output_kept, lambda text: on_output("stderr", text))
    take = {
        frames.STDOUT: out.live,
        frames.STDERR: err.live,
        frames.STDOUT_TAIL: out.tail,
        frames.STDERR_TAIL: err.tail,
    }
    deadline = began + limits.step_seconds + LATE_SECONDS
    most = MOST_AT_ONCE + limits.output_kept // 10_000
    heard = 0
    try:
        while (read := line.read(deadline))[0] in take:
            take[read[0]](read[1])
            heard += 1
            if heard > most + MOST_A_SECOND * (time.monotonic() - began):
                raise frames.Malformed("its output in too many pieces")
        return _code_ran(code_id, _answer_to("run", number, line, *read), out, err)
    except (frames.Malformed, ValueError, KeyError) as error:
        raise line.lost(f"it sent a result that can't be: {error}") from error


def _code_ran(code_id: str, fields: dict[str, str], out: Heard, err: Heard) -> CodeRan:
    stdout, stdout_cut = out.finish(_count(fields["out"]))
    stderr, stderr_cut = err.finish(_count(fields["err"]))
    name, value, trace = fields["name"][:MAX_NAME], fields["value"][:MAX_VALUE], fields["trace"][:MAX_TRACE]
    return CodeRan(
        code_id=code_id,
        exit_code=_count(fields["exit"], most=255),
        stdout=stdout,
        stderr=stderr,
        stdout_cut=stdout_cut,
        stderr_cut=stderr_cut,
        error=CodeError(name=name, value=value, traceback=trace) if name else None,
        seconds=_seconds(fields["seconds"]),
        stopped_by=_stopped_by(fields["stopped"]),
        state=_state(fields["state"]),
        out_of_memory=_out_of_memory(fields["oom"]),
    )


class _Patience:
    """How long the moving of a file may keep us waiting: some time, and more as it gets on. Time of our own doesn't count."""

    def __init__(self) -> None:
        self._left, self.deadline = ANSWER_SECONDS, 0.0

    @contextmanager
    def waiting(self) -> Generator[None]:
        """Around each wait; it has to end by `deadline`."""
        self.deadline = time.monotonic() + self._left
        yield
        self._left = self.deadline - time.monotonic()

    def moved(self, size: int) -> None:
        self._left += size / SLOWEST


def put(line: Line, number: int, given: LocalFile) -> None:
    """Copy a file in, as long as it was when it was taken. Raises `BadFile` when it can't be; the line goes on."""
    name = given.file.name
    _check_name(name)
    with _opened(name, given.path) as file:
        about = os.fstat(file.fileno())
        line.command(op="put", n=number, name=name, modified=about.st_mtime_ns)
        unreadable = _send_file(line, file, given.file.size or about.st_size)
    line.send(frames.GIVEN_UP if unreadable else frames.DATA)
    fields = _one_answer("put", number, line, ANSWER_SECONDS)
    refused = expect(fields, "refused", line)[:MAX_WORDS]
    if unreadable:
        raise BadFile(name=name, why=f"can't be read to its end: {unreadable}", do="Copy it, and give the copy")
    if refused:
        raise BadFile(name=name, why=f"can't be put into the sandbox: it {refused}", do="Give it another name, or leave it out")


def _opened(name: str, path: Path) -> FileIO:
    try:
        # It was a regular file when it was taken; opening what became a pipe must not wait for a writer.
        file = FileIO(path, opener=lambda path, flags: os.open(path, flags | os.O_NONBLOCK))
    except OSError as error:
        raise BadFile(name=name, why=f"can't be read any more ({error.strerror})", do="Check that it is still there") from error
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise BadFile(name=name, why="is no regular file any more", do="Check that it is still there")
    return file


def _send_file(line: Line, file: FileIO, size: int) -> str:
    """Send that much of it, in frames of data; returns why that was not possible."""
    wire, patience = bytearray(frames.HEADER + PIECE), _Patience()
    with memoryview(wire) as view:
        while size:
            try:
                read = file.readinto(view[frames.HEADER : frames.HEADER + min(PIECE, size)])
            except OSError as error:
                return error.strerror or "it can't be read"
            if not read:
                return "it has become shorter"
            size -= read
            view[: frames.HEADER] = frames.header(frames.DATA, read)
            with patience.waiting():
                line.send_wire(view[: frames.HEADER + read], patience.deadline)
            patience.moved(read)
    return ""


def listing(line: Line, number: int) -> Listing:
    """What stands in the working folder."""
    line.command(op="list", n=number)
    deadline = time.monotonic() + ANSWER_SECONDS
    files, skipped = (_texts(line, kind, *line.read(deadline)) for kind in (frames.FILES, frames.SKIPPED))
    _answer_to("list", number, line, *line.read(deadline))
    try:
        rows = zip(files[::3], files[1::3], files[2::3], strict=True)
        found = tuple(FoundFile(name=_file_name(name), size=_count(size), version=version[:100]) for name, size, version in rows)
        if len({file.name for file in found}) < len(found):
            raise ValueError("a name that comes twice")
        left_out = zip(skipped[::2], skipped[1::2], strict=True)
        return Listing(files=found, skipped=tuple((name[:MAX_NAME_BYTES], why[:MAX_WORDS]) for name, why in left_out))
    except ValueError as error:
        raise line.lost(f"it sent a listing that can't be: {error}") from error


def get(line: Line, number: int, name: str, most: int) -> Iterator[bytes]:
    """Yield the bytes of a file. Must be read to its end."""
    _check_name(name)
    line.command(op="get", n=number, name=name, most=most)
    got, patience = 0, _Patience()
    while True:
        with patience.waiting():
            kind, payload = line.read(patience.deadline)
        if kind != frames.DATA:
            break
        got += len(payload)
        if got > most or not payload:
            raise line.lost("it sent more of a file than was asked for" if payload else "it sent nothing as a piece of a file")
        patience.moved(len(payload))
        yield payload
    fields = _answer_to("get", number, line, kind, payload)
    if refused := expect(fields, "refused", line)[:MAX_WORDS]:
        raise BadFile(name=name, why=f"can't be brought back: it {refused}", do="Write it as a plain, smaller file")


def preview(line: Line, number: int, name: str) -> str:
    """A short description of an input file, or a sentence why there is none."""
    _check_name(name)
    line.command(op="preview", n=number, name=name)
    fields = _one_answer("preview", number, line, PREVIEW_SECONDS)
    text = expect(fields, "text", line)[:MAX_PREVIEW].strip()
    try:
        stopped = _stopped_by(expect(fields, "stopped", line))
    except ValueError as error:
        raise line.lost(f"it sent a preview that can't be: {error}") from error
    if stopped != "itself":
        return f"(no preview: it was stopped by its limit of {stopped})"
    return text if text and expect(fields, "exit", line) == "0" else "(no preview: the file can't be read as what it seems to be)"


def _one_answer(op: str, number: int, line: Line, seconds: float) -> dict[str, str]:
    return _answer_to(op, number, line, *line.read(time.monotonic() + seconds))


def _answer_to(op: str, number: int, line: Line, kind: bytes, payload: bytes) -> dict[str, str]:
    fields = answer(line, kind, payload)
    if fields is None or fields.get("op") != op or fields.get("n") != str(number):
        raise line.lost("it answered another question")
    return fields


def _check_name(name: str) -> None:
    if len(name.encode("utf-8", "replace")) > MAX_NAME_BYTES:
        raise BadFile(name=name[:100], why=f"has a name of more than {MAX_NAME_BYTES} bytes", do="Give it a shorter one")


def _texts(line: Line, wanted: bytes, kind: bytes, payload: bytes) -> list[str]:
    if kind != wanted or payload.count(b"\0") > MAX_LISTED:
        raise line.lost("it sent a listing that can't be")
    try:
        return frames.parse_texts(payload)
    except frames.Malformed as error:
        raise line.lost(f"it sent {error}") from error


def _file_name(text: str) -> str:
    if not text or len(text.encode()) > MAX_NAME_BYTES:
        raise ValueError(f"the name {text[:100]!r}")
    return text


def _count(text: str, most: int = 1 << 62) -> int:
    """A number as the supervisor writes them; `int` takes more, and other digits than ours."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= most):
        raise ValueError(f"the number {text[:50]!r}")
    return int(text)


def _seconds(text: str) -> float:
    seconds = float(text[:50])
    if not (math.isfinite(seconds) and seconds >= 0):
        raise ValueError(f"{text[:50]!r} seconds")
    return round(seconds, 6)


def _stopped_by(text: str) -> StoppedBy:
    match text:
        case "itself" | "time" | "memory" | "output" | "processes" | "disk" | "interrupt":
            return text
        case _:
            raise ValueError(f"stopped by {text[:50]!r}")


def _out_of_memory(text: str) -> Literal["child", "kernel"] | None:
    match text:
        case "child" | "kernel":
            return text
        case "":
            return None
        case _:
            raise ValueError(f"out of memory: {text!r}")


def _state(text: str) -> Literal["kept", "lost"]:
    match text:
        case "kept" | "lost":
            return text
        case _:
            raise ValueError(f"state {text[:50]!r}")
