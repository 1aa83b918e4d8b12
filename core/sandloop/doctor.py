"""What works on this machine, what is missing, and the exact next command, asked from whoever offers `sandloop.checks`."""

from __future__ import annotations

import dataclasses
import io
import json
from collections.abc import Sequence

from sandloop.options import SandboxOptions
from sandloop.plugins import checks, sandbox_tools_factory
from sandloop.ports import Finding, OnProgress, Proof
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


def prove(options: SandboxOptions, on_progress: OnProgress) -> list[Proof]:
    """Put every control of the sandbox to the test, on the engine of the options. Raises a `SandboxError` when there is none."""
    return sandbox_tools_factory(options.engine)(options).prove(on_progress)


def proof_report(proofs: Sequence[Proof], options: SandboxOptions, *, as_json: bool = False, width: int | None = None) -> str:
    """A table of what was tried and what happened, and one line that sums it up; or JSON."""
    if as_json:
        found = {
            "engine": options.engine,
            "runtime": options.runtime,
            "unsafe": list(options.weakened),
            "held": sum(proof.held is True for proof in proofs),
            "did_not_hold": [proof.control for proof in proofs if proof.held is False],
            "not_applicable": [proof.control for proof in proofs if proof.held is None],
            "proofs": [dataclasses.asdict(proof) for proof in proofs],
        }
        return json.dumps(found, indent=2) + "\n"
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0))
    for title in ("", "control", "tried", "happened"):
        table.add_column(title, overflow="fold", no_wrap=not title, ratio=None if not title else 3 if title == "control" else 4)
    for proof in proofs:
        sign, style = _PROVED[proof.held]
        cells = (Text(printable(text)) for text in (proof.control, proof.tried, proof.happened))
        table.add_row(Text(sign, style), *cells)
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=_is_terminal())
    console.print(table)
    console.print(Text(_summed_up(proofs, options)))
    return out.getvalue()


_PROVED = {True: ("ok", "green"), False: ("NO", "bold red"), None: ("-", "dim")}


def _summed_up(proofs: Sequence[Proof], options: SandboxOptions) -> str:
    there = [proof for proof in proofs if proof.held is not None]
    broken = [printable(proof.control) for proof in there if not proof.held]
    says = f"{len(there) - len(broken)} of {len(there)} controls held"
    says += f"; these did not: {', '.join(broken)}." if broken else "."
    if missing := [printable(proof.control) for proof in proofs if proof.held is None]:
        says += f"\nNot to be had here: {', '.join(missing)}."
    if options.weakened:
        says += f"\nOpened on purpose by the settings: {', '.join(options.weakened)}."
    return says


def _is_terminal() -> bool:
    import os
    import sys

    return sys.stdout is not None and sys.stdout.isatty() and not os.environ.get("NO_COLOR")
