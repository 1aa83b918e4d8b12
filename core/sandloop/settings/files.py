"""The two files of settings: where they are, and what stands in them."""

from __future__ import annotations

import contextlib
import os
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandloop.errors import BadSetting, UsageError
from sandloop.regular import open_regular

PROJECT = "sandloop.toml"
MAX_BYTES = 1_000_000
"""A file of settings has a few thousand; one that is larger is something else."""


def user_file(environ: Mapping[str, str]) -> Path:
    """The user's own file, which need not be there."""
    if named := environ.get("SANDLOOP_CONFIG"):
        return Path(named)
    from platformdirs import user_config_path

    return user_config_path("sandloop") / "config.toml"


def here() -> Path:
    """The current folder."""
    try:
        return Path.cwd()
    except OSError:  # it was removed under us
        return Path("/")


def project_file(cwd: Path) -> Path | None:
    """The nearest `sandloop.toml` in the folder or above it."""
    return next((path for folder in (cwd, *cwd.parents) if is_to_read(path := folder / PROJECT)), None)


def is_file(path: Path) -> bool:
    """Whether there is such a file that this user can know of."""
    try:
        return path.is_file()
    except OSError:  # in a folder of somebody else's
        return False


def is_to_read(path: Path) -> bool:
    """Whether settings are to be read there. Also a link to nothing or a pipe, which can't be: what it was to say is not passed
    over."""
    try:
        return path.is_file() or (os.path.lexists(path) and not path.is_dir() and str(path) != os.devnull)
    except OSError:
        return False


def is_there(path: Path) -> bool:
    """Whether there is anything of that name that this user can know of."""
    try:
        return path.exists()
    except OSError:
        return False


def read_text(path: Path) -> str:
    """What stands in it. Raises `BadSetting`."""
    try:
        with open_regular(path, follow=True) as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise BadSetting(
                name=path.name, why=f"is larger than {MAX_BYTES:,} bytes, so it is no file of settings", where=str(path)
            )
        return content.decode("utf-8-sig").replace("\r\n", "\n")
    except (UnicodeDecodeError, OSError) as error:
        raise BadSetting(name=path.name, why=f"can't be read: {error}", where=str(path)) from error


def parsed(text: str, path: Path) -> dict[str, Any]:
    """As tables. Raises `BadSetting` with the line."""
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSetting(name=path.name, why=f"can't be read: {error}", where=str(path)) from error
    except RecursionError as error:
        raise BadSetting(name=path.name, why="can't be read: it is nested too deeply", where=str(path)) from error


def write_new(path: Path, text: str, *, private: bool, force: bool) -> None:
    """Write a file that was not there, whole or not at all. Raises `UsageError`.

    Args:
        private: For its owner alone, in a folder for its owner alone where that is new.
        force: Also over a file that is there.
    """
    new = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700 if private else 0o777, parents=True, exist_ok=True)
        with os.fdopen(
            os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if private else 0o666), "w", encoding="utf-8"
        ) as file:
            file.write(text)
        if force and path.exists() and not path.is_file():
            raise UsageError(f"{path} is no file, and was left as it is. Name another one.")
        new.replace(path) if force else os.link(new, path)
    except FileExistsError:
        raise UsageError(f"{path} is there already, and was left as it is. Name --force to write over it.") from None
    except OSError as error:
        raise UsageError(f"{path} can't be written: {error.strerror}. Make the folder one that you can write.") from error
    finally:
        with contextlib.suppress(OSError):
            new.unlink(missing_ok=True)
