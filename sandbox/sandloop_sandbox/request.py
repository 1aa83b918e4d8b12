"""What a container made ahead has to match: all that its making depends on, beside the identity that each gets fresh.

Two requests that are equal are served by the same containers. What goes into a step (its time, its output) is not in it: that is
said with each step.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop_sandbox.address import address
from sandloop_sandbox.image import BASE_VARIABLE

LIMITS = ("memory", "cpus", "processes", "input_bytes", "disk", "session_seconds")
"""The limits that the engine is told when it creates a container."""
OPTIONS = tuple(f.name for f in fields(SandboxOptions) if f.name not in ("warm", "pool"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A kind of container."""

    address: str
    """Of the engine."""
    base: str
    """The base image that the user named, if any."""
    programs: str
    """The hash of the programs, in the image and on this side."""
    limits: Limits
    options: SandboxOptions

    @classmethod
    def of(cls, limits: Limits, options: SandboxOptions) -> Request:
        """What a session with these limits and options needs, in this process's environment."""
        return cls(
            address=address(),
            base=os.environ.get(BASE_VARIABLE, ""),
            programs=programs(),
            limits=Limits(**{name: getattr(limits, name) for name in LIMITS}),
            options=SandboxOptions(**{name: getattr(options, name) for name in OPTIONS}),
        )

    @property
    def place(self) -> str:
        """Names the programs and the engine, for a process that serves them and no others."""
        return hashlib.sha256("\0".join((self.programs, self.address, self.base)).encode()).hexdigest()[:16]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Request:
        """Raises `ValueError` when it is none."""
        try:
            table: dict[str, Any] = json.loads(text)
            limits, options = Limits(**table.pop("limits")), table.pop("options")
            lists: dict[str, Any] = {
                name: tuple(value) if isinstance(value, list) else value  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
                for name, value in options.items()
            }
            request = cls(**table, limits=limits, options=SandboxOptions(**lists))
            hash(request)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise ValueError(f"no request: {error}") from error
        return request


@functools.cache
def programs() -> str:
    """The hash of all that makes a container and of all that goes into it: what is made by other programs matches nothing."""
    whole = hashlib.sha256()
    for package in ("sandloop_image", "sandloop_sandbox"):
        for file in _all_in(files(package)):
            content = file.read_bytes()
            whole.update(f"{package}/{file.name} {len(content)}\0".encode() + content)
    return whole.hexdigest()


def _all_in(folder: Traversable) -> Iterator[Traversable]:
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        if entry.is_file():
            yield entry
        elif entry.name != "__pycache__":
            yield from _all_in(entry)
