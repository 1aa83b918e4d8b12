"""Running a suite as a call: async once; the sync one is the same in a thread of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from anyio.from_thread import start_blocking_portal

from sandloop.settings import Settings
from sandloop.suite.model import Suite
from sandloop.suite.outcome import SuiteOutcome
from sandloop.suite.reading import load_suite
from sandloop.suite.run import OnEvent, OnVerdict, Rerun, SuiteRun


async def arun_suite(
    suite: Suite | str | Path,
    *,
    models: Sequence[str] = (),
    only: Sequence[str] = (),
    repeat: int | None = None,
    rerun: Rerun = "new",
    folder: str | Path | None = None,
    limits: Mapping[str, float] | None = None,
    settings: Settings | None = None,
    concurrency: int | None = None,
    judge: str | None = None,
    tolerance: float | None = None,
    on_event: OnEvent | None = None,
    on_verdict: OnVerdict | None = None,
) -> SuiteOutcome:
    """Ask each model each question of a compare file, and judge the answers by what the file expects.

    Only what is new is asked: a run whose question, files, model, route and limits are those of a kept one is judged from that.

    Args:
        suite: A loaded suite, or the path of a compare file.
        models: Instead of the suite's. One that the suite names is asked as it says there.
        only: Ids of questions; one that was expanded by variables means all that came of it.
        repeat: How often each model is asked each question, instead of what the suite says.
        rerun: `new`; `failed` also asks again where the answer was not as expected; `all` asks everything again.
        folder: Where runs and results are kept. Default: `NAME-results` beside the compare file.
        limits: Over all others, by the names of `Limits`.
        settings: Anything else, as this call's layer.
        concurrency: Runs at the same time, as in `compare`.
        judge: A model that is asked whether the texts of the answers say the same.
        tolerance: Up to which numbers of different answers are the same, as in `compare`.
        on_event: Called with the question's id, the run's label and each event, in the event loop.
        on_verdict: Called with each verdict once it is there.

    Raises:
        UsageError: The compare file, a name or a file is wrong, or the folder can't be written.
    """
    run = SuiteRun(
        suite if isinstance(suite, Suite) else load_suite(suite),
        models=models,
        only=only,
        repeat=repeat,
        rerun=rerun,
        folder=folder,
        limits=limits,
        settings=settings,
        concurrency=concurrency,
        judge=judge,
        tolerance=tolerance,
        on_event=on_event,
        on_verdict=on_verdict,
    )
    return await run.run()


def run_suite(
    suite: Suite | str | Path,
    *,
    models: Sequence[str] = (),
    only: Sequence[str] = (),
    repeat: int | None = None,
    rerun: Rerun = "new",
    folder: str | Path | None = None,
    limits: Mapping[str, float] | None = None,
    settings: Settings | None = None,
    concurrency: int | None = None,
    judge: str | None = None,
    tolerance: float | None = None,
    on_event: OnEvent | None = None,
    on_verdict: OnVerdict | None = None,
) -> SuiteOutcome:
    """Ask each model each question of a compare file, and judge the answers by what the file expects.

    Works in scripts, in notebooks (a running event loop) and in threads. Arguments and errors as in `arun_suite`.
    """
    with start_blocking_portal() as portal:
        return portal.call(
            lambda: arun_suite(
                suite,
                models=models,
                only=only,
                repeat=repeat,
                rerun=rerun,
                folder=folder,
                limits=limits,
                settings=settings,
                concurrency=concurrency,
                judge=judge,
                tolerance=tolerance,
                on_event=on_event,
                on_verdict=on_verdict,
            )
        )
