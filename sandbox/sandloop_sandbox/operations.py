"""What can be asked of a supervisor, one function each. Blocking; used from threads.

An answer is believed in what the supervisor alone can know (exit, time, what stopped it), and checked in its form. What the
kernel claims about itself (the error's name, value and traceback) is passed on as text of the code.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from sandloop.errors import BadFile
from sandloop.events import CodeError, CodeRan, Language, StoppedBy
from sandloop.limits import Limits
from sandloop.ports import FoundFile, Listing, OnOutput
from sandloop_image import frames
from sandloop_sandbox.container import answer
from sandloop_sandbox.line import Line, expect
from sandloop_sandbox.output import Heard

PIECE = 1 << 19
ANSWER_SECONDS = 60.0
"""Of an operation that is no step. Files: of each piece."""
PREVIEW_SECONDS = 60.0
"""The supervisor's own bound is 10."""
LATE_SECONDS = 45.0
"""The host's last word on time: a step's own limit, plus the interrupt's grace, plus the libraries' loading on a busy machine."""
MAX_SOURCE = 1_000_000


def run(line: Line, number: int, code_id: str, source: str, language: Language, limits: Limits, on_output: OnOutput) -> CodeRan:
    """Run a cell to its end."""
    code = source.encode("utf-8", "replace")
    if len(code) > MAX_SOURCE:
        said = f"The code is longer than {MAX_SOURCE} bytes and was not run."
        return CodeRan(code_id=code_id, exit_code=1, stderr=said, seconds=0.0)
    bounds = {"seconds": limits.step_seconds, "kept": limits.output_kept, "total": limits.output_total}
    line.command(code, *([b""] if code else []), op="run", n=number, language=language, **bounds)
    out = Heard(limits.output_kept, lambda text: on_output("stdout", text))
    err = Heard(limits.output_kept, lambda text: on_output("stderr", text))
    take = {
        frames.STDOUT: out.live,
        frames.STDERR: err.live,
        frames.STDOUT_TAIL: out.tail,
        frames.STDERR_TAIL: err.tail,
    }
    deadline = time.monotonic() + limits.step_seconds + LATE_SECONDS
    try:
        while (read := line.read(deadline))[0] in take:
            take[read[0]](read[1])
        return _code_ran(code_id, _answer_to("run", number, line, *read), out, err)
    except (frames.Malformed, ValueError, KeyError) as error:
        raise line.lost(f"it sent a result that can't be: {error}") from error


def _code_ran(code_id: str, fields: dict[str, str], out: Heard, err: Heard) -> CodeRan:
    stdout, stdout_cut = out.finish(int(fields["out"]))
    stderr, stderr_cut = err.finish(int(fields["err"]))
    error = CodeError(name=fields["name"], value=fields["value"], traceback=fields["trace"]) if fields["name"] else None
    return CodeRan(
        code_id=code_id,
        exit_code=int(fields["exit"]),
        stdout=stdout,
        stderr=stderr,
        stdout_cut=stdout_cut,
        stderr_cut=stderr_cut,
        error=error,
        seconds=round(float(fields["seconds"]), 6),
        stopped_by=_stopped_by(fields["stopped"]),
        state=_state(fields["state"]),
    )


def put(line: Line, number: int, name: str, path: Path) -> None:
    """Copy a file in, piece by piece."""
    try:
        file = path.open("rb", buffering=0)
    except OSError as error:
        raise BadFile(name=name, why=f"can't be read any more ({error.strerror})", do="Check that it is still there") from error
    with file:
        line.command(op="put", n=number, name=name)
        while piece := file.read(PIECE):
            line.send(frames.DATA, piece)
    line.send(frames.DATA)
    fields = _one_answer("put", number, line, ANSWER_SECONDS)
    if refused := expect(fields, "refused", line):
        raise BadFile(name=name, why=f"can't be put into the sandbox: it {refused}", do="Give it another name, or leave it out")


def listing(line: Line, number: int) -> Listing:
    """What stands in the working folder."""
    line.command(op="list", n=number)
    files: list[str] = []
    skipped: list[str] = []
    deadline = time.monotonic() + ANSWER_SECONDS
    while (read := line.read(deadline))[0] in (frames.FILES, frames.SKIPPED):
        (files if read[0] == frames.FILES else skipped).extend(_texts(line, read[1]))
    _answer_to("list", number, line, *read)
    try:
        rows = zip(files[::3], files[1::3], files[2::3], strict=True)
        found = tuple(FoundFile(name=name, size=int(size), version=version) for name, size, version in rows)
        return Listing(files=found, skipped=tuple(zip(skipped[::2], skipped[1::2], strict=True)))
    except ValueError as error:
        raise line.lost(f"it sent a listing that can't be: {error}") from error


def get(line: Line, number: int, name: str, most: int) -> Iterator[bytes]:
    """Yield the bytes of a file. Must be read to its end."""
    line.command(op="get", n=number, name=name, most=most)
    got = 0
    while (read := line.read(time.monotonic() + ANSWER_SECONDS))[0] == frames.DATA:
        got += len(read[1])
        if got > most:
            raise line.lost("it sent more of a file than was asked for")
        yield read[1]
    fields = _answer_to("get", number, line, *read)
    if refused := expect(fields, "refused", line):
        raise BadFile(name=name, why=f"can't be brought back: it {refused}", do="Write it as a plain, smaller file")


def preview(line: Line, number: int, name: str) -> str:
    """A short description of an input file, or a sentence why there is none."""
    line.command(op="preview", n=number, name=name)
    fields = _one_answer("preview", number, line, PREVIEW_SECONDS)
    text, stopped = expect(fields, "text", line).strip(), expect(fields, "stopped", line)
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


def _texts(line: Line, payload: bytes) -> list[str]:
    try:
        return frames.parse_texts(payload)
    except frames.Malformed as error:
        raise line.lost(f"it sent {error}") from error


def _stopped_by(text: str) -> StoppedBy:
    match text:
        case "itself" | "time" | "memory" | "output" | "processes" | "disk" | "interrupt":
            return text
        case _:
            raise ValueError(f"stopped by {text!r}")


def _state(text: str) -> Literal["kept", "lost"]:
    match text:
        case "kept" | "lost":
            return text
        case _:
            raise ValueError(f"state {text!r}")
