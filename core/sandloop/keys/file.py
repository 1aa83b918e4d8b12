"""The file of kept keys: for its owner alone, changed as a whole or not at all.

It holds a key, or only its name where the keyring has it. Neither the file nor its folder may be a link, belong to somebody else,
or be open to others: such a one is refused, and never repaired in silence.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shlex
import stat
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from sandloop.errors import KeyStoreFailed

MAX_BYTES = 1_000_000
LOCK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Entry:
    """A kept key."""

    value: str | None = None
    """None: the keyring has it."""

    def __repr__(self) -> str:
        return f"Entry({'in the keyring' if self.value is None else '…'})"


@dataclass(frozen=True, slots=True)
class KeysFile:
    """The file, which need not be there."""

    path: Path

    def read(self) -> dict[str, Entry]:
        """Each name with its key or where it is; none when there is no file. Raises `KeyStoreFailed`."""
        try:
            with self._folder() as folder:
                return self._read(folder)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._failed(f"can't be read: {error.strerror}", "See to it, or set the key in the environment") from None

    def write(self, name: str, value: str | None) -> None:
        """Keep a key, or without one the note that the keyring has it. Raises `KeyStoreFailed`."""
        self._change(lambda entries: entries | {name: Entry(value)})

    def remove(self, name: str) -> None:
        """Remove a name. Raises `KeyStoreFailed`."""
        self._change(lambda entries: {one: entry for one, entry in entries.items() if one != name})

    def _change(self, change: Callable[[dict[str, Entry]], dict[str, Entry]]) -> None:
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with self._folder(to_write=True) as folder, _locked(folder):
                try:
                    entries = self._read(folder)
                except FileNotFoundError:
                    entries = {}
                self._replace(folder, change(entries))
        except TimeoutError:
            raise self._failed("is being changed by another process", "Try again") from None
        except OSError as error:
            do = "Make room or a right to write there, or name another file in SANDLOOP_KEYS"
            raise self._failed(f"can't be written: {error.strerror}", do) from None

    @contextlib.contextmanager
    def _folder(self, *, to_write: bool = False) -> Generator[int]:
        """The folder, open: what is checked is what is used. Raises `OSError` and `KeyStoreFailed`.

        Only to read, `FileNotFoundError` comes first: a folder that holds no keys may be open to anybody.
        """
        parent = self.path.parent
        if parent.is_symlink():
            raise self._failed("is in a folder that is a link", f"Make {parent} a folder of your own")
        folder = os.open(parent, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            if not to_write:
                os.stat(self.path.name, dir_fd=folder, follow_symlinks=False)
            alone = set(os.listdir(folder)) <= {self.path.name}  # noqa: PTH208 - it is open; one with more in it may have to stay so
            close = f"Close it with: chmod 700 {shlex.quote(str(parent))}"
            do = close if alone else "Name a file in a folder of its own in SANDLOOP_KEYS"
            self._refuse_open(os.fstat(folder), f"is in a folder, {parent}, that", do)
            yield folder
        finally:
            os.close(folder)

    def _read(self, folder: int) -> dict[str, Entry]:
        try:
            found = os.stat(self.path.name, dir_fd=folder, follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                raise self._failed("is a link", "Put a file there, or name another one in SANDLOOP_KEYS")
            number = os.open(self.path.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except FileNotFoundError:
            return {}
        with os.fdopen(number, "rb") as file:
            self._refuse_open(os.fstat(number), "", f"Close it with: chmod 600 {shlex.quote(str(self.path))}")
            if not stat.S_ISREG(os.fstat(number).st_mode):
                raise self._failed("is not a file", "Name another one in SANDLOOP_KEYS")
            return self._parsed(file.read(MAX_BYTES + 1))

    def _refuse_open(self, found: os.stat_result, what: str, do: str) -> None:
        if found.st_uid != os.geteuid():
            raise self._failed(f"{what} belongs to another user".strip(), "Name a file of your own in SANDLOOP_KEYS")
        if found.st_mode & 0o077:
            raise self._failed(f"{what} is open to other users".strip(), do)

    def _parsed(self, content: bytes) -> dict[str, Entry]:
        try:
            table: Any = json.loads(content) if len(content) <= MAX_BYTES else None
            rows = cast("dict[str, dict[str, object]]", table["keys"])
            values = {name: row.get("value") for name, row in rows.items()}
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            values = {"": 0}
        entries = {name: Entry(value) for name, value in values.items() if value is None or isinstance(value, str)}
        if len(entries) < len(values):
            raise self._failed("is not what sandloop wrote", "Move it away, and set the keys again")
        return entries

    def _replace(self, folder: int, entries: dict[str, Entry]) -> None:
        rows = {name: {"in": "keyring"} if one.value is None else {"value": one.value} for name, one in sorted(entries.items())}
        about = "Keys kept by 'sandloop keys set'. For you alone."
        content = json.dumps({"about": about, "keys": rows}, indent=2).encode() + b"\n"
        new = f".keys-{secrets.token_hex(8)}"
        number = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
        try:
            with os.fdopen(number, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(number)
            os.replace(new, self.path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.unlink(new, dir_fd=folder)
            raise
        os.fsync(folder)

    def _failed(self, said: str, do: str) -> KeyStoreFailed:
        return KeyStoreFailed(where=f"the file of keys {self.path}", said=said, do=do)


@contextlib.contextmanager
def _locked(folder: int) -> Generator[None]:
    """Held against other processes, so that two changes at once are both kept. Raises `TimeoutError`."""
    import fcntl

    end = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise TimeoutError from None
            time.sleep(0.02)
        else:
            yield
            return
