"""Reading files of a folder that others may have made."""

from __future__ import annotations

import errno
import io
import os
import stat
from pathlib import Path


def open_regular(path: Path, *, follow: bool = False) -> io.BufferedReader:
    """The file, to read. Raises `OSError` when it can't be read, or is no regular file: a pipe's or a device's content need not
    end, nor begin.

    Args:
        follow: Whether a link is followed; without it one is no regular file.
    """
    links = 0 if follow else getattr(os, "O_NOFOLLOW", 0)
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | links)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return os.fdopen(handle, "rb")
    except BaseException:
        os.close(handle)
        raise
