"""`sandloop analyze`: one question, its answer on stdout, everything else on stderr."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from sandloop.cli.complete import models, run_ids
from sandloop.cli.ends import ending_well


class RouteOption(StrEnum):
    """The values of `--route`."""

    auto = "auto"
    native = "native"
    local = "local"


Model = Annotated[
    str | None,
    typer.Option(
        "-m",
        "--model",
        metavar="NAME",
        autocompletion=models,
        help="A profile, 'provider:model', a provider, 'local', or 'replay:PATH'.",
    ),
]
RouteChoice = Annotated[
    RouteOption | None, typer.Option("--route", help="Where the code runs: the provider's servers, or here in Docker.")
]
BaseUrl = Annotated[
    str | None, typer.Option("--base-url", metavar="URL", help="The server's address, for 'compatible' and others.")
]
MaxCost = Annotated[
    float | None, typer.Option("--max-cost", metavar="USD", help="What a question may cost, as far as prices are known.")
]
Timeout = Annotated[float | None, typer.Option("--timeout", metavar="SECONDS", help="How long a question may take, all in all.")]
NoPictures = Annotated[bool, typer.Option("--no-pictures", help="Show no made pictures in terminals that could.")]


def analyze(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to find out, in words; '-' reads it from stdin.")],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help="Files to look at; never changed.")] = None,
    file_glob: Annotated[
        list[str] | None,
        typer.Option("--file-glob", metavar="PATTERN", help="Files by a pattern, such as 'data/**/*.csv'. May be given again."),
    ] = None,
    model: Model = None,
    route: RouteChoice = None,
    base_url: BaseUrl = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Where made files are saved; without it, in sandloop-output/ID."),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="PATH", help="Write a report of the run there.")] = None,
    continued: Annotated[
        bool, typer.Option("--continue", help="Go on after the last run: its questions, files and answers.")
    ] = False,
    continued_from: Annotated[
        str | None,
        typer.Option("--continue-from", metavar="ID", autocompletion=run_ids, help="Go on after that run ('sandloop runs')."),
    ] = None,
    confirm: Annotated[bool, typer.Option("--confirm", help="Ask before each piece of code is run. Local route only.")] = False,
    max_cost: MaxCost = None,
    timeout: Timeout = None,
    show_code: Annotated[
        bool, typer.Option("--show-code", help="Print the code and what it printed before the answer, as Markdown.")
    ] = False,
    stream: Annotated[bool, typer.Option("--stream", help="Print the answer as it comes.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON instead of the answer.")] = False,
    as_jsonl: Annotated[bool, typer.Option("--jsonl", help="Print each event as a line of JSON, as it happens.")] = False,
    no_pictures: NoPictures = False,
) -> None:
    """Ask a question about files. The answer goes to stdout, progress to stderr, made files to a folder."""
    with ending_well() as signals:
        from sandloop.cli.ask import Wanted, ask, refuse_conflicts
        from sandloop.cli.call import call_settings, read_question

        wanted = Wanted(
            show_code=show_code,
            stream=stream,
            as_json=as_json,
            as_jsonl=as_jsonl,
            confirm=confirm,
            continued="last" if continued else continued_from,
            output=output,
            html=html,
            pictures=not no_pictures,
        )
        refuse_conflicts(wanted, both_continue=continued and continued_from is not None, route=route.value if route else None)
        settings = call_settings(model, route.value if route else None, base_url, max_cost, timeout)
        ask(read_question(question), [*(files or []), *(file_glob or [])], settings, wanted, signals)
