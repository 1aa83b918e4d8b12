"""The program that runs in the sandbox: reads the files it is told of, compares them, and prints one line of JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from importlib import import_module
from typing import Any

from .child import in_child
from .looks import look
from .match import Given, compared
from .read import read
from .table import Table

FILE_SECONDS, ALL_SECONDS = 20.0, 60.0


def main(given: str) -> None:
    """Compare the files that the JSON text `given` names, and print what came of it as the last line."""
    told = json.loads(given)
    end = time.monotonic() + ALL_SECONDS
    books: dict[int, list[Table]] = {}
    looks: dict[str, Any] = {}
    unread: dict[str, str] = {}
    known: dict[str, tuple[Any, str]] = {}
    """What a child gave for a content, and why it gave nothing."""
    _import_once({str(file["kind"]) for file in told["files"]})
    for file in told["files"]:
        id_, picture = int(file["id"]), file["kind"] == "picture"
        if not file["why"] and file["path"] not in known:
            left = min(FILE_SECONDS, end - time.monotonic())
            path = f"/input/{file['path']}"
            known[file["path"]] = _read(path, file["name"], picture=picture, seconds=left) if left > 0 else (None, "time was over")
        value, why = known.get(file["path"], (None, "")) if not file["why"] else (None, str(file["why"]))
        if why:
            unread[str(id_)] = why
        elif picture:
            looks[str(id_)] = value
        else:
            books[id_] = [Table(*sheet) for sheet in value or ()]
    tables = [_given(file) for file in told["files"] if file["kind"] != "picture"]
    groups = [
        {
            "files": [file.id for file in group.files],
            "classes": group.classes,
            "unknown": group.unknown,
            "outcomes": [
                {"a": a, "b": b, "same": o.same, "more": o.more, "differences": [asdict(d) for d in o.differences]}
                for a, b, o in group.outcomes
            ],
        }
        for group in compared(tables, books, float(told["tolerance"]))
    ]
    print("\n" + json.dumps({"groups": groups, "looks": looks, "unread": unread}))


def _import_once(kinds: set[str]) -> None:
    """What the children will need, so that not each of them has to import it."""
    for kind, module in (("workbook", "openpyxl"), ("picture", "PIL.Image")):
        if kind in kinds:
            with suppress(ImportError):
                import_module(module)


def _given(file: dict[str, Any]) -> Given:
    return Given(int(file["id"]), int(file["entry"]), str(file["name"]), str(file["kind"]), str(file["path"]))


def _read(path: str, name: str, *, picture: bool, seconds: float) -> tuple[Any, str]:
    def tables() -> Sequence[Any]:
        return [list(_plain(table)) for table in read(path, name)]

    return in_child((lambda: look(path)) if picture else tables, seconds)


def _plain(table: Table) -> tuple[Any, ...]:
    """Without copying the cells, as `astuple` would."""
    return table.name, table.header, table.columns, table.first, table.places, table.cut
