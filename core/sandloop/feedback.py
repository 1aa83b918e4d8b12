"""What a run of code tells the model: bounded, delimited, with a plain note of what was left out."""

from __future__ import annotations

from collections.abc import Sequence

from sandloop.events import CodeRan, FileMade, Preview
from sandloop.sizes import human_size

STDOUT_CHARS = 8_000
STDERR_CHARS = 3_000
"""About 2,000 and 750 tokens a step: a table of 60 rows and a long traceback fit, and thirty steps fit a 128k window."""

SAME_CODE = (
    "This is word for word the code that failed before, so it failed again. Don't send it again: read the last line of the error, "
    "and write different code where it says. First print what is really there, such as df.columns.tolist() and df.dtypes."
)
LOOK_AGAIN_CHARS = 2_000
_WRONG_NAME = ("KeyError", "FileNotFoundError")
"""Errors of a model that guessed a column or a file instead of reading the names it was given."""
_WHY_STOPPED = {
    "time": "It was stopped: it ran longer than its time limit.",
    "memory": "It was stopped: it used more memory than its limit. Read less of the data at once.",
    "output": "It was stopped: it printed too much.",
    "processes": "It was stopped: it started too many processes or threads.",
    "disk": "It was stopped: there was no more room for its files.",
    "interrupt": "It was interrupted by the user.",
    "provider": "The provider stopped it.",
    "declined": (
        "It was not run: the user looked at this code and did not allow it. Don't send the same again. Write other code, or say "
        "in plain words what you need to know or to do."
    ),
}


def head_and_tail(text: str, limit: int, cut_before: int = 0) -> str:
    """About `limit` characters: the first three quarters and the last quarter, with a note between. Never longer than the text."""
    if len(text) <= limit:
        return text if not cut_before else f"{text}\n[{cut_before} bytes of the middle are left out]"
    head, tail = limit * 3 // 4, limit // 4
    short = f"{text[:head]}\n[{len(text) - head - tail + cut_before} characters are left out here]\n{text[-tail:]}"
    return short if cut_before or len(short) < len(text) else text


def describe_run(ran: CodeRan, files: Sequence[FileMade], *, previews: Sequence[Preview] = (), same_as_failed: bool = False) -> str:
    """The text that goes back to the model for one cell.

    Args:
        previews: Shown again when the code used a name that is not there: small models forget the top of the conversation.
        same_as_failed: The same source has failed before.
    """
    parts: list[str] = []
    if ran.stdout.strip():
        parts.append("Output:\n" + head_and_tail(ran.stdout.rstrip(), STDOUT_CHARS, ran.stdout_cut))
    stderr = ran.stderr.rstrip()
    if ran.error is not None:
        stderr = f"{stderr}\n{ran.error.traceback.rstrip()}".strip()
    if stderr:
        parts.append(("Warnings:\n" if ran.ok else "Error:\n") + head_and_tail(stderr, STDERR_CHARS, ran.stderr_cut))
    if ran.stopped_by != "itself":
        parts.append(_WHY_STOPPED[ran.stopped_by])
    elif ran.outcome == "unknown":
        parts.append("It is not known whether this went well: an error may have been kept back.")
    elif ran.exit_code and ran.error is None:
        parts.append(f"It ended with exit code {ran.exit_code}.")
    if ran.out_of_memory == "kernel":
        parts.append("The interpreter itself was killed for memory.")
    elif ran.out_of_memory == "child":
        parts.append("A process that the code started was killed for memory; what it should have done is missing.")
    if ran.state == "lost":
        parts.append("All variables are gone; files are still there. Import and load again.")
    if files:
        parts.append("Files made: " + ", ".join(f"{f.name} ({human_size(f.size)})" for f in files))
    if ran.ok and not ran.stdout.strip() and not files:
        parts.append("It ran and printed nothing. Print what you need to see.")
    if same_as_failed:
        parts.append(SAME_CODE)
    if previews and (same_as_failed or (ran.error is not None and ran.error.name in _WRONG_NAME)):
        shown = "\n".join(f"{p.name!r}\n{p.text.rstrip()}" for p in previews)
        parts.append("What the files really hold:\n" + head_and_tail(shown, LOOK_AGAIN_CHARS))
    return "\n".join(parts)
