"""A kept run's code, run again without a model: in a fresh sandbox, with the inputs of then, compared with what came of it then."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, fields, replace
from typing import Any, TypeAlias

from sandloop.bridge import iterate
from sandloop.errors import BadSetting, UsageError
from sandloop.events import CodeRan, CodeWritten, Event, FileMade, InputFile, Resumed, RouteChosen, SandboxOpened
from sandloop.limits import Limits
from sandloop.names import clean_component
from sandloop.options import SandboxOptions
from sandloop.ports import LocalFile
from sandloop.runs.differences import CellAgain, CellsSeen, Replayed, cell_differs, environment_differs, files_differ, holds_cells
from sandloop.runs.environment import environment
from sandloop.runs.kept import Run, find_run
from sandloop.runs.past import Past, past
from sandloop.runs.place import runs_folder
from sandloop.settings import Settings, checked_limit, resolve
from sandloop.store import FileStore
from sandloop.workspace import Workspace

OnEvent: TypeAlias = Callable[[Event], None]
MAX_TEXT = 200_000
"""Bytes of a made text whose lines are compared."""
_TEXTS = ("text/", "application/json")
_SKIPPED = {"declined": "the user did not allow it", "interrupt": "it was interrupted"}
_HOSTED = "/mnt/data"
"""Where providers' interpreters keep their files; here that is the working folder."""


async def areplay_run(run: Run | str, *, settings: Settings | None = None, on_event: OnEvent | None = None) -> Replayed:
    """Run the recorded code of a kept run again, without a model, and say what differs.

    It runs in a fresh local sandbox with the input files of then, also where it ran at a provider. When the run was a later
    question of a conversation, the code of the questions before runs first, since it made the variables.

    A made workbook or Parquet whose bytes differ is opened in another sandbox: with the same cells, it counts as the same.

    Args:
        run: A kept run, the folder of one, its id, the beginning of one, or `last`.
        settings: The sandbox to use, and where runs are kept. Limits and packages are those of then, unless given here.
        on_event: Called with what happens, as it happens.

    Raises:
        UsageError: There is no such run, or it ran no code.
        BadFile: The content of an input file is gone, or was changed.
        SandboxError: The place where code runs failed.
    """
    again = await asyncio.to_thread(_Again, run, settings or Settings())
    async with aclosing(again.events()) as events:
        async for event in events:
            if on_event is not None:
                on_event(event)
    return again.replayed()


def replay_run(run: Run | str, *, settings: Settings | None = None, on_event: OnEvent | None = None) -> Replayed:
    """Run the recorded code of a kept run again, without a model, and say what differs. As `areplay_run`."""
    again = _Again(run, settings or Settings())
    for event in iterate(again.events):
        if on_event is not None:
            on_event(event)
    return again.replayed()


@dataclass(frozen=True, slots=True)
class _Cell:
    code: CodeWritten
    then: CodeRan


