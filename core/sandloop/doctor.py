"""What works on this machine, what is missing, and the exact next command, asked from whoever offers `sandloop.checks`."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Sequence

from sandloop.plugins import checks
from sandloop.ports import Finding
from sandloop.printable import printable

_EXIT_CODES = {"models": 3}
"""By the name of the check; anything else that is missing is the sandbox's: 4."""
_SIGNS = {"ready": "ok", "missing": "MISSING", "optional": "-", "warning": "!"}


def diagnose() -> list[tuple[int, Finding]]:
    """All findings, each with the exit code of its branch, for the case that it is missing."""
    found: list[tuple[int, Finding]] = []
    for name, check in checks().items():
        try:
            found += [(_EXIT_CODES.get(name, 4), finding) for finding in check()]
        except Exception as error:  # one broken check must not hide the others
            says = f"the check itself failed: {type(error).__name__}: {error}"
            found.append((1, Finding(what=name, state="missing", says=says, do="report this")))
    return found


def report(findings: Sequence[tuple[int, Finding]], *, as_json: bool = False, width: int | None = None) -> str:
    """A table for a person, or JSON."""
    if as_json:
        return json.dumps([dataclasses.asdict(f) for _, f in findings], indent=2) + "\n"
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for _ in range(3):
        table.add_column(overflow="fold")  # a command or an address is shown whole, however narrow the window
    for _, finding in findings:
        style = {"ready": "green", "missing": "bold red", "optional": "dim", "warning": "bold yellow"}[finding.state]
        says = printable(finding.says) + (f"\n→ {printable(finding.do)}" if finding.do else "")
        table.add_row(Text(_SIGNS[finding.state], style), Text(printable(finding.what)), Text(says))
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=_is_terminal())
    console.print(table)
    missing = sum(f.state == "missing" for _, f in findings)
    console.print(f"{missing} missing." if missing else 'Ready: sandloop analyze "QUESTION" FILE')
    return out.getvalue()


def _is_terminal() -> bool:
    import os
    import sys

    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
