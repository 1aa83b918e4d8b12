"""Where the code will run: one pure function over what the provider can do, the files, the setting and what has happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandloop.errors import NativeUnavailable
from sandloop.events import InputFile, RouteName
from sandloop.ports import Capabilities
from sandloop.settings import Route
from sandloop.sizes import human_size


@dataclass(frozen=True, slots=True)
class Chosen:
    """A route, and why in words for the user."""

    route: RouteName
    reason: str


def choose_route(
    setting: Route, can: Capabilities, files: Sequence[InputFile], *, provider: str, failed: str | None = None
) -> Chosen:
    """`auto` takes native when the model runs code and the files fit, otherwise local.

    Args:
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
    if why_not is not None:
        return Chosen("local", why_not)
    because = f"{provider} runs the code itself" + (" and the files fit" if files else "")
    return Chosen("native", f"{because}; {can.runs_code_why}" if can.runs_code_why else because)


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
