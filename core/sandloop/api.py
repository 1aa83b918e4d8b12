"""The public calls, async once; the sync ones are the same calls through `sandloop.bridge`."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self, TypeAlias

from sandloop.bridge import Background, Caller, iterate
from sandloop.events import CodeWritten, Event
from sandloop.files import FileLike
from sandloop.limits import Limits
from sandloop.notebook.live import watched
from sandloop.result import Result
from sandloop.runs.kept import LAST, Run
from sandloop.session import AsyncSession
from sandloop.settings import Route, Settings


async def astream(
    question: str,
    files: Sequence[FileLike] = (),
    *,
    model: str | None = None,
    route: Route | None = None,
    limits: Limits | None = None,
    packages: Sequence[str] | None = None,
    settings: Settings | None = None,
) -> AsyncGenerator[Event]:
    """The events of one question, as they happen. Arguments and errors as in `aanalyze`."""
    async with (
        AsyncSession(model, route=route, limits=limits, packages=packages, settings=settings) as session,
        aclosing(session.stream(question, files)) as events,
    ):
        async for event in events:
            yield event


def stream(
    question: str,
    files: Sequence[FileLike] = (),
    *,
    model: str | None = None,
    route: Route | None = None,
    limits: Limits | None = None,
    packages: Sequence[str] | None = None,
    settings: Settings | None = None,
) -> Iterator[Event]:
    """The events of one question, as they happen. Arguments and errors as in `analyze`.

    Leaving the iteration early stops the run and cleans up.
    """
    return iterate(lambda: astream(question, files, model=model, route=route, limits=limits, packages=packages, settings=settings))


async def aanalyze(
    question: str,
    files: Sequence[FileLike] = (),
    *,
    model: str | None = None,
    route: Route | None = None,
    limits: Limits | None = None,
    packages: Sequence[str] | None = None,
    settings: Settings | None = None,
) -> Result:
    """Ask a question about files; the model writes code, the code runs, the answer comes back.

    The code runs on the provider's own servers when the model can do that and the files fit, otherwise in a local Docker
    container without network.

    Args:
        question: What to find out, in words.
        files: Paths, globs, `(name, bytes)` or open binary files. Copied, never changed; folders are refused.
        model: A profile's name, `provider:model`, or a provider for its default model.
        route: `auto`, `native` (never falls back) or `local` (never uploads a file).
        limits: The bounds of the run and of the sandbox.
        packages: Python packages for the local sandbox beside the usual ones, as `name` or `name==version`; the first use builds
            an image with them.
        settings: Anything else, as this call's layer; the arguments above win over it.

    Raises:
        UsageError: The call is wrong: a file, a setting, or a model's name.
        ProviderError: The model's side failed.
        SandboxError: The place where code runs failed.
        LimitReached: A limit ended the run.

    Once the run has started, an error's `.result` holds what was done.
    """
    async with AsyncSession(model, route=route, limits=limits, packages=packages, settings=settings) as session:
        return await session.ask(question, files)


def analyze(
    question: str,
    files: Sequence[FileLike] = (),
    *,
    model: str | None = None,
    route: Route | None = None,
    limits: Limits | None = None,
    packages: Sequence[str] | None = None,
    settings: Settings | None = None,
) -> Result:
    """Ask a question about files; the model writes code, the code runs, the answer comes back.

    The code runs on the provider's own servers when the model can do that and the files fit, otherwise in a local Docker
    container without network. Works in scripts, in notebooks (a running event loop) and in threads.

    Args:
        question: What to find out, in words.
        files: Paths, globs, `(name, bytes)` or open binary files. Copied, never changed; folders are refused.
        model: A profile's name, `provider:model`, or a provider for its default model.
        route: `auto`, `native` (never falls back) or `local` (never uploads a file).
        limits: The bounds of the run and of the sandbox.
        packages: Python packages for the local sandbox beside the usual ones, as `name` or `name==version`; the first use builds
            an image with them.
        settings: Anything else, as this call's layer; the arguments above win over it.

    Raises:
        UsageError: The call is wrong: a file, a setting, or a model's name.
        ProviderError: The model's side failed.
        SandboxError: The place where code runs failed.
        LimitReached: A limit ended the run.

    Once the run has started, an error's `.result` holds what was done.
    """
    with Session(model, route=route, limits=limits, packages=packages, settings=settings) as session:
        return session.ask(question, files)


Confirm: TypeAlias = Callable[[CodeWritten], bool]
"""Whether the user allows this cell to run."""


def _asking(caller: Caller, confirm: Confirm | None) -> Callable[[CodeWritten], Awaitable[bool]] | None:
    return None if confirm is None else lambda cell: caller.call(lambda: confirm(cell))


class Session:
    """`AsyncSession` for synchronous code: `with Session(model="claude") as session: session.ask(...)`.

    It runs in a thread of its own, so it works in a notebook, too. Arguments and errors as in `AsyncSession`, but that `confirm`
    is a plain function here, called in the thread that asks.
    """

    def __init__(
        self,
        model: str | None = None,
        *,
        route: Route | None = None,
        limits: Limits | None = None,
        packages: Sequence[str] | None = None,
        confirm: Confirm | None = None,
        settings: Settings | None = None,
    ) -> None:
        self._caller = Caller()
        asking = _asking(self._caller, confirm)
        self._session = AsyncSession(model, route=route, limits=limits, packages=packages, confirm=asking, settings=settings)
        self._background = Background(self, self._session.close)

    @classmethod
    def resume(
        cls,
        run: Run | str = LAST,
        *,
        model: str | None = None,
        route: Route | None = None,
        limits: Limits | None = None,
        packages: Sequence[str] | None = None,
        confirm: Confirm | None = None,
        settings: Settings | None = None,
    ) -> Self:
        """A session that goes on after a kept run, with all questions of its conversation up to that one.

        Arguments and errors as in `AsyncSession.resume`.
        """
        session = cls.__new__(cls)
        session._caller = Caller()
        asking = _asking(session._caller, confirm)
        session._session = AsyncSession.resume(
            run, model=model, route=route, limits=limits, packages=packages, confirm=asking, settings=settings
        )
        session._background = Background(session, session._session.close)
        return session

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """End the sandbox, delete what was uploaded and what the provider made for us. Idempotent; results stay readable.

        When nobody calls it, that is done when the session is dropped, at the latest when the process ends.
        """
        self._background.close()

    def change_model(self, model: str) -> None:
        """Ask another model from the next question on; conversation, files and the local sandbox with its variables are kept.

        As `AsyncSession.change_model`.
        """
        self._session.check_open()
        self._background.portal.call(self._session.change_model, model)

    @property
    def model(self) -> str:
        """The model that the next question goes to, as the caller named it."""
        return self._session.model

    @property
    def history(self) -> tuple[Event, ...]:
        """All events of all questions."""
        return tuple(self._session.history)

    @property
    def result(self) -> Result | None:
        """Of the last question, also when it failed."""
        return self._session.result

    def ask(self, question: str, files: Sequence[FileLike] = ()) -> Result:
        """The result of one question. `files` are more files: those of earlier questions are still there."""
        with watched([self.model], self._session.settings.notebook) as told:
            for event in self.stream(question, files):
                told(self.model, event)
        if self.result is None:
            raise RuntimeError("a run that ended without error has a result")
        return self.result

    def stream(self, question: str, files: Sequence[FileLike] = ()) -> Iterator[Event]:
        """The events of one question, as they happen. Leaving the iteration early stops the run; the session can go on."""
        self._session.check_open()
        return iterate(lambda: self._session.stream(question, files), self._background.portal, self._caller)
