"""A question's answers held against each other, and their page."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sandloop import codec
from sandloop.comparing.comparison import Agreement, Comparison, Entry
from sandloop.errors import SandloopError
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.ports import LocalFile
from sandloop.runs.place import new_id
from sandloop.settings import Settings
from sandloop.suite.model import Question


@dataclass(frozen=True, slots=True)
class SideBySide:
    """What came of it. `compared` is whether the answers could be, `page` whether it was written."""

    verdict: str
    agree: bool | None
    compared: bool
    page: bool


async def side_by_side(
    question: Question,
    files: Sequence[LocalFile],
    entries: Sequence[Entry],
    page: Path,
    *,
    options: SandboxOptions,
    limits: Limits,
    judge: str | None,
    tolerance: float | None,
    settings: Settings,
) -> SideBySide:
    """Compare and write the page. Whatever goes wrong here, the verdicts stay: it is said in words."""
    agreement = await _agreement(
        question, entries, options=options, limits=limits, judge=judge, tolerance=tolerance, settings=settings
    )
    could = not isinstance(agreement, str)
    comparison = Comparison(
        id=new_id(),
        question=question.text,
        files=tuple(local.file for local in files),
        entries=tuple(entries),
        agreement=Agreement(verdict=agreement, agree=None) if isinstance(agreement, str) else agreement,
        at=datetime.now(UTC).isoformat(timespec="seconds"),
    )
    wrong = await asyncio.to_thread(_write, comparison, page)
    verdict = comparison.agreement.verdict
    return SideBySide(f"{verdict} ({wrong})" if wrong else verdict, comparison.agreement.agree, could, not wrong)


async def _agreement(
    question: Question,
    entries: Sequence[Entry],
    *,
    options: SandboxOptions,
    limits: Limits,
    judge: str | None,
    tolerance: float | None,
    settings: Settings,
) -> Agreement | str:
    """Who agrees with whom, or why that can't be said."""
    if sum(entry.answered for entry in entries) < 2:
        return Agreement(verdict="", agree=None)
    more: dict[str, Any] = {} if tolerance is None else {"tolerance": tolerance}
    try:
        from sandloop.comparing.agreement import agreement

        return await agreement(
            entries, options=options, limits=limits, judge=judge, question=question.text, settings=settings, **more
        )
    except Exception as error:
        return f"the answers could not be compared: {_sentence(error)}"


def _write(comparison: Comparison, page: Path) -> str:
    """Why there is no page; empty when there is one."""
    from sandloop.report import comparison_report, write_report

    try:
        if page.is_symlink():  # it may have come with a repository, and would be followed
            page.unlink()
        write_report(page, comparison_report(comparison))
    except Exception as error:
        return f"its page could not be written: {_sentence(error)}"
    return ""


def _sentence(error: Exception) -> str:
    return codec.clean_text(str(error) if isinstance(error, SandloopError) else f"{type(error).__name__}: {error}")
