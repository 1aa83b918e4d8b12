"""Everything that is wrong with the settings, each with its place: for `sandloop config check`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from sandloop.errors import BadFile, BadSetting
from sandloop.settings.files import PROJECT, parsed, read_text
from sandloop.settings.hidden import quoted
from sandloop.settings.layers import Layer, file_layer
from sandloop.settings.lines import line_in, line_of
from sandloop.settings.near import nearest
from sandloop.settings.places import Place, dotted, variable_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The names that can be had on this machine."""

    providers: tuple[str, ...]
    engines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One problem, as it is shown."""

    source: str
    """The path of the file, or the place in words."""
    line: int | None
    setting: str
    """Empty where the whole file can't be read."""
    says: str
    nearest: str | None

    def __str__(self) -> str:
        place = self.source + (f":{self.line}" if self.line else "")
        hint = f" Did you mean {self.nearest!r}?" if self.nearest else ""
        return f"{place}: {self.setting + ' ' if self.setting else ''}{self.says}.{hint}"


def layer_of(path: Path, user: Path) -> Layer:
    """A file as the layer that it would be: by the name of a project's file, or else as the user's own. Raises `BadFile`."""
    if not path.is_file():
        why = "is not a file" if path.exists() else "does not exist"
        raise BadFile(name=str(path), why=why, do="Name a file of settings")
    return file_layer("project" if path.name == PROJECT and path.resolve() != user.resolve() else "user", path, user)


def problems(layers: Sequence[Layer], known: Known) -> list[Report]:
    """All problems of these layers, the nearest layer first."""
    texts = [_text(layer) for layer in layers]
    named = [_profiles(layer, text) for layer, text in zip(layers, texts, strict=True)]
    names = {name for profiles in named for name in profiles}
    found: list[Report] = []
    for layer, text, profiles in zip(layers, texts, named, strict=True):
        found += sorted(_of_layer(layer, text, profiles, names, known), key=lambda report: report.line or 0)
    return found


def _of_layer(
    layer: Layer, text: str, profiles: Mapping[str, str | None], names: Collection[str], known: Known
) -> Iterator[Report]:
    for one in layer.problems:
        line = line_of(text, one.place) if one.place else line_in(one.error.why, text)
        setting = one.error.name if one.place else ""
        yield Report(source=layer.source, line=line, setting=setting, says=one.error.why, nearest=one.error.nearest)
    for place, why, near in _nobodys(layer, profiles, names, known):
        setting = variable_of(place) if layer.name == "environment" else dotted(place)
        yield Report(source=layer.source, line=line_of(text, place), setting=setting, says=why, nearest=near)


def _text(layer: Layer) -> str:
    if layer.name not in ("project", "user"):
        return ""
    try:
        return read_text(Path(layer.source))
    except BadSetting:
        return ""


def _profiles(layer: Layer, text: str) -> dict[str, str | None]:
    """Each profile with its provider, also of one that has problems."""
    try:
        rows: object = parsed(text, Path(layer.source)).get("models")
    except BadSetting:
        rows = None
    found = {place[1]: row.provider for place, row in layer.values.items() if place[0] == "models"}
    for name, row in cast("dict[str, object]", rows).items() if isinstance(rows, dict) else ():
        provider = cast("dict[str, object]", row).get("provider") if isinstance(row, dict) else None
        found.setdefault(name, provider if isinstance(provider, str) and provider else None)
    return found


def _nobodys(
    layer: Layer, profiles: Mapping[str, str | None], names: Collection[str], known: Known
) -> Iterator[tuple[Place, str, str | None]]:
    """Names of providers, engines and models that nobody has. They are known on this machine only, so `resolve` takes any."""
    for name, provider in profiles.items():
        if provider is not None and provider not in known.providers:
            yield ("models", name, "provider"), f"is {quoted(provider)}, which is no provider", nearest(provider, known.providers)
    engine, model = layer.values.get(("sandbox", "engine")), layer.values.get(("model",))
    if engine is not None and engine not in known.engines:
        why = f"is {quoted(engine)}; known are {', '.join(known.engines)}"
        yield ("sandbox", "engine"), why, nearest(engine, known.engines)
    if model is not None and model not in names and not _is_model(model, known.providers):
        near = nearest(model.partition(":")[0], (*names, *known.providers))
        yield ("model",), f"is {quoted(model)}, which is no profile and no provider", near


def _is_model(name: str, providers: Sequence[str]) -> bool:
    begins = (name.partition(":")[0], name.partition("/")[0])
    return any(one in providers for one in begins) or any(name.startswith(one + "-") for one in providers)
