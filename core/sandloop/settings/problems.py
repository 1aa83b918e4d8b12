"""Everything that is wrong with the settings, each with its place: for `sandloop config check`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandloop.errors import BadSetting
from sandloop.settings.fields import Profile
from sandloop.settings.files import PROJECT, read_text
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
    """A file as the layer that it would be: by the name of a project's file, or else as the user's own. Raises `BadSetting`."""
    if not path.is_file():
        raise BadSetting(name=str(path), why="is no file of settings that could be checked")
    return file_layer("project" if path.name == PROJECT and path.resolve() != user.resolve() else "user", path, user)


def problems(layers: Sequence[Layer], known: Known) -> list[Report]:
    """All problems of these layers, the nearest layer first."""
    profiles = {place[1]: row for layer in layers for place, row in layer.values.items() if place[0] == "models"}
    return [report for layer in layers for report in _of_layer(layer, known, profiles)]


def _of_layer(layer: Layer, known: Known, profiles: Mapping[str, Profile]) -> Iterator[Report]:
    text = _text(layer)
    found = [(one.place, one.error.name, one.error.why, one.error.nearest) for one in layer.problems]
    found += [
        (place, variable_of(place) if layer.name == "environment" else dotted(place), why, near)
        for place, why, near in _names(layer, known, profiles)
    ]
    reports = [
        Report(
            source=layer.source,
            line=line_of(text, place) if place else line_in(why),
            setting=name if place else "",
            says=why,
            nearest=near,
        )
        for place, name, why, near in found
    ]
    yield from sorted(reports, key=lambda report: report.line or 0)


def _text(layer: Layer) -> str:
    if layer.name not in ("project", "user"):
        return ""
    try:
        return read_text(Path(layer.source))
    except BadSetting:
        return ""


def _names(layer: Layer, known: Known, profiles: Mapping[str, Profile]) -> Iterator[tuple[Place, str, str | None]]:
    """Names of providers, engines and models that nobody has. They are known on this machine only, so `resolve` takes any."""
    for place, value in layer.values.items():
        match place:
            case ("models", name) if value.provider not in known.providers:
                yield (
                    ("models", name, "provider"),
                    f"is {value.provider!r}, which is no provider",
                    nearest(value.provider, known.providers),
                )
            case ("sandbox", "engine") if value not in known.engines:
                yield place, f"is {value!r}; known are {', '.join(known.engines)}", nearest(value, known.engines)
            case ("model",) if not _is_model(value, known, profiles):
                names = (*profiles, *known.providers)
                yield place, f"is {value!r}, which is no profile and no provider", nearest(value.partition(":")[0], names)
            case _:
                pass


def _is_model(name: str, known: Known, profiles: Mapping[str, Profile]) -> bool:
    begins = (name.partition(":")[0], name.partition("/")[0])
    return (
        name in profiles or any(one in known.providers for one in begins) or any(name.startswith(p + "-") for p in known.providers)
    )
