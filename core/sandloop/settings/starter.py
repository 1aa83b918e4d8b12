"""A first file of settings: every setting with its words and its default, all of them comments."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.prices import Price
from sandloop.settings.documented import field_docs
from sandloop.settings.fields import DEFAULTS, LIMITS, PLAIN, PRICE, PROFILE, Profile, Settings
from sandloop.settings.sandbox import FIELDS as SANDBOX
from sandloop.settings.sandbox import FROM_PROJECT

WIDTH = 97
_EXAMPLES: Mapping[str, Any] = {
    "base_url": "http://localhost:8000/v1",
    "tokens": 1_000_000,
    "cost": 2.5,
    "runtime": "runsc",
    "provider": "compatible",
    "model": "qwen3-32b",
    "route": "local",
    "key_variable": "MY_SERVER_KEY",
    "parameters": {"temperature": 0},
    "input": 0.5,
    "output": 2.0,
    "cached": 0.05,
    "cache_write": 0.6,
}
"""For what has no default."""


def starter(*, user: bool) -> str:
    """The text of the file; a project's has only what a project may say."""
    return "\n".join(_lines(user)) + "\n"


def _lines(user: bool) -> Iterator[str]:
    what = "Your own settings" if user else "Settings of this project"
    nearer = (
        "sandloop.toml in a folder, variables and options of a command win" if user else "variables and options of a command win"
    )
    yield from _comment(f"{what} for sandloop; {nearer}. Take the '#' away from a line to set it.")
    yield from _comment("'sandloop config check' checks this file, 'sandloop config' shows what holds and why.")
    if not user:
        yield from _comment("Keys, servers elsewhere, and all that could weaken the sandbox stand in your own file alone.")
    for name in PLAIN if user else [name for name in PLAIN if name != "runs_kept"]:
        default = getattr(DEFAULTS, name)
        yield from _setting(name, default if user or name != "runs" else "off", field_docs(Settings))
    yield from _table("limits", LIMITS, DEFAULTS.limits, field_docs(Limits))
    yield from _table("sandbox", SANDBOX if user else FROM_PROJECT, DEFAULTS.sandbox, field_docs(SandboxOptions))
    yield from ("", "## A name of your own for a model, to give as 'model' or with -m.", "# [models.fast]")
    left_out = () if user else ("key_variable",)
    for name in PROFILE:
        if name not in left_out:
            yield from _setting(name, _EXAMPLES[name], field_docs(Profile))
    yield from ("", "## What tokens cost, in US dollars for a million, under a model's name.", '# [prices."qwen3-32b"]')
    for name in PRICE:
        yield from _setting(name, _EXAMPLES[name], field_docs(Price))


def _table(name: str, fields: Iterable[str], defaults: object, docs: Mapping[str, str]) -> Iterator[str]:
    yield from ("", f"[{name}]")
    for field in fields:
        yield from _setting(field, getattr(defaults, field), docs)


def _setting(name: str, value: object, docs: Mapping[str, str]) -> Iterator[str]:
    yield ""
    yield from _comment(docs.get(name, ""))
    yield f"# {name} = {_written(_EXAMPLES[name] if value is None else value)}"


def _comment(text: str) -> Iterator[str]:
    yield from (f"## {line}" for line in textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False))


def _written(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return f"{value:_}"
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_written(row)}" for name, row in value.items()) + " }"  # pyright: ignore
    return json.dumps(list(value) if isinstance(value, tuple) else value)  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
