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
from sandloop.plugins import choose_model, provider_factory
from sandloop.settings import Route, Settings, resolve
from sandloop.suite.model import Question, Suite, SuiteModel

MAX_CONTENT = 50_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How a model of a suite is asked."""

    model: str
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
    facts = {
        **model_facts(model.model, resolved),
        "route": route or (profile.route if profile else None) or resolved.route,
        "limits": {name: value for name, value in asdict(bounds).items() if value != getattr(Limits(), name)},
        "preview": resolved.preview,
        "show_pictures": resolved.show_pictures,
        "packages": resolved.sandbox.packages if resolved.sandbox else (),
    }
    return Way(
        model=model.model,
        route=route,
        limits=bounds,
        packages=suite.packages,
        facts=json.dumps(facts, sort_keys=True, default=str),
    )


def model_facts(name: str, settings: Settings) -> dict[str, Any]:
    """Which model answers to that name, without its key. Raises `UnknownModel`."""
    profile = (settings.models or {}).get(name)
    if profile is not None:
        provider, model, base_url, parameters = profile.provider, profile.model, profile.base_url, dict(profile.parameters)
    else:
        choice, _ = choose_model(replace(settings, model=name))
        provider, model, base_url, parameters = choice.provider, choice.model, choice.base_url, dict(choice.parameters)
    model = model or provider_factory(provider).default_model
    facts = {"name": name, "provider": provider, "model": model, "base_url": base_url, "parameters": parameters}
    return facts | ({"content": content} if (content := _content(model or "")) else {})


def _content(model: str) -> str:
    """The hash of a model that is a small file on this machine, such as a recording; empty for any other."""
    try:
        path = Path(model)
        if not path.is_file() or path.stat().st_size > MAX_CONTENT:
            return ""
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except (OSError, ValueError):
        return ""


def key_of(question: Question, files: Sequence[InputFile], way: Way) -> str:
    """The key of a run, in hexadecimal. The names of the files count, since the code sees them."""
    made_of = [1, question.text, sorted([file.name, file.sha256] for file in files), way.facts]
    return hashlib.sha256(json.dumps(made_of).encode()).hexdigest()[:40]


def expected_hash(question: Question) -> str:
    """Of what is expected: while it stays, a verdict on the same run does."""
    plain = [[asdict(expectation) for expectation in question.expected], sorted(question.variables.items())]
    return hashlib.sha256(json.dumps(plain).encode()).hexdigest()[:16]
