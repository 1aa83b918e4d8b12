"""Claude's code execution blocks as code and results: what the model wrote, and what came of it. Pure.

Names and shapes of blocks are the API's, and new ones appear without notice, so everything is read by its `type` and its keys
and nothing is taken to be there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

from sandloop.events import CodeError, CodeRan, Language, StoppedBy
from sandloop_providers.remote_runs import error_in, head_and_tail
from sandloop_providers.untrusted import mapping, text

CODE_FIELDS: dict[str, tuple[Language, tuple[str, ...]]] = {
    "code_execution": ("python", ("code",)),
    "bash_code_execution": ("bash", ("command",)),
    "text_editor_code_execution": ("text", ("file_text", "new_str")),
}
"""Per server tool: its language, and the keys of its input that hold what is written."""
RESULT_TYPE = re.compile(r"(\w+_)?code_execution_tool_result")
_MEANING = {
    "invalid_tool_input": "the provider's tool did not take the input",
    "unavailable": "the provider's interpreter is not available",
    "too_many_requests": "the provider's interpreter takes no more requests now",
    "execution_time_exceeded": "it ran longer than the provider allows",
    "output_file_too_large": "it made a file larger than the provider allows",
    "file_not_found": "there is no such file",
    "string_not_found": "the text to replace is not in the file",
    "container_expired": "the provider's container is gone, with its variables and files",
}


@dataclass(frozen=True, slots=True)
class Output:
    """A file at the provider that a step made."""

    file_id: str
    code_id: str | None


def is_code(block: Mapping[str, Any]) -> bool:
    """Whether a block is a server tool's call that runs code or edits a file."""
    return block.get("type") == "server_tool_use" and text(block.get("name")).endswith("code_execution")


def growing(name: str, arguments: Mapping[str, Any]) -> tuple[Language, str]:
    """The part of a half-written call that is worth showing while it is written."""
    language, fields = CODE_FIELDS.get(name, ("text", ()))
    return language, next((arguments[f] for f in fields if isinstance(arguments.get(f), str)), "")


def source_of(name: str, arguments: Mapping[str, Any]) -> tuple[Language, str]:
    """A finished call as something to read."""
    if name != "text_editor_code_execution":
        language, source = growing(name, arguments)
        return language, source or json.dumps(arguments, ensure_ascii=False)
    command, path = text(arguments.get("command")), text(arguments.get("path"))
    if command == "create":
        return "text", f"create {path}\n{text(arguments.get('file_text'))}"
    if command == "str_replace":
        return "text", f"replace in {path}\n--- old\n{text(arguments.get('old_str'))}\n+++ new\n{text(arguments.get('new_str'))}"
    return "text", f"{command} {path}".strip()


def ran_of(block: Mapping[str, Any], *, kept: int) -> CodeRan:
    """The result block of a call. `kept` bounds stdout and stderr each, in bytes."""
    code_id, content = text(block.get("tool_use_id")), mapping(block.get("content"))
    if "error_code" in content:
        return _refused(code_id, content)
    if "return_code" not in content:
        return CodeRan(code_id=code_id, exit_code=0, stdout=head_and_tail(_edited(content), kept)[0])
    exit_code = content.get("return_code")
    stdout = text(content.get("stdout"))
    if "encrypted_stdout" in content:
        stdout = "[The provider keeps this output encrypted: the code used its web search.]\n"
    stderr = text(content.get("stderr"))
    error = error_in(stderr) if exit_code != 0 else None
    if error is not None:
        stderr = stderr[: stderr.find(error.traceback)]
        error = CodeError(name=error.name, value=error.value, traceback=head_and_tail(error.traceback, kept)[0])
    stdout, stdout_cut = head_and_tail(stdout, kept)
    stderr, stderr_cut = head_and_tail(stderr, kept)
    return CodeRan(
        code_id=code_id,
        exit_code=exit_code if isinstance(exit_code, int) else None,
        stdout=stdout,
        stderr=stderr,
        stdout_cut=stdout_cut,
        stderr_cut=stderr_cut,
        error=error,
    )


def outputs_of(block: Mapping[str, Any]) -> list[Output]:
    """The files a result block, or an upload block in a reply, names."""
    if block.get("type") == "container_upload":
        found, code_id = [block], None
    else:
        listed = mapping(block.get("content")).get("content")
        found = [mapping(item) for item in cast("list[object]", listed)] if isinstance(listed, list) else []
        code_id = text(block.get("tool_use_id")) or None
    ids = [text(item.get("file_id")) for item in found]
    return [Output(file_id, code_id) for file_id in ids if 0 < len(file_id) <= 200]


def _refused(code_id: str, content: Mapping[str, Any]) -> CodeRan:
    code = text(content.get("error_code"))[:200] or "unknown"
    said = text(content.get("error_message"))[:2_000] or _MEANING.get(code, "the provider says no more")
    stopped: StoppedBy = "time" if code == "execution_time_exceeded" else "provider"
    state: Literal["kept", "lost", "unknown"] = (
        "lost" if code == "container_expired" else "unknown" if stopped == "time" else "kept"
    )
    return CodeRan(code_id=code_id, exit_code=None, stderr=f"{code}: {said}", stopped_by=stopped, state=state)


def _edited(content: Mapping[str, Any]) -> str:
    """What a file edit gave: the text viewed, the lines changed, or a word that it was done."""
    match text(content.get("type")):
        case "text_editor_code_execution_view_result":
            kind = text(content.get("file_type"))
            return text(content.get("content")) if kind in ("text", "") else f"[a file of type {kind}]"
        case "text_editor_code_execution_create_result":
            return "File updated." if content.get("is_file_update") else "File created."
        case "text_editor_code_execution_str_replace_result":
            lines = content.get("lines")
            return "\n".join(str(line) for line in cast("list[object]", lines)) if isinstance(lines, list) else "Replaced."
        case _:
            return json.dumps(content, ensure_ascii=False)
