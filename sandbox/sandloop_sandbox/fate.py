"""What became of a container, told by the engine's own record of it after the fact. Pure; asking is the engine's part."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sandloop.sizes import human_size

_NEAR_SECONDS = 10.0
"""Between a cause and the end it caused: an earlier signal may have been ignored, an earlier memory kill have hit a step."""


def is_told(happened: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the engine has noted both the end of the container's main process and what can have caused it."""
    actions = {_action(event): event for event in happened}
    return "die" in actions and (_exit_code(actions["die"]) != "137" or bool({"kill", "oom"} & actions.keys()))


def fate(happened: Iterable[Mapping[str, Any]], state: Mapping[str, Any] | None, *, memory: int) -> str:
    """What happened, as a clause for `SandboxLost`; empty when the container seems to be well.

    Args:
        happened: The engine's events of this container, oldest first.
        state: `State` of the container, None when the engine doesn't know the container any more.
        memory: What the whole container may take, in bytes.
    """
    events = list(happened)
    death = next((event for event in reversed(events) if _action(event) == "die"), None)
    actions = {_action(event) for event in events}
    if death is None and state is None:
        if {"create", "start"} & actions:
            return "somebody removed its container (as by `docker rm -f`)"
        return "its container is gone and the engine does not remember it, as after a restart of the engine"
    if death is None:
        if state and state.get("Paused"):
            return "it was paused from outside (as by `docker pause`) and did not answer in time"
        return "" if state and state.get("Running") else f"its container is {_word((state or {}).get('Status'))}"
    near = {_action(event) for event in events if _seconds(death) - _seconds(event) < _NEAR_SECONDS}
    if "kill" in near:
        return "somebody killed or removed its container (as by `docker kill` or `docker rm -f`)"
    if "oom" in near:
        return f"its container was killed for memory: all in it, its files too, may take {human_size(memory)}"
    match _exit_code(death):
        case "137":
            return "its main process was killed from outside (SIGKILL: by hand, or because this machine ran out of memory)"
        case "0":
            return "it ended by itself: its time was over, or its line to us broke"
        case code:
            return f"its supervisor ended with exit code {_word(code)}"


def _action(event: Mapping[str, Any]) -> str:
    """The event's name. Podman says `died` where Docker says `die`."""
    name = str(event.get("Action") or event.get("status") or "")
    return "die" if name == "died" else name


def _exit_code(event: Mapping[str, Any]) -> str:
    """Podman names it otherwise, too."""
    actor: Any = event.get("Actor") or {}
    attributes: Any = actor.get("Attributes") or {}
    return str(attributes.get("exitCode") or attributes.get("containerExitCode") or "")


def _seconds(event: Mapping[str, Any]) -> float:
    nano = event.get("timeNano")
    return nano / 1e9 if isinstance(nano, int) else 0.0


def _word(value: Any) -> str:
    return str(value)[:40] if value not in (None, "") else "unknown"
