"""What a suite's earlier runs left in its folder: which run answered what, and how it was judged.

`asked/<key>-<number>.json` names the run, and is written when the run has ended, so that a crash loses none; `runs/` holds the
runs as everywhere; `results.json` is the last outcome. All of it is read as data that anybody may have written.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Generator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sandloop.errors import SandloopError, UsageError
from sandloop.regular import open_regular
from sandloop.result import Result
from sandloop.suite.outcome import QuestionOutcome, SuiteOutcome

MAX_BYTES = 50_000_000
RESULTS, INDEX, PAGES, RUNS, ASKED = "results.json", "report.html", "reports", "runs", "asked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A run that ended, in short."""

    run: str
    error: str = ""
    message: str = ""
    seconds: float = 0.0
    at: str = ""


class Kept:
    """The folder of a suite's results. It need not be there before it is opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def open(self) -> None:
        """Make the folder. Raises `UsageError` when it can't be made; so do the others where it can't be written.

        A folder may come with a repository: a link in it could lead what is written to any file of the user's.
        """
        for name in (ASKED, RUNS, PAGES, RESULTS, INDEX):
            if (self.folder / name).is_symlink():
                raise UsageError(
                    f"{self.folder / name} is a link, so nothing was written there. Remove it, or name another folder with -o."
                )
        with writing_to(self.folder):
            (self.folder / ASKED).mkdir(parents=True, exist_ok=True)

    @property
    def runs(self) -> Path:
        """Where the suite's runs are kept."""
        return self.folder / RUNS

    def asked(self, key: str, number: int) -> Asked | None:
        """The run that has this key, when it was kept."""
        plain = _read(self._path(key, number))
        if not isinstance(plain, dict):
            return None
        known = {f.name: f.type for f in fields(Asked)}
        facts: dict[str, Any] = {k: v for k, v in plain.items() if k in known}  # pyright: ignore[reportUnknownVariableType]
        numbers = isinstance(facts.get("seconds", 0.0), int | float)
        texts = all(isinstance(facts.get(name, ""), str) for name in known if name != "seconds")
        return Asked(**facts) if facts.get("run") and numbers and texts else None

    def keep(self, key: str, number: int, asked: Asked) -> None:
        """Remember a run that has ended."""
        with writing_to(self.folder):
            write_whole(self._path(key, number), json.dumps(asdict(asked), ensure_ascii=False))

    def result(self, run: str) -> Result | None:
        """What that run was; None when it is no longer there or can't be read."""
        from sandloop.runs import find_run

        try:
            return find_run(run, self.runs).result()
        except (SandloopError, OSError):
            return None

    def before(self) -> dict[str, QuestionOutcome]:
        """The last outcome, by the questions' ids; empty when there is none that can be read."""
        from pydantic import TypeAdapter, ValidationError

        plain = _read(self.folder / RESULTS)
        try:
            questions = TypeAdapter(list[QuestionOutcome]).validate_python(plain["questions"] if isinstance(plain, dict) else [])
        except (ValidationError, KeyError):
            return {}
        return {question.id: question for question in questions}

    def write(self, outcome: SuiteOutcome) -> None:
        """`results.json`, in one step."""
        with writing_to(self.folder):
            write_whole(self.folder / RESULTS, json.dumps(outcome.to_plain(), ensure_ascii=False, indent=1) + "\n")

    def _path(self, key: str, number: int) -> Path:
        return self.folder / ASKED / f"{key}-{number}.json"


def write_whole(path: Path, text: str) -> None:
    """All of it or nothing. Raises `OSError`."""
    new = path.with_name(f".new-{os.getpid()}-{path.name}")
    try:
        new.write_text(text, "utf-8")
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


@contextlib.contextmanager
def writing_to(folder: Path) -> Generator[None]:
    """An error of the disk as one of the call."""
    try:
        yield
    except OSError as error:
        why = error.strerror or str(error)
        raise UsageError(f"The results can't be kept in {folder}: {why}. Name another folder with -o.") from error


def _read(path: Path) -> object:
    try:
        with open_regular(path) as file:
            content = file.read(MAX_BYTES + 1)
        return json.loads(content) if len(content) <= MAX_BYTES else None
    except (OSError, ValueError, RecursionError):
        return None
