"""Files in and out: the listing of the working folder, one file read, one file written.

The folders belong to the code, so everything in them is hostile: links are never followed, each component of a name is opened
relative to the descriptor of the one before, and only regular files on the folder's own file system count. Callers freeze
all writers first.
"""

# pathlib is half of the supervisor's start, and knows no descriptors of folders.
# ruff: noqa: PTH101, PTH108, PTH211

from __future__ import annotations

import os
import stat

WORK, INPUT = "/workspace", "/input"
MAX_DEPTH = 12
"""A deep tree's listing grows with the square of its depth."""
MAX_LISTED = 5_000
MAX_VISITED = 100_000
MAX_NAME_BYTES = 1_000
MAX_LISTING_BYTES = 900_000
"""Under one frame."""

_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class Refused(Exception):
    """A file that can't be had, and why, in words for the user."""


class Listing:
    """The regular files below a folder, and the entries left out with the reason, both bounded."""

    def __init__(self, root: str) -> None:
        self.files: list[str] = []
        self.skipped: list[str] = []
        self._bytes = self._visited = self._unlisted = 0
        top = os.open(root, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
        try:
            self._device = os.fstat(top).st_dev
            self._walk(top, "", 0)
        finally:
            os.close(top)
        if self._unlisted:
            self.skipped += [f"{self._unlisted} more entries", "there are too many to list"]

    def _walk(self, folder: int, prefix: str, depth: int) -> None:
        with os.scandir(folder) as entries:
            for entry in sorted(entries, key=lambda e: e.name) if self._visited < MAX_VISITED else ():
                self._visited += 1
                self._visit(folder, entry, prefix + entry.name, depth)

    def _visit(self, folder: int, entry: os.DirEntry[str], name: str, depth: int) -> None:
        try:
            found = entry.stat(follow_symlinks=False)
            target = os.readlink(entry.name, dir_fd=folder) if stat.S_ISLNK(found.st_mode) else ""
        except OSError as error:
            return self._skip(name, f"can't be read ({error.strerror})")
        if stat.S_ISDIR(found.st_mode):
            return self._enter(folder, entry.name, name, depth)
        if stat.S_ISLNK(found.st_mode):
            # The links that stand for the inputs are ours and of no interest.
            return None if target == f"{INPUT}/{name}" else self._skip(name, "is a link")
        if not stat.S_ISREG(found.st_mode):
            return self._skip(name, "is not a regular file")
        if found.st_dev != self._device:
            return self._skip(name, "is on another file system")
        if not _is_text(name):
            return self._skip(name, "has a name that is not text, or too long")
        return self._add(self.files, name, str(found.st_size), f"{found.st_ino}-{found.st_mtime_ns}-{found.st_size}")

    def _enter(self, parent: int, last: str, name: str, depth: int) -> None:
        if depth >= MAX_DEPTH:
            return self._skip(name, "is nested too deep")
        try:
            folder = os.open(last, os.O_RDONLY | os.O_DIRECTORY | _OPEN, dir_fd=parent)
        except OSError as error:
            return self._skip(name, f"can't be read ({error.strerror})")
        try:
            if os.fstat(folder).st_dev != self._device:
                return self._skip(name, "is on another file system")
            return self._walk(folder, f"{name}/", depth + 1)
        finally:
            os.close(folder)

    def _skip(self, name: str, why: str) -> None:
        self._add(self.skipped, os.fsencode(name)[:MAX_NAME_BYTES].decode("utf-8", "replace"), why)

    def _add(self, to: list[str], *texts: str) -> None:
        size = sum(len(text.encode()) + 1 for text in texts)
        if len(self.files) + len(self.skipped) >= 4 * MAX_LISTED or self._bytes + size > MAX_LISTING_BYTES:
            self._unlisted += 1
            return
        self._bytes += size
        to += texts


def open_regular(root: str, name: str, most: int) -> int:
    """A descriptor of the regular file `name` below `root`, at most `most` bytes long. Raises `Refused`."""
    parts = name.split("/")
    if not all(parts) or any(part in (".", "..") for part in parts) or len(parts) > MAX_DEPTH + 1:
        raise Refused("has a name that is not a plain path in the working folder")
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | _OPEN)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _OPEN, dir_fd=folder)
            os.close(folder)
            folder = inner
        opened = os.open(parts[-1], os.O_RDONLY | _OPEN, dir_fd=folder)
    except OSError as error:
        raise Refused(f"can't be read ({error.strerror})") from error
    finally:
        os.close(folder)
    found = os.fstat(opened)
    if not stat.S_ISREG(found.st_mode) or found.st_size > most:
        os.close(opened)
        what = f"is larger than {most} bytes" if stat.S_ISREG(found.st_mode) else "is not a regular file"
        raise Refused(what)
    return opened


class Incoming:
    """One input file on its way in: written to the input folder, then shown in the working folder by a link of its name."""

    def __init__(self, name: str) -> None:
        if not name or name in (".", "..") or "/" in name or len(os.fsencode(name)) > 255:
            raise Refused("has a name that is not one plain component")
        self._name, self.size = name, 0
        if os.path.lexists(f"{WORK}/{name}"):
            raise Refused("has the name of a file that is already in the working folder")
        try:
            os.chmod(INPUT, 0o700)
            self._file = os.open(f"{INPUT}/{name}", os.O_WRONLY | os.O_CREAT | os.O_EXCL | _OPEN, 0o444)
        except OSError as error:
            raise Refused(f"can't be written ({error.strerror})") from error

    def write(self, data: bytes) -> None:
        """Write more of it. Raises `Refused`."""
        view = memoryview(data)
        while view:
            try:
                written = os.write(self._file, view)
            except OSError as error:
                raise Refused(f"can't be written ({error.strerror}): raise Limits.input_bytes") from error
            view = view[written:]
            self.size += written

    def finish(self, modified: int) -> None:
        """Show it in the working folder, with its time of modification (in ns). Raises `Refused`."""
        try:
            os.utime(self._file, ns=(modified, modified))
            os.symlink(f"{INPUT}/{self._name}", f"{WORK}/{self._name}")
        except OSError as error:
            raise Refused(f"can't be shown in the working folder ({error.strerror})") from error

    def drop(self) -> None:
        """Leave nothing of it."""
        os.unlink(f"{INPUT}/{self._name}")

    def close(self) -> None:
        """No more comes."""
        os.close(self._file)
        os.chmod(INPUT, 0o500)


def _is_text(name: str) -> bool:
    try:
        return len(name.encode()) <= MAX_NAME_BYTES
    except UnicodeEncodeError:
        return False
