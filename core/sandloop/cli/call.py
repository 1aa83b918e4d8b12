"""What a command line says of a call: its question and its settings."""

from __future__ import annotations

import sys
from dataclasses import replace

from sandloop.errors import UsageError
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.settings import Settings, checked_limit, resolve, route_named

MAX_QUESTION = 1_000_000
"""Bytes of a question from stdin. A longer text is a file to ask about."""


def call_settings(
    model: str | None = None,
    route: str | None = None,
    base_url: str | None = None,
    max_cost: float | None = None,
    timeout: float | None = None,
) -> Settings:
    """The command line's layer. Raises `BadSetting`.

    Sandboxes come from where the next command finds one ready, too, unless it is set otherwise.
    """
    call = Settings(model=model, route=route_named(route, "--route") if route is not None else None, base_url=base_url)
    resolved = resolve(call)
    limits, options = resolved.limits or Limits(), resolved.sandbox or SandboxOptions()
    if max_cost is not None:
        limits = replace(limits, cost=float(checked_limit("cost", max_cost, "--max-cost") or max_cost))
    if timeout is not None:
        limits = replace(limits, seconds=float(checked_limit("seconds", timeout, "--timeout") or timeout))
    if options.warm == "auto":
        options = replace(options, warm="shared")
    return replace(call, limits=limits, sandbox=options)


def read_question(given: str) -> str:
    """The question; `-` reads it from stdin. Raises `UsageError`."""
    if given != "-":
        return given
    if sys.stdin is None:  # pyright: ignore[reportUnnecessaryComparison]
        raise UsageError("There is no stdin to read the question from. Write the question itself.")
    if sys.stdin.isatty():
        print("Type the question; Ctrl-D on a line of its own ends it.", file=sys.stderr)
    content = sys.stdin.buffer.read(MAX_QUESTION + 1)
    if len(content) > MAX_QUESTION:
        raise UsageError(f"The question on stdin is over {MAX_QUESTION} bytes. Save it as a file, and ask about that.")
    try:
        question = content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise UsageError("The question on stdin is not text in UTF-8. Save it as a file, and ask about that.") from None
    if not question:
        raise UsageError("The question on stdin is empty. Write it before the end of the input.")
    return question
