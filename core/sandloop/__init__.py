"""Ask any model about your files: it writes code, a sealed sandbox runs it, the answer and the files come back.

    from sandloop import analyze

    result = analyze("Which month was wettest?", files=["weather.csv"])
    print(result.text)

Names are loaded when first used, so that importing the package takes milliseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandloop import errors, events
    from sandloop.api import Session, aanalyze, analyze, astream, stream
    from sandloop.comparing.api import acompare, compare
    from sandloop.comparing.comparison import Comparison
    from sandloop.errors import LimitReached, ProviderError, SandboxError, SandloopError, UsageError
    from sandloop.events import Event
    from sandloop.limits import Limits
    from sandloop.options import SandboxOptions
    from sandloop.result import Result
    from sandloop.session import AsyncSession
    from sandloop.settings import Settings

__all__ = [
    "AsyncSession",
    "Comparison",
    "Event",
    "LimitReached",
    "Limits",
    "ProviderError",
    "Result",
    "SandboxError",
    "SandboxOptions",
    "SandloopError",
    "Session",
    "Settings",
    "UsageError",
    "aanalyze",
    "acompare",
    "analyze",
    "astream",
    "compare",
    "errors",
    "events",
    "stream",
]

_HOME = {
    "AsyncSession": "session",
    "Comparison": "comparing.comparison",
    "Event": "events",
    "LimitReached": "errors",
    "Limits": "limits",
    "ProviderError": "errors",
    "Result": "result",
    "SandboxError": "errors",
    "SandboxOptions": "options",
    "SandloopError": "errors",
    "Session": "api",
    "Settings": "settings",
    "UsageError": "errors",
    "aanalyze": "api",
    "acompare": "comparing.api",
    "analyze": "api",
    "astream": "api",
    "compare": "comparing.api",
    "stream": "api",
}


def __getattr__(name: str) -> object:
    if name in ("errors", "events"):
        return import_module(f"sandloop.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'sandloop' has no attribute {name!r}")
    value: object = getattr(import_module(f"sandloop.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
