"""A reader that can die without harm: a forked process with little memory and little time, which sends back plain values."""

from __future__ import annotations

import marshal
import os
import resource
import select
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

MEMORY = 1_000_000_000
MAX_ANSWER = 400_000_000


def in_child(work: Callable[[], Any], seconds: float) -> tuple[Any, str]:
    """What `work` gives, in plain values, and why it gave none; one of the two is empty."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        _work(work, writer, seconds)
    os.close(writer)
    try:
        answer, ended = _collect(reader, time.monotonic() + seconds)
    finally:
        os.close(reader)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    if not ended:
        return None, "it took too long"
    with suppress(ValueError, EOFError, TypeError):
        value, why = marshal.loads(answer)  # noqa: S302 - both sides are in the sandbox
        return value, str(why)
    return None, "the program that reads it died, perhaps for lack of memory"


def _work(work: Callable[[], Any], writer: int, seconds: float) -> None:
    """Never returns."""
    try:
        for what, most in ((resource.RLIMIT_DATA, MEMORY), (resource.RLIMIT_CPU, int(seconds) + 1), (resource.RLIMIT_CORE, 0)):
            hard = resource.getrlimit(what)[1]
            most = most if hard == resource.RLIM_INFINITY else min(most, hard)
            resource.setrlimit(what, (most, most))
        try:
            answer = marshal.dumps((work(), ""))
        except MemoryError:
            answer = marshal.dumps((None, "it needs too much memory"))
        except RecursionError:
            answer = marshal.dumps((None, "it is nested too deeply"))
        except Exception as error:
            answer = marshal.dumps((None, (str(error) or type(error).__name__)[:200]))
        view = memoryview(answer)
        while view:
            view = view[os.write(writer, view[: 1 << 20]) :]
    finally:
        os._exit(0)


def _collect(reader: int, end: float) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    size = 0
    while (left := end - time.monotonic()) > 0:
        if not select.select([reader], [], [], left)[0]:
            continue
        part = os.read(reader, 1 << 20)
        if not part:
            return b"".join(parts), True
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER:
            break
    return b"", False
