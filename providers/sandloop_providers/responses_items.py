"""Output items of the Responses API as code, results and files. Pure; everything is read by its `type` and its keys.

The interpreter reports no exit status: an exception comes back as `completed` with no outputs at all, just like a cell that
prints nothing. Such a cell's outcome is unknown, and said to be so.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from sandloop.events import CodeRan, CodeWritten, StoppedBy
from sandloop_providers.remote_runs import PICTURE_TYPES, Inline, error_in, head_and_tail
from sandloop_providers.untrusted import mapping, rows, text

SHELL_CALLS = ("shell_call", "openrouter:shell")
SHELL_OUTPUTS = ("shell_call_output", "openrouter:shell_output", "openrouter:shell_call_output")
"""OpenRouter names its shell's items in one way or the other, by the shape of tool it was sent."""
PICTURE_CHARS = 40_000_000
"""Of one picture in a data URL; a chart has a hundredth of it."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A file in a container that a reply names."""

    container: str
    file_id: str
    name: str


def written_of(item: Mapping[str, Any]) -> CodeWritten | None:
    """The code of a finished call; None when the item is no call that runs code."""
    match item.get("type"):
        case "code_interpreter_call":
            source = text(item.get("code")).replace("\r\n", "\n")
            return CodeWritten(code_id=text(item.get("id")), language="python", source=source, origin="provider")
        case kind if kind in SHELL_CALLS:
            return CodeWritten(code_id=_call(item), language="bash", source=_commands(item), origin="provider")
        case _:
            return None


def ran_of(item: Mapping[str, Any], *, kept: int) -> CodeRan | None:
    """What came of a call, from the item that tells it. `kept` bounds stdout and stderr each, in bytes."""
    match item.get("type"):
        case "code_interpreter_call":
            return _interpreted(item, kept)
        case kind if kind in SHELL_OUTPUTS or (kind in SHELL_CALLS and isinstance(item.get("output"), list)):
            return _shell(item, kept)
        case _:
            return None


def _commands(item: Mapping[str, Any]) -> str:
    action = mapping(item.get("action")) or item
    commands = action.get("commands")
    lines = cast("list[object]", commands) if isinstance(commands, list) else [action.get("command")]
    return "\n".join(line for line in lines if isinstance(line, str))


def _interpreted(item: Mapping[str, Any], kept: int) -> CodeRan:
    outputs = rows(item.get("outputs"))
    logs = "".join(_line(text(o.get("logs"))) for o in outputs if o.get("type") == "logs")
    ended = item.get("status") in ("completed", None)
    stdout, cut = head_and_tail(logs, kept)
    error = error_in(logs)
    return CodeRan(
        code_id=text(item.get("id")),
        exit_code=1 if error is not None else None,
        stdout=stdout,
        stdout_cut=cut,
        error=error,
        stopped_by="itself" if ended else "provider",
        state="kept" if ended else "unknown",
        outcome="known" if outputs and ended else "unknown",
    )


def _shell(item: Mapping[str, Any], kept: int) -> CodeRan:
    parts = rows(item.get("output"))
    outcomes = [mapping(part.get("outcome")) for part in parts]
    late = any(o.get("type") == "timeout" for o in outcomes)
    codes = [c for o in outcomes if isinstance(c := o.get("exit_code"), int)]
    stdout, stdout_cut = head_and_tail("".join(text(p.get("stdout")) for p in parts), kept)
    stderr, stderr_cut = head_and_tail("".join(text(p.get("stderr")) for p in parts), kept)
    stopped: StoppedBy = "time" if late else "itself"
    exit_code = 124 if late else next((c for c in codes if c), codes[-1] if codes else None)
    return CodeRan(
        code_id=_call(item),
        exit_code=exit_code,
        stdout=stdout,
        stderr=stderr,
        stdout_cut=stdout_cut,
        stderr_cut=stderr_cut,
        stopped_by=stopped,
        outcome="unknown" if exit_code is None else "known",
    )


def pictures_of(item: Mapping[str, Any]) -> list[Inline]:
    """The pictures that came with the outputs. A remote address is never fetched."""
    found: list[Inline] = []
    for output in rows(item.get("outputs")) if item.get("type") == "code_interpreter_call" else ():
        head, comma, body = text(output.get("url"))[:PICTURE_CHARS].partition(",")
        mime = head.removeprefix("data:").removesuffix(";base64")
        if not (comma and head.endswith(";base64") and mime in PICTURE_TYPES):
            continue
        try:
            found.append(Inline(text(item.get("id")), mime, base64.b64decode(body, validate=True)))
        except (binascii.Error, ValueError):
            continue
    return found


def citations_of(item: Mapping[str, Any]) -> list[Cited]:
    """The container files that a message names."""
    found: list[Cited] = []
    for part in rows(item.get("content")) if item.get("type") == "message" else ():
        for note in rows(part.get("annotations")):
            cited = Cited(text(note.get("container_id")), text(note.get("file_id")), text(note.get("filename")))
            if note.get("type") == "container_file_citation" and cited.container and cited.file_id:
                found.append(cited)
    return found


def said_in(item: Mapping[str, Any]) -> str:
    """The visible text of a message; a refusal's words when it is one."""
    parts = rows(item.get("content")) if item.get("type") == "message" else []
    return "".join(text(part.get("text")) or text(part.get("refusal")) for part in parts)


def is_refusal(item: Mapping[str, Any]) -> bool:
    """Whether a message declines."""
    return item.get("type") == "message" and any(part.get("type") == "refusal" for part in rows(item.get("content")))


def container_of(item: Mapping[str, Any]) -> str:
    """The container in which a call ran."""
    return text(item.get("container_id"))[:200]


def _call(item: Mapping[str, Any]) -> str:
    return text(item.get("call_id")) or text(item.get("id"))


def _line(logs: str) -> str:
    """Logs come without their last line end."""
    return logs if not logs or logs.endswith("\n") else logs + "\n"


def plain_json(items: list[Mapping[str, Any]]) -> str:
    """The items as they go back."""
    return json.dumps(items)
