"""What a run gives: a view of its events, the same on every route."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO, SupportsIndex, overload

from sandloop import codec
from sandloop.errors import UsageError
from sandloop.events import (
    Answered,
    Check,
    Checked,
    CodeRan,
    CodeWritten,
    Event,
    FileMade,
    ReplyEnded,
    RouteChosen,
    RunStarted,
    SandboxOpened,
    Usage,
)
from sandloop.names import clean_component, without_collision
from sandloop.store import FileStore

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A cell, what came of it, and the files it made. `ran` is None when the run ended before it ran."""

    code: CodeWritten
    ran: CodeRan | None
    files: tuple[FileMade, ...] = ()


@dataclass(frozen=True, slots=True)
class ResultFile:
    """A file the code made, in its last version."""

    made: FileMade
    store: FileStore = field(repr=False, compare=False)
    """Held, so that the bytes stay as long as this object does."""

    @property
    def path(self) -> Path:
        """Where its bytes are as long as this object is held; save it to keep it."""
        return self.store.path(self.made.sha256)

    @property
    def name(self) -> str:
        """Relative, safe for any disk; parts are joined by `/`."""
        return self.made.name

    @property
    def size(self) -> int:
        """In bytes."""
        return self.made.size

    @property
    def mime(self) -> str:
        """Found from the content."""
        return self.made.mime

    @property
    def sha256(self) -> str:
        """Of the content, in hexadecimal."""
        return self.made.sha256

    def bytes(self) -> bytes:
        """The content. Raises `UsageError` when the result was loaded without its files."""
        with self._opened() as file:
            return file.read()

    def _opened(self) -> BinaryIO:
        try:
            return self.path.open("rb")
        except (FileNotFoundError, ValueError):
            raise UsageError(
                f"The bytes of {self.name!r} are not here. Save files before the result goes, or use to_json(files=True)."
            ) from None

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write it into `folder` (made when missing) with mode 0600; an existing file is never overwritten but numbered, and so
        is a folder of its name where a file is in the way.

        Returns the path written. Raises `UsageError` when the folder can't be written, or a link is in the way.
        """
        *parents, name = (clean_component(part) for part in self.name.split("/"))
        with self._opened() as content:
            try:
                target = Path(folder)
                target.mkdir(parents=True, exist_ok=True)
                for parent in parents:
                    target = _folder_for(target, parent)
                    if target.is_symlink():
                        raise UsageError(f"{target} is a link, so {self.name!r} was not saved there. Choose another folder.")
                return _write_new(target, name, content)
            except OSError as error:
                raise UsageError(
                    f"{self.name!r} could not be saved in {folder}: {error.strerror}. Choose another folder."
                ) from error

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """A picture shows as one in a notebook; anything else shows its name. SVG and HTML are never shown inline."""
        bundle: dict[str, Any] = {"text/plain": repr(self)}
        if self.mime in ("image/png", "image/jpeg"):
            with contextlib.suppress(UsageError):
                bundle[self.mime] = base64.b64encode(self.bytes()).decode()
        return bundle


def _folder_for(parent: Path, name: str) -> Path:
    taken = set[str]()
    while True:
        path = parent / without_collision(name, taken)
        try:
            path.mkdir()
        except FileExistsError:
            if not path.is_dir() and not path.is_symlink():
                taken.add(path.name.lower())
                continue
        return path


def _write_new(folder: Path, name: str, content: BinaryIO) -> Path:
    taken = {entry.name.lower() for entry in folder.iterdir()}
    while True:
        path = folder / without_collision(name, taken)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except FileExistsError:
            taken.add(path.name.lower())
            continue
        with os.fdopen(handle, "wb") as file:
            shutil.copyfileobj(content, file, _PIECE)
        return path


@dataclass(frozen=True)
class Result:
    """An answer with its evidence.

    Attributes:
        events: All that happened for this question, in order.
    """

    events: tuple[Event, ...]
    store: FileStore = field(repr=False, compare=False)

    @cached_property
    def id(self) -> str:
        """The run's id."""
        return next((e.id for e in self.events if isinstance(e, RunStarted)), "")

    @cached_property
    def question(self) -> str:
        """What was asked."""
        return next((e.question for e in self.events if isinstance(e, RunStarted)), "")

    @cached_property
    def text(self) -> str:
        """The answer; when the run ended without one, what the model said last."""
        answer = next((e.text for e in reversed(self.events) if isinstance(e, Answered)), None)
        if answer is not None:
            return answer
        return next((e.text for e in reversed(self.events) if isinstance(e, ReplyEnded)), "")

    @cached_property
    def answered(self) -> bool:
        """False when a limit or an error ended the run."""
        return any(isinstance(e, Answered) for e in self.events)

    @cached_property
    def checks(self) -> tuple[Check, ...]:
        """The numbers of the answer that stand in no output, file or question. Informative; at most fifty."""
        return tuple(check for e in self.events if isinstance(e, Checked) for check in e.checks)

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """The cells in the order they were written, whoever ran them."""
        ran = {e.code_id: e for e in self.events if isinstance(e, CodeRan)}
        made = [e for e in self.events if isinstance(e, FileMade)]
        return tuple(
            Step(code=e, ran=ran.get(e.code_id), files=tuple(f for f in made if f.code_id == e.code_id))
            for e in self.events
            if isinstance(e, CodeWritten)
        )

    @cached_property
    def files(self) -> ResultFiles:
        """The files the code made, each in its last version."""
        last = {e.name: e for e in self.events if isinstance(e, FileMade)}
        return ResultFiles(ResultFile(made, self.store) for made in last.values())

    @cached_property
    def route(self) -> RouteChosen | None:
        """Where the code ran and why; the last one when the route changed. None when the run failed before."""
        return next((e for e in reversed(self.events) if isinstance(e, RouteChosen)), None)

    @cached_property
    def sandbox(self) -> SandboxOpened | None:
        """The local sandbox that this question opened, the last one; None when it opened none: on the native route, or when an
        earlier question of the session did."""
        return next((e for e in reversed(self.events) if isinstance(e, SandboxOpened)), None)

    @cached_property
    def usage(self) -> Usage:
        """Tokens of all replies together."""
        parts = [e for e in self.events if isinstance(e, Usage)]
        return Usage(
            model=parts[-1].model if parts else "",
            input_tokens=sum(u.input_tokens for u in parts),
            output_tokens=sum(u.output_tokens for u in parts),
            cached_tokens=sum(u.cached_tokens for u in parts),
            cache_write_tokens=sum(u.cache_write_tokens for u in parts),
            reasoning_tokens=sum(u.reasoning_tokens for u in parts),
            cost=total_cost(parts),
            container_seconds=_known_sum([u.container_seconds for u in parts]),
            container_cost=_known_sum([u.container_cost for u in parts]),
        )

    @property
    def cost(self) -> float | None:
        """US dollars of the tokens; None when any part is unknown, never a guess of 0."""
        return self.usage.cost

    @property
    def estimated_container_cost(self) -> float | None:
        """US dollars for the time of the provider's containers, estimated from this side's clock and the published price: no
        billed figure, and not part of `cost`. None on the local route, and where no price is known."""
        return self.usage.container_cost

    def __repr__(self) -> str:
        """Short: the events of a run fill pages."""
        names = [file.name for file in self.files[:10]]
        return f"Result(id={self.id!r}, answered={self.answered}, steps={len(self.steps)}, files={names})"

    def _repr_mimebundle_(self, **_: object) -> dict[str, Any]:
        """In a notebook: the answer, what was made, each step with its code folded, and what it took."""
        from sandloop.notebook.shown import result_bundle

        return dict(result_bundle(self))

    def to_json(self, *, files: bool = False) -> str:
        """The whole result as JSON; `files=True` puts the files' bytes in, as base64."""
        plain: dict[str, Any] = {
            "id": self.id,
            "question": self.question,
            "answered": self.answered,
            "text": self.text,
            "cost": self.cost,
            "estimated_container_cost": self.estimated_container_cost,
            "checks": [{"number": c.number, "where": c.where} for c in self.checks],
            "files": [{"name": f.name, "size": f.size, "mime": f.mime, "sha256": f.sha256} for f in self.files],
            "events": [codec.to_plain(codec.scrub(e)) for e in self.events],
        }
        if files:
            plain["content"] = {f.sha256: base64.b64encode(f.bytes()).decode() for f in self.files}
        return json.dumps(plain, ensure_ascii=False)

    @classmethod
    def from_json(cls, text: str | bytes) -> Result:
        """The result that `to_json` wrote, with its files when it has them. Raises `UsageError` when it is none."""
        try:
            plain = json.loads(text)
            events = tuple(codec.from_plain(e) for e in plain["events"])
            content = {sha: base64.b64decode(data) for sha, data in plain.get("content", {}).items()}
            store = FileStore(file_bytes=max((len(c) for c in content.values()), default=0))
            for sha256, data in content.items():
                store.add_bytes(data, sha256)
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise UsageError(f"This is not a result that sandloop wrote: {error}. Give the output of Result.to_json().") from error
        return cls(events=events, store=store)


class ResultFiles(tuple[ResultFile, ...]):
    """The made files, in order; `result.files["chart.png"]` finds one by name."""

    __slots__ = ()

    @overload
    def __getitem__(self, key: SupportsIndex | str, /) -> ResultFile: ...
    @overload
    def __getitem__(self, key: slice, /) -> tuple[ResultFile, ...]: ...
    def __getitem__(self, key: SupportsIndex | str | slice, /) -> ResultFile | tuple[ResultFile, ...]:
        if isinstance(key, str):
            found = next((f for f in self if f.name == key), None)
            if found is None:
                raise KeyError(f"{key!r}; the files are {[f.name for f in self]}")
            return found
        return super().__getitem__(key)

    def save(self, folder: str | os.PathLike[str]) -> list[Path]:
        """Write all of them into `folder`; returns the paths written, in the order of the files."""
        return [f.save(folder) for f in self]


def total_cost(usages: Sequence[Usage]) -> float | None:
    """The sum, or None when there is nothing to sum or any part is unknown."""
    costs = [u.cost for u in usages]
    known = [c for c in costs if c is not None]
    return sum(known) if known and len(known) == len(costs) else None


def _known_sum(values: Sequence[float | None]) -> float | None:
    """The sum of what is known; None when nothing is."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None
