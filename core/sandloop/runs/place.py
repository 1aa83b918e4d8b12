"""Where runs are kept, and how several processes share the place.

Whoever writes a run holds a lock on its `events.jsonl`, which the kernel lets go when the process dies, however it died: a run
without an end that nobody holds was interrupted. A run appears under its name at once and whole, and goes at once, too.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import secrets
from collections.abc import Generator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandloop.errors import BadSetting
from sandloop.files import expanded
from sandloop.regular import open_regular
from sandloop.settings import Settings, resolve

EVENTS, RUN, ENVIRONMENT, INPUTS = "events.jsonl", "run.json", "environment.json", "inputs.json"
CONTENT, FILES = "content", "files"
"""Of a run: the made files by their SHA-256, and by their names."""
KEPT_INPUTS = "inputs"
"""Beside the runs: the contents of input files by their SHA-256."""
NEW, GONE = ".new-", ".gone-"
"""Before the name of what is being made, and of what is being removed."""
MAX_JSON = 50_000_000
_ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{6}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def runs_folder(settings: Settings | None = None) -> Path | None:
    """Where runs are kept; None when the settings say `off`. It need not be there yet.

    Args:
        settings: Settings in which all layers are resolved; without them, those of this process and folder.
    """
    said = (settings if settings is not None and settings.runs is not None else resolve(settings or Settings())).runs or "on"
    match said.strip().lower():
        case "off":
            return None
        case "on":
            from platformdirs import user_data_path

            return user_data_path("sandloop") / "runs"
        case _:
            path = expanded(said)
            if said.startswith("~") and not path.is_absolute():
                raise BadSetting(name="runs", why=f"is {said!r}, which begins with the home folder of nobody here")
            return path.absolute()


def new_id() -> str:
    """Of a run: the UTC time, and a few characters by chance. Ids sort by time."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def is_id(name: str) -> bool:
    """Whether a folder of that name can be a run of ours: nothing else is ever removed."""
    return _ID.fullmatch(name) is not None


def is_sha256(name: str) -> bool:
    """Whether a file of that name can be a content of ours."""
    return _SHA256.fullmatch(name) is not None


def lock(handle: int, *, shared: bool = False, wait: bool = False) -> bool:
    """Take the lock of an open file; False when somebody else has it. A disk without locks gives it to everybody."""
    how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    try:
        fcntl.flock(handle, how)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def is_being_written(folder: Path) -> bool:
    """Whether a living process writes this run."""
    try:
        with open_regular(folder / EVENTS) as events:
            return not lock(events.fileno(), shared=True)
    except OSError:
        return False


@contextlib.contextmanager
def held(folder: Path, *, shared: bool, wait: bool) -> Generator[bool]:
    """The place as a whole: shared by those that begin a run, alone for the one that removes what no run needs.

    Gives False when it was not to be had without waiting.
    """
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        yield lock(handle, shared=shared, wait=wait)
    finally:
        os.close(handle)


def write_json(path: Path, content: Any) -> None:
    """Replace the file in one step, readable by this user alone."""
    try:
        text = json.dumps(content, ensure_ascii=False, indent=1).encode()
    except UnicodeEncodeError:  # a file's name that is no text
        text = json.dumps(content, indent=1).encode()
    new = path.with_name(f"{NEW}{path.name}")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(text + b"\n")
    new.replace(path)


def read_json(path: Path) -> Any:
    """What stands in the file; None when it is missing or can't be read as JSON."""
    try:
        with open_regular(path) as file:
            content = file.read(MAX_JSON + 1)
        return json.loads(content) if len(content) <= MAX_JSON else None
    except (OSError, ValueError, RecursionError):
        return None
