"""Models of a suite that are files of this machine: recordings that are replayed, and what tells one content from another."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from sandloop.errors import UsageError
from sandloop.files import expanded
from sandloop.ports import ModelChoice
from sandloop.runs.kept import is_kept_name, recording_path
from sandloop.runs.place import EVENTS, runs_folder
from sandloop.settings import Settings

MAX_CONTENT = 50_000_000
"""Bytes of another model's file that are read to know it again, as weights are not."""
_REPLAY = "replay"
_NAMED = re.compile(rf"({_REPLAY}[:/])(.+)", re.DOTALL)


def beside(model: str, folder: Path) -> str:
    """The model's name with the path of a recording begun in `folder`; kept runs and all other models keep their names."""
    match = _NAMED.fullmatch(model)
    if match is None:
        return model
    path = folder / expanded(match[2])
    return model if is_kept_name(match[2]) and not path.exists() else f"{_REPLAY}:{path}"


def recording_of(choice: ModelChoice, settings: Settings) -> Path | None:
    """Where the recording is that this model replays. None for any other model, and where there is none."""
    if choice.provider != _REPLAY or not choice.model:
        return None
    try:
        return recording_path(choice.model, runs_folder(settings))
    except UsageError:
        return None


def content_of(choice: ModelChoice, recording: Path | None) -> str:
    """The hash of a recording, or of a model that is a small file; empty for any other."""
    try:
        path = recording or Path(choice.model or "")
        path = path / EVENTS if recording is not None and path.is_dir() else path
        if not path.is_file() or (recording is None and path.stat().st_size > MAX_CONTENT):
            return ""
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return ""
