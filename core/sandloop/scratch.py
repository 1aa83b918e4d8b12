"""Private temporary folders that do not outlive us, even when we are killed: the next process removes what a dead one left."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Generator
from pathlib import Path

from sandloop.errors import StorageFailed

_NAME = re.compile(r"sandloop-(\d+)-(\d+)-")
_swept = threading.Event()
_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENOENT, errno.EACCES}


def scratch_folder() -> Path:
    """A new folder that only this user can read. Its name says which process made it. Raises `StorageFailed`."""
    with writing("the folder for temporary files"):
        place = tempfile.gettempdir()
    with writing(place):
        if not _swept.is_set():
            _swept.set()
            sweep(Path(place))
        return Path(tempfile.mkdtemp(prefix=f"sandloop-{_namespace()}-{os.getpid()}-"))


@contextlib.contextmanager
def writing(folder: Path | str) -> Generator[None]:
    """What the system refuses while files are written there, as `StorageFailed`."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_PLACE:
            raise
        raise StorageFailed(folder=str(folder), said=(error.strerror or str(error)).lower()) from error


def sweep(place: Path) -> list[Path]:
    """Remove this user's scratch folders whose process is gone; returns which. Never a link, never anybody else's."""
    removed: list[Path] = []
    with os.scandir(place) as entries:
        for entry in entries:
            made_by = _NAME.match(entry.name)
            if made_by is None or int(made_by[1]) != _namespace() or _is_alive(int(made_by[2])):
                continue
            if entry.is_dir(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_uid == os.getuid():
                shutil.rmtree(entry.path, ignore_errors=True)
                removed.append(Path(entry.path))
    return removed


def in_scratch(path: Path) -> bool:
    """Whether a file is in a scratch folder of ours, and so goes with it."""
    return any(_NAME.match(parent.name) for parent in path.parents)


def _namespace() -> int:
    """Which numbering of processes is ours: another container may share the folder, and its processes look gone from here."""
    try:
        return Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        return 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
