"""What of a suite is run: the models and questions that the call names, or all of them, and where the results go."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from sandloop.errors import UsageError
from sandloop.names import clean_component
from sandloop.settings import Settings, nearest
from sandloop.suite.kept import PAGES
from sandloop.suite.model import Question, Suite, SuiteModel

MAX_RUNS_OF_A_SUITE = 5_000


def chosen_models(suite: Suite, named: Sequence[str], settings: Settings) -> tuple[SuiteModel, ...]:
    """Those the call names, each with what the suite says of it; else the suite's; else the settings' model."""
    own = {model.model: model for model in suite.models}
    if named:
        return tuple(own.get(name) or SuiteModel(model=name) for name in dict.fromkeys(named))
    return suite.models or (SuiteModel(model=settings.model or ""),)


def chosen_questions(suite: Suite, named: Sequence[str]) -> tuple[Question, ...]:
    """Those with a named id, or all that came of a named entry. Raises `UsageError` for a name that the suite does not have."""
    known = {name for question in suite.questions for name in (question.id, question.group)}
    for name in named:
        if name not in known:
            meant = nearest(name, tuple(known))
            hint = f"Did you mean {meant!r}?" if meant else f"It has {', '.join(dict.fromkeys(q.group for q in suite.questions))}."
            raise UsageError(f"{suite.path} has no question {name!r}. {hint}")
    return tuple(q for q in suite.questions if not named or q.id in named or q.group in named)


def check_size(models: int, questions: int, repeat: int, concurrency: int | None) -> None:
    """Raises `UsageError` for what is surely a slip."""
    if (runs := models * questions * repeat) > MAX_RUNS_OF_A_SUITE:
        raise UsageError(
            f"{questions} questions to {models} models {repeat} times are {runs} runs, over {MAX_RUNS_OF_A_SUITE}. "
            "Name fewer, with --only or -m."
        )
    for name, number in (("repeat", repeat), ("concurrency", concurrency)):
        if number is not None and number < 1:
            raise UsageError(f"{name} is {number}, and must be at least 1. Leave it out for the usual number.")


def results_folder(suite: Suite) -> Path:
    """Beside the compare file: `suite-results` for `suite.yaml`."""
    return suite.folder / f"{suite.path.stem}-results"


def page_name(question: str) -> str:
    """The page of a question, relative to the results' folder. Ids are unique, and so are their pages."""
    clean = clean_component(f"{question}.html")
    if clean != f"{question}.html":
        clean = clean_component(f"{hashlib.sha256(question.encode()).hexdigest()[:8]}-{question}.html")
    return f"{PAGES}/{clean}"
