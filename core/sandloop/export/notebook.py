"""A run as a Jupyter notebook, with the outputs of then. It runs where the input files lie beside it."""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from typing import Any

from sandloop.errors import UsageError
from sandloop.events import CodeRan
from sandloop.export.inert import inert
from sandloop.export.pieces import Cell, Prose, ended_how, fenced, pieces
from sandloop.feedback import head_and_tail
from sandloop.result import Result, ResultFile

MAX_PICTURE, MAX_PICTURES = 5_000_000, 40_000_000
"""Bytes of one picture in a notebook, and of all."""
MAX_OUTPUT = 200_000
"""Characters of one stream of a cell."""
_FOLDERS = 'import os\n\nfor name in ("INPUT_DIR", "OUTPUT_DIR"):\n    os.environ.setdefault(name, ".")'
"""What providers' interpreters set, and code written for them reads."""
_READS_FOLDERS = re.compile(r"\b(?:IN|OUT)PUT_DIR\b")


def as_notebook(results: Sequence[Result]) -> str:
    """The results of a conversation, one or more, as the JSON of a notebook in nbformat 4.

    Text of the model can load nothing when the notebook is opened: its HTML and its pictures by address are shown as text.
    """
    import nbformat

    room = _Room()
    cells: list[dict[str, Any]] = []
    found = pieces(results)
    if any(isinstance(p, Cell) and _READS_FOLDERS.search(p.step.code.source) for p in found):
        cells.append(_code(_FOLDERS, None, []))
    for piece in found:
        match piece:
            case Prose(text=text):
                cells.append(_markdown(inert(text)))
            case Cell() if piece.runs:
                cells.append(_cell(piece, len(cells) + 1, room))
            case Cell():
                cells.append(_markdown(f"{ended_how(piece.step)}\n\n{fenced(piece.step.code)}"))
    book = {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"},
            "language_info": {"name": "python", "file_extension": ".py", "mimetype": "text/x-python"},
            "sandloop": {"runs": [result.id for result in results]},
        },
        "cells": [{"id": f"cell-{number}", **cell} for number, cell in enumerate(cells, 1)],
    }
    node: Any = nbformat.from_dict(book)  # type: ignore[no-untyped-call]
    nbformat.validate(node)
    return str(nbformat.writes(node)).rstrip("\n") + "\n"  # type: ignore[no-untyped-call]


class _Room:
    """What is left for pictures."""

    def __init__(self) -> None:
        self._left = MAX_PICTURES

    def take(self, size: int) -> bool:
        """Whether a picture of that size has room."""
        if size > min(MAX_PICTURE, self._left):
            return False
        self._left -= size
        return True


def _markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def _code(source: str, count: int | None, outputs: list[dict[str, Any]], **metadata: Any) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": metadata, "source": source, "execution_count": count, "outputs": outputs}


def _cell(cell: Cell, number: int, room: _Room) -> dict[str, Any]:
    code, ran = cell.step.code, cell.step.ran
    source = f"%%bash\n{code.source}" if code.language == "bash" else code.source
    outputs = [] if ran is None else _outputs(ran)
    outputs += [_picture(picture, room) for picture in cell.pictures]
    fails = ran is not None and not ran.ok
    return _code(source, number, outputs, **({"tags": ["raises-exception"]} if fails else {}))


def _outputs(ran: CodeRan) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = []
    for name, text, cut in (("stdout", ran.stdout, ran.stdout_cut), ("stderr", ran.stderr, ran.stderr_cut)):
        if text or cut:
            outputs.append({"output_type": "stream", "name": name, "text": head_and_tail(text, MAX_OUTPUT, cut)})
    if ran.error is not None:
        outputs.append(
            {
                "output_type": "error",
                "ename": ran.error.name,
                "evalue": ran.error.value,
                "traceback": ran.error.traceback.rstrip().split("\n"),
            }
        )
    elif not ran.ok:
        outputs.append({"output_type": "stream", "name": "stderr", "text": f"[{_how(ran)}]\n"})
    return outputs


def _how(ran: CodeRan) -> str:
    if ran.stopped_by != "itself":
        return f"stopped by: {ran.stopped_by}"
    return f"exit code {ran.exit_code}" if ran.exit_code else "not known whether it went well"


def _picture(picture: ResultFile, room: _Room) -> dict[str, Any]:
    data: dict[str, str] = {"text/plain": picture.name}
    try:
        if room.take(picture.size):
            data[picture.mime] = base64.b64encode(picture.bytes()).decode()
    except UsageError:
        pass  # the result was loaded without its files
    return {"output_type": "display_data", "data": data, "metadata": {}}
