"""`sandloop compare -f SUITE.yaml`: run a compare file, show what came of it, and leave it as JSON, JUnit XML and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from sandloop.cli.ends import Signals, put, put_json, stderr_console, stdout_is_terminal

if TYPE_CHECKING:
    from rich.console import Console

    from sandloop.settings import Settings
    from sandloop.suite.outcome import SuiteOutcome
    from sandloop.suite.run import SuiteRun


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteCall:
    """What the command line says beside the compare file."""

    models: Sequence[str] = ()
    only: Sequence[str] = ()
    repeat: int | None = None
    rerun: str = "new"
    output: Path | None = None
    junit: Path | None = None
    as_json: bool = False
    fail_on_disagreement: bool = False
    limits: Mapping[str, float]
    """Over all others, by the names of `Limits`."""
    settings: Settings
    concurrency: int | None = None
    judge: str | None = None
    tolerance: float | None = None


def run_file(path: Path, call: SuiteCall, signals: Signals) -> int:
    """Run it; returns the exit code of the command. Raises a `SandloopError`.

    What was done before a signal is shown and kept, too.
    """
    from sandloop.cli.suite_watch import WatchingSuite
    from sandloop.suite.reading import load_suite

    console = stderr_console()
    run = _made(load_suite(path), call)
    watching = WatchingSuite(run.models, run.runs, console)
    run.on_event, run.on_verdict = watching.told, watching.judged
    try:
        _watched(run, watching, signals)
    finally:
        _finish(run, call, console)
    return exit_code(run.outcome, fail_on_disagreement=call.fail_on_disagreement)


def _made(suite: object, call: SuiteCall) -> SuiteRun:
    from sandloop.errors import UsageError
    from sandloop.settings import nearest
    from sandloop.suite.model import Suite
    from sandloop.suite.run import Rerun, SuiteRun

    assert isinstance(suite, Suite)  # noqa: S101 - the type is imported here, since it is slow to import
    rerun: Rerun | None = next((known for known in get_args(Rerun) if known == call.rerun), None)
    if rerun is None:
        meant = nearest(call.rerun, get_args(Rerun))
        raise UsageError(f"--rerun is {call.rerun!r}. {f'Did you mean {meant!r}?' if meant else 'Write new, failed or all.'}")
    return SuiteRun(
        suite,
        models=call.models,
        only=call.only,
        repeat=call.repeat,
        rerun=rerun,
        folder=call.output,
        limits=call.limits,
        settings=replace(call.settings, limits=None),
        concurrency=call.concurrency,
        judge=call.judge,
        tolerance=call.tolerance,
    )


def _watched(run: SuiteRun, watching: object, signals: Signals) -> None:
    from contextlib import ExitStack

    from anyio.from_thread import start_blocking_portal

    from sandloop.cli.suite_watch import WatchingSuite

    assert isinstance(watching, WatchingSuite)  # noqa: S101
    with ExitStack() as stack:
        with signals.held():
            stack.enter_context(watching)
            portal = stack.enter_context(start_blocking_portal())
        portal.call(run.run)


def _finish(run: SuiteRun, call: SuiteCall, console: Console) -> None:
    """Saved first: what was paid for is there, wherever the output goes."""
    import json

    from sandloop.cli.suite_text import suite_text

    outcome = run.outcome
    try:
        _save(run, outcome, call.junit, console)
    finally:
        if call.as_json:
            put_json(json.dumps(outcome.to_plain(), ensure_ascii=False))
        else:
            put(suite_text(outcome, colour=stdout_is_terminal() and not console.no_color))


def _save(run: SuiteRun, outcome: SuiteOutcome, junit: Path | None, console: Console) -> None:
    from sandloop.printable import printable
    from sandloop.report import write_report
    from sandloop.suite.kept import INDEX
    from sandloop.suite.page import suite_page

    def say(text: str) -> None:
        console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    write_report(run.folder / INDEX, suite_page(outcome))
    say(f"saved {run.folder}: {INDEX}, results.json, and the runs")
    if junit is not None:
        from sandloop.suite.junit import write_junit

        write_junit(outcome, junit)
        say(f"saved {junit}")


def exit_code(outcome: SuiteOutcome, *, fail_on_disagreement: bool) -> int:
    """0 when all is as expected. When no run left anything to judge: the code of the error that all had. Else 1."""
    from sandloop import errors

    verdicts = outcome.verdicts
    if verdicts and all(verdict.status == "error" for verdict in verdicts):
        codes = {getattr(getattr(errors, verdict.error, None), "exit_code", 1) for verdict in verdicts}
        return codes.pop() if len(codes) == 1 else 1
    disagree = fail_on_disagreement and any(question.agree is False for question in outcome.questions)
    return 0 if outcome.all_as_expected and not disagree else 1
