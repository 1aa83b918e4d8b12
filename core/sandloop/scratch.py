"""Private temporary folders that do not outlive us, even when we are killed: the next process removes what a dead one left."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import threading
from pathlib import Path

_NAME = re.compile(r"sandloop-(\d+)-(\d+)-")
_swept = threading.Event()


def scratch_folder() -> Path:
    """A new folder that only this user can read. Its name says which process made it."""
    if not _swept.is_set():
        _swept.set()
        sweep(Path(tempfile.gettempdir()))
    return Path(tempfile.mkdtemp(prefix=f"sandloop-{_namespace()}-{os.getpid()}-"))


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
