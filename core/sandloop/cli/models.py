"""`sandloop models`: what each provider can do on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from sandloop.cli.ends import ending_well, put


def models(
    check: Annotated[bool, typer.Option("--check", help="Ask the servers that are configured; sends each its own key.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as JSON.")] = False,
) -> None:
    """Each provider: its key, what runs the code, its limits."""
    import asyncio

    from sandloop.models import checked_rows, model_rows, report
    from sandloop.settings import resolve

    with ending_well():
        settings = resolve()
        rows = model_rows(settings)
        if check:
            rows = asyncio.run(checked_rows(rows, settings))
        put(report(rows, as_json=as_json).rstrip("\n"))
        raise typer.Exit(3 if any(row.works is False for row in rows) else 0)
