"""`python` expectations: the code of a compare file, and files that a model's code made, meet only in a sandbox.

The host hands over plain data and takes back, of each expectation, one line with a word that only this call knows. A line is read
as data: whatever it says, the worst is a wrong verdict on the run that it belongs to.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sandloop.events import CodeRan, CodeWritten, InputFile
from sandloop.limits import Limits
from sandloop.names import clean_component, without_collision
from sandloop.options import SandboxOptions
from sandloop.ports import LocalFile
from sandloop.printable import printable
from sandloop.result import Result, ResultFile
from sandloop.store import FileStore
from sandloop.workspace import Workspace

CASE = "sandloop-case.json"
STEP_SECONDS = 30.0
MAX_FOUND = 500
MAX_OUTPUT = 100_000
_PROGRAM = """\
def _told(source, case, mark):
    import ast, json
    with open(case, encoding="utf-8") as file:
        names = json.load(file)
    value, problem = None, None
    try:
        tree = ast.parse(source)
        last = tree.body.pop()
        exec(compile(tree, "expected", "exec"), names)
        value = eval(compile(ast.Expression(last.value), "expected", "eval"), names)
        true = bool(value)
        found = repr(value)[:500]
    except BaseException as error:
        true, found, problem = False, "", f"{type(error).__name__}: {error}"[:500]
    print()
    print(mark + json.dumps({"true": true, "found": found, "problem": problem}), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Told:
    """What an expectation's code came to. `problem` is why it came to nothing."""

    true: bool
    found: str = ""
    problem: str = ""


async def evaluate(
    sources: Sequence[str],
    result: Result,
    facts: Mapping[str, Any],
    inputs: Sequence[LocalFile],
    *,
    options: SandboxOptions,
    limits: Limits,
) -> list[Told]:
    """Each source in one fresh sandbox, with the answer and its evidence as names. Raises `SandboxError`.

    Args:
        facts: More names, plain data.
        inputs: The question's own files, under the names that the model's code saw.
    """
    limits = replace(limits, step_seconds=min(limits.step_seconds, STEP_SECONDS), files=0)
    store = FileStore(file_bytes=limits.file_bytes)
    given, names = _files(result, inputs)
    case = json.dumps({**_evidence(result), **facts, **names}, ensure_ascii=True).encode()
    digest = hashlib.sha256(case).hexdigest()
    store.add_bytes(case, digest)
    told = LocalFile(file=InputFile(name=CASE, size=len(case), mime="application/json", sha256=digest), path=store.path(digest))
    workspace = Workspace(options=options, limits=limits, store=store)
    try:
        async with aclosing(workspace.prepare([told, *given], preview=False)) as events:
            async for _ in events:
                pass
        return [await _one(workspace, f"e{number}", source) for number, source in enumerate(sources, 1)]
    finally:
        await workspace.close()


async def _one(workspace: Workspace, code_id: str, source: str) -> Told:
    mark = f"{secrets.token_hex(16)} "
    program = f"{_PROGRAM}_told({source.strip()!r}, {CASE!r}, {mark!r})\nNone\n"
    cell = CodeWritten(code_id=code_id, language="python", source=program, origin="provider")
    ran: CodeRan | None = None
    async with aclosing(workspace.run(cell)) as events:
        async for event in events:
            ran = event if isinstance(event, CodeRan) else ran
    assert ran is not None  # noqa: S101 - a workspace that ran a cell says what came of it
    return read_told(ran, mark)


def read_told(ran: CodeRan, mark: str) -> Told:
    """What the marked line of an output says, none of it trusted."""
    if ran.stopped_by != "itself":
        return Told(False, problem=f"its code was stopped by its limit of {ran.stopped_by}")
    line = next((line for line in reversed(ran.stdout[-MAX_OUTPUT:].splitlines()) if line.startswith(mark)), None)
    try:
        plain = json.loads((line or "").removeprefix(mark))
        true, found, problem = plain["true"], plain["found"], plain["problem"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return Told(False, problem="its code ended without a value")
    problem = printable(str(problem))[:MAX_FOUND] if problem else ""
    return Told(true is True and not problem, printable(str(found))[:MAX_FOUND], problem)


def _files(result: Result, inputs: Sequence[LocalFile]) -> tuple[list[LocalFile], dict[str, Any]]:
    """What is put in, and under which names the code finds it: those of made files may be paths, those inside are not."""
    taken, given = {CASE}, list[LocalFile]()
    mine, theirs = dict[str, str](), dict[str, str]()

    def put(name: str, file: InputFile, path: Path) -> str:
        inside = without_collision(clean_component(name.replace("/", "_")), taken)
        taken.add(inside.lower())
        given.append(LocalFile(file=replace(file, name=inside), path=path))
        return inside

    for made in result.files:
        if made.path.is_file():
            mine[made.name] = put(made.name, _as_input(made), made.path)
    for local in inputs:
        theirs[local.file.name] = put(local.file.name, local.file, local.path)
    return given, {"files": mine, "inputs": theirs}


def _as_input(made: ResultFile) -> InputFile:
    return InputFile(name=made.name, size=made.size, mime=made.mime, sha256=made.sha256)


def _evidence(result: Result) -> dict[str, Any]:
    return {
        "question": result.question,
        "answer": result.text if result.answered else "",
        "steps": [
            {
                "language": step.code.language,
                "source": step.code.source,
                "stdout": step.ran.stdout if step.ran else "",
                "stderr": step.ran.stderr if step.ran else "",
                "ok": step.ran.ok if step.ran else False,
            }
            for step in result.steps
        ],
    }
