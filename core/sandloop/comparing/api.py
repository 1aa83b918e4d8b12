"""Comparing as a call: async once; the sync one is the same in a thread of its own."""

from __future__ import annotations

from collections.abc import Sequence

from anyio.from_thread import start_blocking_portal

from sandloop.comparing.comparison import Comparison
from sandloop.comparing.run import Comparing, OnEvent
from sandloop.files import FileLike
from sandloop.limits import Limits
from sandloop.settings import Route, Settings


async def acompare(
    question: str,
    files: Sequence[FileLike] = (),
    *,
    models: Sequence[str],
    repeat: int = 1,
    route: Route | None = None,
    limits: Limits | None = None,
    packages: Sequence[str] | None = None,
    settings: Settings | None = None,
    concurrency: int | None = None,
    judge: str | None = None,
    tolerance: float | None = None,
    on_event: OnEvent | None = None,
) -> Comparison:
    """Ask several models the same question about the same files, side by side, and hold their answers against each other.

    Each has its own session, and what happens to one never stops the others: a model that is unknown, has no key or fails is an
    entry with its error and with what it did until then. When the call is cancelled, the runs stop and everything that was
    uploaded or made for them is deleted; `sandloop.comparing.run.Comparing` keeps what was done until then.

    Args:
        question: What to find out, in words.
        files: Paths, globs, `(name, bytes)` or open binary files. Read once for all, never changed; folders are refused.
        models: Profiles' names, `provider:model`, or providers for their default models. One may be named twice.
        repeat: How often each is asked.
        route: `auto`, `native` (never falls back) or `local` (never uploads a file), for all of them.
        limits: The bounds of each run and of its sandbox; not of all together.
        packages: Python packages for the local sandbox beside the usual ones, as `name` or `name==version`.
        settings: Anything else, as this call's layer; the arguments above win over it.
        concurrency: Runs at the same time. Default: 8, of which 4 at one provider, and 1 of the models that compute on this
            machine, which would slow each other down.
        judge: A model that is asked whether the texts of the answers say the same; its opinion stands beside the evidence.
        tolerance: By what part of itself a number may differ from another one and still be the same, from 0 up to 1; whole
            numbers without a unit may not. Default: 0.001.
        on_event: Called with the entry's label and each event as it happens, in the event loop (of `compare`: in another
            thread). An entry that fails before it began tells one `Failed`. It should not raise: that would end the entry.

    Raises:
        UsageError: The call is wrong: the question, a file, a setting, no model, or more than 200 runs.
    """
    comparing = Comparing(
        question,
        files,
        models=models,
        repeat=repeat,
        route=route,
        limits=limits,
        packages=packages,
        settings=settings,
        concurrency=concurrency,
        judge=judge,
        tolerance=tolerance,
        on_event=on_event,
    )
    return await comparing.run()


def compare(
    question: str,
    files: Sequence[FileLike] = (),
    *,
    models: Sequence[str],
    repeat: int = 1,
    route: Route | None = None,
    limits: Limits | None = None,
    packages: Sequence[str] | None = None,
    settings: Settings | None = None,
    concurrency: int | None = None,
    judge: str | None = None,
    tolerance: float | None = None,
    on_event: OnEvent | None = None,
) -> Comparison:
    """Ask several models the same question about the same files, side by side, and hold their answers against each other.

    Works in scripts, in notebooks (a running event loop) and in threads. Arguments and errors as in `acompare`.
    """
    comparing = Comparing(
        question,
        files,
        models=models,
        repeat=repeat,
        route=route,
        limits=limits,
        packages=packages,
        settings=settings,
        concurrency=concurrency,
        judge=judge,
        tolerance=tolerance,
        on_event=on_event,
    )
    with start_blocking_portal() as portal:
        return portal.call(comparing.run)
