"""`sandloop analyze`: one question, its answer on stdout, everything else on stderr."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandloop.cli.ends import Signals, ending_well, fail, put, stderr_console

if TYPE_CHECKING:
    from rich.console import Console

    from sandloop.result import Result
    from sandloop.settings import Settings


class RouteOption(StrEnum):
    """The values of `--route`."""

    auto = "auto"
    native = "native"
    local = "local"


def analyze(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="What to find out, in words.")],
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help="Files to look at; never changed.")] = None,
    model: Annotated[
        str | None, typer.Option("-m", "--model", help="A profile, 'provider:model', a provider, 'local', or 'replay:PATH'.")
    ] = None,
    route: Annotated[
        RouteOption | None, typer.Option("--route", help="Where the code runs: the provider's servers, or here in Docker.")
    ] = None,
    base_url: Annotated[str | None, typer.Option("--base-url", help="The server's address, for 'compatible' and others.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Where made files are saved; without it, in sandloop-output/ID."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole result as JSON instead of the answer.")] = False,
) -> None:
    """Ask a question about files. The answer goes to stdout, progress to stderr, made files to a folder."""
    from sandloop.errors import UsageError
    from sandloop.settings import Settings

    if output is not None and output.exists() and not output.is_dir():
        fail(UsageError(f"{output} is not a folder, so files can't be saved there. Name a folder with -o."))
    settings = Settings(model=model, route=route.value if route else None, base_url=base_url)
    with ending_well() as signals:
        _analyze(question, files or [], _shared(settings), output, as_json, signals)


def _shared(settings: Settings) -> Settings:
    """Unless it is set otherwise, this command's sandboxes come from where its next call finds one ready, too."""
    from sandloop.options import SandboxOptions
    from sandloop.settings import resolve

    options = resolve(settings).sandbox or SandboxOptions()
    return replace(settings, sandbox=replace(options, warm="shared")) if options.warm == "auto" else settings


def _analyze(question: str, files: list[str], settings: object, output: Path | None, as_json: bool, signals: Signals) -> None:
    from sandloop.api import Session
    from sandloop.display import Display
    from sandloop.errors import SandloopError
    from sandloop.settings import Settings

    assert isinstance(settings, Settings)  # noqa: S101 - the type is imported here, since it is slow to import
    console = stderr_console()
    display = Display(console)
    session: Session | None = None
    result: Result | None = None
    try:
        with signals.held():
            session = Session(settings=settings)
        with session:
            for event in session.stream(question, files):
                display.show(event)
        result = session.result
    except SandloopError as error:
        _finish(error.result, output, as_json, console)
        raise
    except (KeyboardInterrupt, SystemExit):
        display.end()
        if session is not None:
            _finish(session.result, output, as_json, console)
        raise
    finally:
        if session is not None:
            session.close()  # a signal may have come between its making and its use
    _finish(result, output, as_json, console)


def _finish(result: Result | None, output: Path | None, as_json: bool, console: Console) -> None:
    """Save what was made and print what there is, also after a failure: nothing a run has paid for is lost."""
    from sandloop.cli.files import save
    from sandloop.printable import printable

    if result is None:
        return
    save(result.files, output or Path("sandloop-output") / result.id, result.id, console)
    if as_json:
        put(result.to_json())
    elif result.answered:
        if console.is_terminal:
            console.print()
        put(printable(result.text))
    if result.checks:
        numbers = ", ".join(check.number for check in result.checks[:10])
        console.print(f"[yellow]![/] in no output, file or question: {numbers}", highlight=False, soft_wrap=True)
    usage = result.usage
    if usage.input_tokens or usage.output_tokens:
        cost = f", about ${result.cost:.4f}" if result.cost is not None else ""
        if result.estimated_container_cost is not None:
            cost += f", at the provider about ${result.estimated_container_cost:.4f} more (container time estimated)"
        console.print(f"[dim]{usage.input_tokens} tokens in, {usage.output_tokens} out{cost}[/]", highlight=False, soft_wrap=True)
