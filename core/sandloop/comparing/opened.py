"""Made files opened and compared where a stranger's file may be opened: inside the local sandbox. What it says is not trusted."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from importlib.resources import files
from pathlib import Path

from sandloop.comparing.inside.match import Given, compared
from sandloop.comparing.inside.table import Table, delimiter_of, table_from_rows, text_rows
from sandloop.comparing.made import Made
from sandloop.comparing.said import Looked, checked
from sandloop.errors import SandloopError
from sandloop.events import CodeRan, InputFile
from sandloop.limits import MB, Limits
from sandloop.options import DEFAULT_OPTIONS, SandboxOptions
from sandloop.ports import LocalFile
from sandloop.script import script_events
from sandloop.store import FileStore

PROGRAM_SECONDS, OVERALL_SECONDS = 90.0, 240.0
MAX_SAID = 4 * MB
HOST_BYTES, HOST_CELLS = 1 * MB, 50_000
"""Of one CSV file that is read on the host, where no sandbox can be had."""


@dataclass(frozen=True, slots=True)
class Opened:
    """What came of it."""

    looked: Looked = field(default_factory=Looked)
    why: str = ""
    """Why files were not opened in the sandbox; empty when they were."""


async def opened(
    made: Sequence[Made], why: Mapping[int, str], *, options: SandboxOptions, limits: Limits, tolerance: float
) -> Opened:
    """The files compared in one run of the sandbox, or as far as the host can do it with plain CSV. Raises nothing for a bad file.

    The sandbox is a sealed one whatever `options` say: these files are of several models.

    Args:
        why: Why some are not to be looked into, by id.
    """
    try:
        async with asyncio.timeout(OVERALL_SECONDS):
            return Opened(await _in_sandbox(made, why, options, limits, tolerance))
    except TimeoutError:
        reason = f"comparing them took over {OVERALL_SECONDS:.0f} s"
    except (SandloopError, OSError, ValueError) as error:
        reason = f"no sandbox could compare them: {error}"
    return Opened(await asyncio.to_thread(on_host, made, why, tolerance), reason)


async def _in_sandbox(
    made: Sequence[Made], why: Mapping[int, str], options: SandboxOptions, limits: Limits, tolerance: float
) -> Looked:
    names = names_inside(made)
    given = [
        {"id": m.id, "entry": m.entry, "kind": m.kind, "name": m.file.name, "path": names[m.file.sha256], "why": why.get(m.id, "")}
        for m in made
    ]
    put = [m for m in made if m.id not in why]
    said = await said_inside("program", {"tolerance": tolerance, "files": given}, put, names, options=options, limits=limits)
    return checked(said, made)


def names_inside(made: Sequence[Made]) -> dict[str, str]:
    """What each content is called in the sandbox, by its sum."""
    return {sha: f"f{i}" for i, sha in enumerate(dict.fromkeys(m.file.sha256 for m in made))}


async def said_inside(
    module: str, given: object, made: Sequence[Made], names: Mapping[str, str], *, options: SandboxOptions, limits: Limits
) -> str:
    """What `main` of a module of `sandloop.comparing.inside` prints last, in a sealed sandbox with these files.

    Raises:
        ValueError: It did not end well.
        SandboxError: No sandbox can be had.
    """
    sealed = replace(DEFAULT_OPTIONS, engine=options.engine, runtime=options.runtime, warm=options.warm, pool=options.pool)
    put = {m.file.sha256: m for m in made}
    room = sum(m.file.size for m in put.values()) + MB
    bounds = replace(limits, step_seconds=PROGRAM_SECONDS, input_bytes=max(limits.input_bytes, room), files=0)
    store = FileStore(file_bytes=MB)
    inputs = [_program(store.folder / "program.zip"), *(_input(m, names) for m in put.values())]
    source = (
        f"import sys\nsys.path.insert(0, '/input/program.zip')\nfrom inside.{module} import main\nmain({json.dumps(given)!r})\n"
    )
    async with aclosing(script_events(source, "python", inputs, options=sealed, limits=bounds, store=store)) as events:
        ran = [event async for event in events if isinstance(event, CodeRan)]
    if not ran or not ran[-1].ok:
        raise ValueError("the program that compares them did not end well")
    return ran[-1].stdout[-MAX_SAID:].rstrip("\n").rpartition("\n")[2]


def _program(path: Path) -> LocalFile:
    """What runs inside, as one archive that Python imports from."""
    with zipfile.ZipFile(path, "w") as archive:
        for part in files("sandloop.comparing.inside").iterdir():
            if part.name.endswith(".py"):
                archive.writestr(f"inside/{part.name}", part.read_bytes())
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    return LocalFile(file=InputFile(name=path.name, size=len(data), mime="application/zip", sha256=digest), path=path)


def _input(made: Made, names: Mapping[str, str]) -> LocalFile:
    file = made.file
    return LocalFile(file=InputFile(name=names[file.sha256], size=file.size, mime=file.mime, sha256=file.sha256), path=file.path)


def on_host(made: Sequence[Made], why: Mapping[int, str], tolerance: float) -> Looked:
    """Plain CSV files that are small, compared here by the standard library; nothing else is opened."""
    plain = [m for m in made if m.id not in why and m.suffix in (".csv", ".tsv", ".tab") and m.kind == "table"]
    return _compared(made, {m.id: book for m in plain if (book := _csv(m)) is not None}, tolerance)


def by_sums(made: Sequence[Made]) -> Looked:
    """The files by the sums of their bytes alone; nothing is opened."""
    return _compared(made, {}, 0.0)


def _compared(made: Sequence[Made], books: Mapping[int, Sequence[Table]], tolerance: float) -> Looked:
    given = [Given(m.id, m.entry, m.file.name, m.kind, m.file.sha256) for m in made if m.kind in ("table", "workbook")]
    return Looked.of(compared(given, books, tolerance))


def _csv(made: Made) -> list[Table] | None:
    if made.file.size > HOST_BYTES:
        return None
    try:
        text = made.file.bytes().decode("utf-8-sig", "replace")
        rows = text_rows(io.StringIO(text, newline=""), delimiter_of(text[:20_000], made.file.name))
        return [table_from_rows("", rows, max_cells=HOST_CELLS)]
    except (csv.Error, SandloopError, OSError, RecursionError):
        return None
