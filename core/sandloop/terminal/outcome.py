"""How a cell ended, in a line or two."""

from __future__ import annotations

from sandloop.events import CodeRan, StoppedBy

_STOPPED: dict[StoppedBy, str] = {
    "interrupt": "interrupted",
    "provider": "stopped by the provider",
    "declined": "not run: you did not allow it",
}


def outcome(ran: CodeRan) -> list[tuple[str, str, str]]:
    """Lines of a sign, words and a style."""
    lines = [_ended(ran)]
    if ran.out_of_memory == "child":
        lines.append(("!", "a process that the code started was killed for memory", "yellow"))
    if ran.state == "lost":
        lines.append(("!", "variables were lost; files are still there", "yellow"))
    return lines


def _ended(ran: CodeRan) -> tuple[str, str, str]:
    if ran.stopped_by != "itself":
        return "✗", _STOPPED.get(ran.stopped_by, f"stopped by its limit of {ran.stopped_by}"), "red"
    if ran.error is not None:
        return "✗", f"{ran.error.name}: {ran.error.value}", "red"
    if ran.outcome == "unknown":
        return "?", "ran; the provider does not say whether it went well", "yellow"
    if ran.exit_code:
        return "✗", f"exit code {ran.exit_code}", "red"
    return "✓", f"ran in {ran.seconds:.2f} s" if ran.seconds is not None else "ran", "green"
