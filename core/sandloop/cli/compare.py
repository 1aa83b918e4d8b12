"""`sandloop compare`: one question to several models side by side, or a compare file with many."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sandloop.cli.analyze import RouteChoice
from sandloop.cli.complete import several_models
from sandloop.cli.ends import Signals, ending_well, put, put_json, stderr_console, stdout_is_terminal

if TYPE_CHECKING:
    from rich.console import Console

    from sandloop.cli.compare_table import Watching
    from sandloop.comparing.comparison import Comparison
    from sandloop.comparing.run import Comparing
    from sandloop.settings import Settings


def compare(
    question: Annotated[
        str | None, typer.Argument(metavar="QUESTION", help="What to find out, in words; '-' reads it from stdin.")
    ] = None,
    files: Annotated[list[str] | None, typer.Argument(metavar="FILE", help="Files to look at; never changed.")] = None,
    models: Annotated[
        list[str] | None,
        typer.Option(
            "-m",
            "--model",
            metavar="A,B",
            autocompletion=several_models,
            help="Models: profiles, 'provider:model' or providers. May be given again.",
        ),
    ] = None,
    repeat: Annotated[int | None, typer.Option("--repeat", metavar="N", help="Ask each model N times.")] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", metavar="DIR", help="Where everything is saved; without it, in sandloop-output/ID."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the whole comparison as JSON instead of the answers.")] = False,
    fail_on_disagreement: Annotated[
        bool, typer.Option("--fail-on-disagreement", help="End with exit code 1 when the answers disagree.")
    ] = False,
    route: RouteChoice = None,
    judge: Annotated[
        str | None, typer.Option("--judge", metavar="MODEL", help="Ask this model, too, whether the answers say the same.")
    ] = None,
    tolerance: Annotated[
        float | None,
        typer.Option("--tolerance", metavar="X", help="Numbers this near are the same: 0.01 for one percent; 0.001 without it."),
    ] = None,
    max_cost: Annotated[
        float | None, typer.Option("--max-cost", metavar="USD", help="What each run may cost, as far as prices are known.")
    ] = None,
    timeout: Annotated[float | None, typer.Option("--timeout", metavar="SECONDS", help="How long each run may take.")] = None,
    concurrency: Annotated[
        int | None,
        typer.Option("--concurrency", metavar="N", help="Runs at the same time; without it 8, and fewer at one provider."),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", metavar="PATH", help="Write the report there, too.")] = None,
    suite: Annotated[
        Path | None, typer.Option("-f", "--file", metavar="SUITE.yaml", help="A compare file, instead of a question and files.")
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ID,ID", help="Of a compare file: these questions. May be given again.")
    ] = None,
    rerun: Annotated[
        str | None,
        typer.Option(
            "--rerun", metavar="WHICH", help="Of a compare file: ask only what is new, or also what failed, or all again."
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="PATH", help="Of a compare file: write the verdicts as JUnit XML, too.")
    ] = None,
) -> None:
    """Ask several models the same question, and see where they agree. The verdict and the answers go to stdout."""
    from sandloop.cli.call import call_settings
    from sandloop.errors import UsageError

    with ending_well() as signals:
        if output is not None and output.exists() and not output.is_dir():
            raise UsageError(f"{output} is not a folder, so files can't be saved there. Name a folder with -o.")
        if html is not None and html.is_dir():
            raise UsageError(f"{html} is a folder, and the report is a file. Name one, such as {html / 'report.html'}.")
        settings = call_settings(route=route.value if route else None, max_cost=max_cost, timeout=timeout)
        names = _names(models, "-m")
        if suite is not None:
            from sandloop.cli.suite import SuiteCall, run_file

            if question is not None or html is not None:
                what = "a question" if question is not None else "--html"
                raise UsageError(f"{what} was given beside the compare file {suite}. It has its questions, and its page is saved.")
            given = {"cost": max_cost, "seconds": timeout}
            call = SuiteCall(
                models=names,
                only=_names(only, "--only"),
                repeat=repeat,
                rerun=rerun or "new",
                output=output,
                junit=junit,
                as_json=as_json,
                fail_on_disagreement=fail_on_disagreement,
                limits={name: value for name, value in given.items() if value is not None},
                settings=settings,
                concurrency=concurrency,
                judge=judge,
                tolerance=tolerance,
            )
            raise typer.Exit(run_file(suite, call, signals))
        if only or rerun is not None or junit is not None:
            raise UsageError("--only, --rerun and --junit belong to a compare file. Name one with -f.")
        comparing = _comparing(question, files or [], names, repeat, settings, concurrency, judge, tolerance)
        raise typer.Exit(_compare(comparing, output, html, as_json, fail_on_disagreement, signals))


def _names(given: list[str] | None, option: str) -> list[str]:
    """Of an option that may be given again, and whose values may hold commas. Raises `UsageError` when it names none."""
    from sandloop.errors import UsageError

    names = [name.strip() for value in given or [] for name in value.split(",") if name.strip()]
    if given and not names:
        raise UsageError(f"{option} was given without a name. Write one, or leave {option} out.")
    return names


def _comparing(
    question: str | None,
    files: list[str],
    models: list[str],
    repeat: int | None,
    settings: Settings,
    concurrency: int | None,
    judge: str | None,
    tolerance: float | None,
) -> Comparing:
    from sandloop.cli.call import read_question
    from sandloop.comparing.run import Comparing
    from sandloop.errors import UsageError

    if question is None:
        raise UsageError('There is no question. Write sandloop compare "QUESTION" FILE... -m claude,gpt.')
    if not models:
        raise UsageError("No model is named. Name those to compare, such as -m claude,gpt,gemini.")
    if len(models) == 1 and (repeat or 1) == 1:
        raise UsageError(
            f"Only {models[0]!r} is named, so there is nothing to compare. Name another with -m, or ask it again with --repeat 3."
        )
    return Comparing(
        read_question(question),
        files,
        models=models,
        repeat=1 if repeat is None else repeat,
        settings=settings,
        concurrency=concurrency,
        judge=judge,
        tolerance=tolerance,
    )


def _compare(
    comparing: Comparing, output: Path | None, html: Path | None, as_json: bool, fail_on_disagreement: bool, signals: Signals
) -> int:
    """Run it, show it, save it; also what there is of one that was stopped."""
    from sandloop.cli.compare_table import Watching

    console = stderr_console()
    watching = Watching(comparing.labels, console, ends_told=as_json or not stdout_is_terminal())
    comparing.on_event = watching.told
    try:
        _watched(comparing, watching, signals)
    finally:
        for note in comparing.notes:
            console.print(f"! {note}", style="yellow", markup=False, highlight=False, soft_wrap=True)
        if comparing.comparison is not None:
            _finish(comparing.comparison, output, html, as_json, console)
    return exit_code(comparing.comparison, fail_on_disagreement=fail_on_disagreement)


def _watched(comparing: Comparing, watching: Watching, signals: Signals) -> None:
    from contextlib import ExitStack

    from anyio.from_thread import start_blocking_portal

    with ExitStack() as stack:
        with signals.held():
            stack.enter_context(watching)
            portal = stack.enter_context(start_blocking_portal())
        portal.call(comparing.run)


def _finish(comparison: Comparison, output: Path | None, html: Path | None, as_json: bool, console: Console) -> None:
    """Saved first: what was paid for is there, wherever the output goes."""
    from sandloop.cli.compare_answers import answers

    try:
        _save(comparison, output or Path("sandloop-output") / comparison.id, html, console)
    finally:
        if as_json:
            put_json(comparison.to_json())
        else:
            put(answers(comparison, colour=stdout_is_terminal() and not console.no_color))


def _save(comparison: Comparison, folder: Path, html: Path | None, console: Console) -> None:
    import tempfile

    from sandloop.errors import UsageError
    from sandloop.printable import printable

    def say(text: str) -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    try:
        saved = comparison.save(folder)
    except UsageError as error:
        say(f"! {error}")
        saved = comparison.save(Path(tempfile.mkdtemp(prefix=f"sandloop-output-{comparison.id}-")))
    say(f"saved {saved}: report.html, comparison.json, and a folder for each model")
    if html is not None:
        from sandloop.report import comparison_report, write_report

        say(f"saved {write_report(html, comparison_report(comparison))}")


def exit_code(comparison: Comparison | None, *, fail_on_disagreement: bool) -> int:
    """0 when anything answered, whatever the answers say, unless they were to agree. When nothing did: the code of the error
    that all had, else 1."""
    from sandloop import errors

    if comparison is None:
        return 1
    if any(entry.answered for entry in comparison.entries):
        return 1 if fail_on_disagreement and comparison.disagree else 0
    codes = {getattr(getattr(errors, entry.error, None), "exit_code", 1) for entry in comparison.entries}
    return codes.pop() if len(codes) == 1 else 1
