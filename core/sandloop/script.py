"""A script of the user's own in a fresh sandbox: no model. Its output and what became of it are events, as in a run."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import PurePath

from sandloop.events import CodeWritten, Event, Language
from sandloop.limits import MB, Limits
from sandloop.options import SandboxOptions
from sandloop.ports import LocalFile
from sandloop.store import FileStore
from sandloop.workspace import Workspace

OUTPUT_KEPT = 50 * MB
"""Of a script's output; a model's cell is kept shorter, since a model reads it."""


async def script_events(
    source: str, language: Language, files: Sequence[LocalFile], *, options: SandboxOptions, limits: Limits, store: FileStore
) -> AsyncGenerator[Event]:
    """Open a sandbox, put the files in, run the script, bring back what it made, and leave nothing."""
    limits = replace(limits, output_kept=max(limits.output_kept, OUTPUT_KEPT))
    workspace = Workspace(options=options, limits=limits, store=store)
    try:
        async for event in workspace.prepare(files, preview=False):
            yield event
        # A script shows what it prints; a cell would show its last expression, too.
        code = f"{source}\nNone\n" if language == "python" else source
        async for event in workspace.run(CodeWritten(code_id="script", language=language, source=code, origin="provider")):
            yield event
    finally:
        await workspace.close()


def language_of(name: str) -> Language | None:
    """What a script's name says of its language."""
    suffix = PurePath(name).suffix.lower()
    return "python" if suffix == ".py" else "bash" if suffix in (".sh", ".bash") else None
