"""A report on disk."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from sandloop.errors import UsageError


def write_report(path: str | os.PathLike[str], html: str) -> Path:
    """Write a report, all of it or nothing; a report that is there is replaced, and missing folders are made.

    It holds the files' contents, so only this user can read it (mode 0600).

    Returns the path written. Raises `UsageError` when it can't be written there.
    """
    target = Path(path)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.is_symlink() or (target.exists() and not target.is_file()):  # /dev/stdout, a pipe: never replaced
            target.write_text(html, encoding="utf-8")
        else:
            _replace(target, html)
    except OSError as error:
        raise UsageError(f"The report can't be written to {target}: {error.strerror}. Give another path.") from error
    return target


def _replace(target: Path, html: str) -> None:
    handle, unfinished = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:100]}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(html)
        Path(unfinished).replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(unfinished).unlink()
        raise
