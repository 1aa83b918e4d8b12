"""What a model has to know about a file, to write code that reads it right the first time.

The file is a stranger's. It is looked at in a child process with little memory and little time, which can die without harm;
this one passes on what the child said, bounded, says in a line how it ended, and always exits with 0.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from .preview_page import Page

SOFT_SECONDS, HARD_SECONDS = 5.0, 7.0
"""First an exception, then a kill; the supervisor's own patience ends at 10."""
MEMORY = 1_200_000_000
_MOST = 6_000


class TooLong(BaseException):
    """Not an `Exception`, so that no library takes it for one of its own."""


def show(path: str) -> None:
    """Print the preview of the file."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        code = 1
        try:
            _limit()
            _look_at(path, writer)
            code = 0
        finally:
            os._exit(code)
    os.close(writer)
    said, ended = _collect(reader)
    if not ended:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    text = said.decode("utf-8", "ignore")
    if not ended:
        text += _ending(text, "it took too long")
    elif status:
        text += _ending(text, "the program that reads it died, perhaps for lack of memory")
    elif not text:
        text = "could not be previewed: nothing is known about it\n"
    sys.stdout.buffer.write(text.encode())
    sys.stdout.buffer.flush()


def _ending(said: str, why: str) -> str:
    lead = "" if not said or said.endswith("\n") else "\n"
    return f"{lead}could not be previewed{' further' if said else ''}: {why}\n"


def _collect(reader: int) -> tuple[bytes, bool]:
    """What the child wrote, and whether it came to its end."""
    said, end = b"", time.monotonic() + HARD_SECONDS
    while (left := end - time.monotonic()) > 0:
        if not select.select([reader], [], [], left)[0]:
            continue
        data = os.read(reader, 65536)
        if not data:
            return said, True
        said += data
        if len(said) > _MOST:
            return said[:_MOST], False
    return said, False


def _limit() -> None:
    import resource

    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)  # libraries that print or warn do so to nobody
    for what, most in (
        (resource.RLIMIT_DATA, MEMORY),
        (resource.RLIMIT_CPU, int(HARD_SECONDS) + 1),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        most = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(what, (most, most))

    def ring(_signal: int, _frame: object) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, SOFT_SECONDS)


def _look_at(path: str, writer: int) -> None:
    from .preview_page import Full, Page

    page = Page(lambda data: _write(writer, data))
    try:
        try:
            _describe(path, page)
        except Full:
            raise
        except TooLong:
            page.line(
                "could not be previewed further: it took too long" if page.lines else "could not be previewed: it took too long"
            )
        except MemoryError:
            page.line("could not be previewed: it needs too much memory")
        except RecursionError:
            page.line("could not be previewed: it is nested too deeply")
        except Exception as error:
            page.line(f"could not be previewed{' further' if page.lines else ''}: {_reason(error)}", 300)
    except Full:
        pass


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return str(error) or type(error).__name__


def _write(writer: int, data: bytes) -> None:
    while data:
        data = data[os.write(writer, data) :]


def _describe(path: str, page: Page) -> None:
    from . import preview_kinds

    preview_kinds.describe(path, page)
