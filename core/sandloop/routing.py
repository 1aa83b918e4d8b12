"""Where the code will run: one pure function over what the provider can do, the files, the setting and what has happened."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sandloop.errors import NativeUnavailable
from sandloop.events import InputFile, RouteName
from sandloop.ports import Capabilities
from sandloop.settings import Route
from sandloop.sizes import human_size

_WISH = re.compile(
    r"\b(?:save|write|export|create|produce|generate|make|convert|give me)\b[^.?!]{0,60}\b"
    r"(?:files?|csv|xlsx?|excel|workbook|spreadsheet|pdf|docx?|word|pptx?|slides|presentation|report|parquet|json|zip|html)\b|"
    r"\b(?:download|\w+\.(?:csv|xlsx|pdf|docx|pptx|json|parquet|zip|html|md|txt))\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Chosen:
    """A route, and why in words for the user."""

    route: RouteName
    reason: str


def choose_route(
    setting: Route, can: Capabilities, files: Sequence[InputFile], *, provider: str, question: str = "", failed: str | None = None
) -> Chosen:
    """`auto` takes native when the model runs code, the files fit, and what is asked for can come back; otherwise local.

    Args:
        question: Read for a wish for files, where the provider gives none back.
        failed: Why the native route failed in this session, when it did.

    Raises:
        NativeUnavailable: The setting is `native`, and the provider can't.
    """
    if setting == "local":
        return Chosen("local", "you asked for the local sandbox")
    why_not = failed or _why_not_native(can, files, provider)
    if setting == "native":
        if why_not is not None:
            raise NativeUnavailable(provider=provider, said=why_not)
        return Chosen("native", f"you asked for {provider}'s own interpreter")
    why_not = why_not or _why_rather_local(can, question, files, provider)
    if why_not is not None:
        return Chosen("local", why_not)
    because = f"{provider} runs the code itself" + (" and the files fit" if files else "")
    return Chosen("native", f"{because}; {can.runs_code_why}" if can.runs_code_why else because)


def _why_rather_local(can: Capabilities, question: str, files: Sequence[InputFile], provider: str) -> str | None:
    """What `auto` minds and a user who asks for `native` may not. The names of the inputs are no wish for files."""
    total = sum(f.size for f in files)
    if can.auto_bytes == 0 and files:
        return f"{provider}'s interpreter takes no data files"
    if can.auto_bytes is not None and total > can.auto_bytes:
        return f"the files are {human_size(total)} together, and {provider} works well up to {human_size(can.auto_bytes)}"
    for file in files:
        if can.auto_types is not None and not file.mime.startswith(can.auto_types):
            return f"{file.name} is {file.mime}, and {provider} works well with text only"
        question = question.replace(file.name, " ")
    wish = None if can.returns_files else _WISH.search(question)
    return f"the question speaks of {wish[0]!r}, and {provider} gives only pictures back" if wish is not None else None


def _why_not_native(can: Capabilities, files: Sequence[InputFile], provider: str) -> str | None:
    if not can.runs_code:
        return can.runs_code_why or f"{provider} runs no code itself"
    for file in files:
        if can.file_bytes is not None and file.size > can.file_bytes:
            return f"{file.name} is {human_size(file.size)}, and {provider} takes files up to {human_size(can.file_bytes)}"
    total = sum(f.size for f in files)
    if can.total_bytes is not None and total > can.total_bytes:
        return f"the files are {human_size(total)} together, and {provider} takes {human_size(can.total_bytes)}"
    return None
