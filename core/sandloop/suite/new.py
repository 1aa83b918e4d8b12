"""What is new: a run is known by all that could change its answer, and one with the same key need not be asked again.

Not in the key: the expectations, since answers that are kept are judged again; how the key of a vendor is found; and the version of
sandloop, since an upgrade should not cost a suite's price. The results say which version asked, and `--rerun all` asks again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sandloop.events import InputFile
from sandloop.limits import Limits
from sandloop.options import DEFAULT_OPTIONS, SandboxOptions
from sandloop.plugins import choose_model, provider_factory
from sandloop.ports import ModelChoice
from sandloop.settings import Route, Settings, resolve
from sandloop.suite.model import Question, Suite, SuiteModel
from sandloop.suite.recordings import content_of, recording_of

_NO_MATTER = ("warm", "pool")
"""Options of the sandbox that change how soon it is there, and nothing else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a model of a suite is asked."""

    model: str
    """As the suite or the call names it."""
    asked: str
    """As a session is to be given it: a kept run by its folder, since those of a suite are kept elsewhere."""
    route: Route | None
    """None: the profile's or the settings' own."""
    limits: Limits
    packages: tuple[str, ...] | None
    facts: str
    """All of the model and the settings that could change an answer, as JSON; no key, and nothing that leads to one."""


def way_of(model: SuiteModel, suite: Suite, settings: Settings, limits: Mapping[str, float]) -> Way:
    """How this model is asked: what the call says wins over the model's own entry, that over the suite, that over the settings.

    Raises `UnknownModel` and `BadSetting`; needs no key.

    Args:
        limits: Over all others, by their names.
    """
    resolved = resolve(settings, packages=suite.packages)
    over: dict[str, Any] = {**({} if settings.limits else {**suite.limits, **model.limits}), **limits}
    bounds = replace(resolved.limits or Limits(), **over)
    route = settings.route or model.route or suite.route
    profile = (resolved.models or {}).get(model.model)
    choice = _choice(model.model, resolved)
    recording = recording_of(choice, resolved)
    options = resolved.sandbox or SandboxOptions()
    facts = {
        **_model_facts(model.model, choice, content_of(choice, recording), named=profile is not None or recording is None),
        "route": route or (profile.route if profile else None) or resolved.route,
        "limits": {name: value for name, value in asdict(bounds).items() if value != getattr(Limits(), name)},
        "preview": resolved.preview,
        "show_pictures": resolved.show_pictures,
        "sandbox": {
            name: value
            for name, value in asdict(options).items()
            if name not in _NO_MATTER and value != getattr(DEFAULT_OPTIONS, name)
        },
    }
    return Way(
        model=model.model,
        asked=model.model if recording in (None, Path(choice.model or "")) else f"{choice.provider}:{recording}",
        route=route,
        limits=bounds,
        packages=suite.packages,
        facts=json.dumps(facts, sort_keys=True, default=str),
    )


def _choice(name: str, settings: Settings) -> ModelChoice:
    """Which model answers to that name, for a profile without its key. Raises `UnknownModel`."""
    profile = (settings.models or {}).get(name)
    if profile is None:
        choice, _ = choose_model(replace(settings, model=name))
    else:
        choice = ModelChoice(
            provider=profile.provider, model=profile.model, base_url=profile.base_url, parameters=dict(profile.parameters)
        )
    return replace(choice, model=choice.model or provider_factory(choice.provider).default_model)


def _model_facts(name: str, choice: ModelChoice, content: str, *, named: bool) -> dict[str, Any]:
    """Which model it is, without its key. A recording that only its place names is its content, wherever it is."""
    if content and not named:
        return {"provider": choice.provider, "content": content}
    facts = {
        "name": name,
        "provider": choice.provider,
        "model": choice.model,
        "base_url": choice.base_url,
        "parameters": dict(choice.parameters),
    }
    return facts | ({"content": content} if content else {})


def key_of(question: Question, files: Sequence[InputFile], way: Way) -> str:
    """The key of a run, in hexadecimal. The names of the files count, since the code sees them."""
    made_of = [1, question.text, sorted([file.name, file.sha256] for file in files), way.facts]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:40]


def expected_hash(question: Question) -> str:
    """Of what is expected: while it stays, a verdict on the same run does."""
    plain = [[asdict(expectation) for expectation in question.expected], sorted(question.variables.items())]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]
