"""`sandloop chat`: several questions in one conversation, with files, variables and made files kept between them."""

from __future__ import annotations

from typing import Annotated

import typer

from sandloop.cli.analyze import BaseUrl, MaxCost, Model, NoPictures, RouteChoice, Timeout
from sandloop.cli.ends import ending_well


def chat(
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help="Files to talk about; never changed.")] = None,
    model: Model = None,
    route: RouteChoice = None,
    base_url: BaseUrl = None,
    max_cost: MaxCost = None,
    timeout: Timeout = None,
    no_pictures: NoPictures = False,
) -> None:
    """Ask several questions about files. '/help' lists what else can be done; Ctrl-C stops a question, Ctrl-D ends.

    Without a terminal, each line of stdin is a question or a command, and the exit code is that of the last one that failed.
    """
    with ending_well() as signals:
        from sandloop.cli.call import call_settings
        from sandloop.cli.chatting import chatting

        settings = call_settings(model, route.value if route else None, base_url, max_cost, timeout)
        raise typer.Exit(chatting(files or [], settings, pictures=not no_pictures, signals=signals))