class _Again:
    """One run again."""

    def __init__(self, run: Run | str, layer: Settings) -> None:
        folder = runs_folder(layer)
        found = run if isinstance(run, Run) else find_run(run, folder)
        before = past(found, folder)
        self._past = _since_resumed(before)
        self._run = found
        self._steps = list(_steps(self._past))
        if not any(isinstance(step, _Cell) for step in self._steps):
            raise UsageError(f"The run {found.id} ran no code, so there is nothing to run again. `sandloop runs show` shows it.")
        now = resolve(layer)
        self._limits = layer.limits or (_limits(found.environment.get("limits")) if before.own else None) or now.limits or Limits()
        options = now.sandbox or SandboxOptions()
        packages = before.packages
        self._options = options if packages is None or options.packages else replace(options, packages=packages)
        self._store = FileStore(file_bytes=self._limits.file_bytes, also=before.content)
        self._inputs = self._past.inputs()
        self._opened: SandboxOpened | None = None
        self._cells: list[CellAgain] = []
        self._made: list[FileMade] = []
        self._seen: dict[str, CellsSeen] = {}
        self._notes = [note.text for note in before.notes()]

    async def events(self) -> AsyncGenerator[Event]:
        """Run it, and say what happens."""
        workspace = Workspace(options=self._options, limits=self._limits, store=self._store)
        try:
            async for event in workspace.prepare(self._inputs, preview=False):
                self._take(event)
                yield event
            for step in self._steps:
                async with aclosing(
                    self._cell(workspace, step) if isinstance(step, _Cell) else self._put(workspace, step)
                ) as events:
                    async for event in events:
                        self._take(event)
                        yield event
        finally:
            await workspace.close()
        await self._look()

    async def _look(self) -> None:
        """Compare the cells of workbooks whose bytes differ; most runs have none, and need nothing of what compares."""
        then, now = ({f.name: f for f in files} for files in (self._then(), self._made))
        pairs = [(then[n], now[n]) for n in then if n in now and then[n].sha256 != now[n].sha256 and holds_cells(n)]
        if pairs:
            from sandloop.runs.opened import cells_seen

            self._seen = await cells_seen(pairs, self._store, options=self._options, limits=self._limits)

    async def _put(self, workspace: Workspace, carried: Sequence[InputFile]) -> AsyncGenerator[Event]:
        """Files of a provider's code that went along then. One that the code has made again here is there already."""
        made = {file.name for file in self._made}
        wanted = [replace(file, name=clean_component(file.name)) for file in carried if file.name not in made]
        files = [LocalFile(file=file, path=self._store.path(file.sha256)) for file in wanted if self._store.has(file.sha256)]
        gone = [file.name for file in wanted if not self._store.has(file.sha256)]
        if gone:
            self._notes.append(f"Files that were made before are no longer kept: {', '.join(gone)}.")
        async for event in workspace.prepare(files, preview=False):
            yield event

    async def _cell(self, workspace: Workspace, cell: _Cell) -> AsyncGenerator[Event]:
        why = _SKIPPED.get(cell.then.stopped_by)
        if cell.code.language == "text":
            why = "it is an edit by the provider's own tool"
        if why is not None:
            self._cells.append(CellAgain(code=cell.code, then=cell.then, now=None))
            self._notes.append(f"The cell {cell.code.code_id} was not run again: {why}.")
            return
        code = self._at_home(cell.code)
        yield code
        async for event in workspace.run(code):
            if isinstance(event, CodeRan):
                differs = cell_differs(cell.then, event)
                self._cells.append(CellAgain(code=cell.code, then=cell.then, now=event, differs=differs))
            yield event

    def _at_home(self, code: CodeWritten) -> CodeWritten:
        """With the paths of here, where the code was written for a provider's folder."""
        if code.origin != "provider" or _HOSTED not in code.source:
            return code
        names = "|".join(re.escape(file.file.name) for file in self._inputs) or r"\Z."
        source = re.sub(rf"{_HOSTED}/[\w-]{{1,80}}?-(?={names})", "./", code.source)
        note = f"Paths below {_HOSTED} are taken as the working folder."
        if note not in self._notes:
            self._notes.append(note)
        return replace(code, source=re.sub(rf"{_HOSTED}\b/?", "./", source))

    def _take(self, event: Event) -> None:
        match event:
            case SandboxOpened():
                self._opened = event
            case FileMade():
                self._made.append(event)
            case _:
                pass

    def replayed(self) -> Replayed:
        """What came of it."""
        return Replayed(
            run=self._run.id,
            cells=tuple(self._cells),
            files=files_differ(self._then(), self._made, self._text, self._seen),
            environment=environment_differs(self._run.environment, environment(self._limits, self._opened)),
            notes=tuple(self._notes),
        )

    def _then(self) -> list[FileMade]:
        skipped = {cell.code.code_id for cell in self._cells if cell.now is None}
        return [e for run in self._past.runs for e in run.events if isinstance(e, FileMade) and e.code_id not in skipped]

    def _text(self, made: FileMade) -> str | None:
        if not made.mime.startswith(_TEXTS) or made.size > MAX_TEXT:
            return None
        try:
            return self._store.path(made.sha256).read_bytes().decode("utf-8")
        except (OSError, ValueError):
            return None


def _since_resumed(before: Past) -> Past:
    """The runs whose code made the state of the last: where a conversation was taken up again, it began anew."""
    starts = [i for i, run in enumerate(before.runs) if any(isinstance(e, Resumed) for e in run.events)]
    return replace(before, runs=before.runs[starts[-1] :] if starts else before.runs)


def _steps(before: Past) -> Iterator[_Cell | tuple[InputFile, ...]]:
    """What happened in the sandboxes, in order."""
    for run in before.runs:
        ran = {e.code_id: e for e in run.events if isinstance(e, CodeRan)}
        for event in run.events:
            match event:
                case RouteChosen(carried=carried) if carried:
                    yield carried
                case CodeWritten(code_id=code_id) if code_id in ran:
                    yield _Cell(event, ran[code_id])
                case _:
                    pass


def _limits(table: Any) -> Limits | None:
    """Those that were recorded; None when they can't be read."""
    if not isinstance(table, dict):
        return None
    known = {f.name for f in fields(Limits)}
    try:
        said = {str(k): checked_limit(str(k), "none" if v is None else v, "the run") for k, v in table.items() if k in known}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
        return replace(Limits(), **said)  # type: ignore[arg-type]
    except (BadSetting, TypeError):
        return None
