"""What a user calls a key, and the name it is kept under: a provider's, a profile's, or a variable's own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NoReturn

from sandloop.errors import UnknownModel, UsageError
from sandloop.plugins import PROVIDERS, named, provider_factory, storable
from sandloop.settings import Profile, nearest
from sandloop.settings.hidden import looks_like_key

VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")
"""With a line in it: some keys are capital letters and digits alone."""
_WORD = re.compile(r"[a-z]{1,20}(?:[._-][a-z]{1,20})?")


def is_variable(name: str) -> bool:
    """Whether it is a variable's own name, which is taken as it is."""
    return len(name) <= 100 and bool(VARIABLE.fullmatch(name)) and not looks_like_key(name)


def variable_for(name: str, profiles: Mapping[str, Profile]) -> str:
    """The name that the key is kept under. Raises `UsageError`, which does not repeat what could be a key."""
    profile = profiles.get(name)
    if profile is not None and profile.key_variable is not None:
        return profile.key_variable
    provider = profile.provider if profile is not None else name
    known = tuple(named(PROVIDERS))
    if provider not in known:
        _refuse(name, (*known, *profiles))
    names = storable(provider_factory(provider))
    if not names:
        raise UsageError(f"{name!r} takes no key that could be kept. 'sandloop models' says what each provider needs.")
    return names[0]


def _refuse(name: str, known: tuple[str, ...]) -> NoReturn:
    near = nearest(name, known)
    if near is not None or (_WORD.fullmatch(name) and not looks_like_key(name)):
        raise UnknownModel(model=name, known=known, nearest=near)
    raise UsageError(
        "That is no provider, profile or variable, and it may be a key, so it is not shown. Name whose key it is, as in "
        "'sandloop keys set openai', and give the key when you are asked for it."
    )


def used_by(profiles: Mapping[str, Profile]) -> dict[str, list[str]]:
    """All variables that hold keys, and the providers and profiles that look for each."""
    found: dict[str, list[str]] = {}
    for name in named(PROVIDERS):
        factory = provider_factory(name)
        for variable in dict.fromkeys((*factory.key_variables, *storable(factory))):
            found.setdefault(variable, []).append(name)
    for name, profile in sorted(profiles.items()):
        if profile.key_variable is not None:
            found.setdefault(profile.key_variable, []).append(name)
    return found


def keepable(profiles: Mapping[str, Profile]) -> set[str]:
    """The names under which a kept key would be found by some provider or profile."""
    found = {name for provider in named(PROVIDERS) for name in storable(provider_factory(provider))}
    return found | {profile.key_variable for profile in profiles.values() if profile.key_variable is not None}
