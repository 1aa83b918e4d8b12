"""`sandloop doctor`: what works on this machine, and whether the sandbox is closed."""

from __future__ import annotations

from typing import Annotated, NoReturn

import typer

from sandloop.cli.ends import ending_well, put, stderr_console


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the findings as JSON.")] = False,
    prove: Annotated[
        bool, typer.Option("--prove", help="Attack the sandbox on your own engine, and print which of its controls held.")
    ] = False,
) -> None:
    """What is there, what is missing, and the exact next command. Keys are shown as present or not, never their value."""
    from sandloop.doctor import diagnose, report

    with ending_well():
        if prove:
            _prove(as_json)
        findings = diagnose()
        put(report(findings, as_json=as_json).rstrip("\n"))
        raise typer.Exit(next((code for code, finding in findings if finding.state == "missing"), 0))


def _prove(as_json: bool) -> NoReturn:
    """Progress goes to stderr, the table to stdout; 4 when a control did not hold."""
    from rich.markup import escape

    from sandloop.doctor import proof_report, prove
    from sandloop.printable import printable
    from sandloop.settings import resolve

    console = stderr_console()
    options = resolve().sandbox
    assert options is not None  # noqa: S101 - resolved settings have every field
    with console.status("opening a sandbox") as status:

        def on_progress(line: str) -> None:
            status.update(escape(printable(line)))
            if not console.is_terminal:
                console.print(escape(printable(line)), highlight=False, soft_wrap=True)

        proofs = prove(options, on_progress)
    put(proof_report(proofs, options, as_json=as_json).rstrip("\n"))
    raise typer.Exit(4 if any(proof.held is False for proof in proofs) or not proofs else 0)
