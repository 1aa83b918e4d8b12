"""What can be set: each setting with its words, and the defaults. Limits, options and prices have modules of their own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Literal, TypeAlias

from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.prices import Price

Route: TypeAlias = Literal["auto", "native", "local"]
PREFIX = "SANDLOOP_"
OTHER_VARIABLES = {
    "config": "Your own file of settings, instead of `config.toml` in your configuration folder.",
    "keys": "Where `sandloop keys` keeps keys: `keyring` (never a file), `file` (never the keyring), the path of a file, or `off`. "
    "Unset: the system's keyring where one works, else a file that only you can read.",
    "compatible_key": "The key for the provider `compatible`.",
    "weights": "The file of the embedded model.",
    "base_image": "The image that the sandbox image is built from.",
    "allow_remote_docker": "`1` lets files go to an engine on another machine.",
    "debug": "`1` shows a traceback for an internal error.",
}
"""Read elsewhere, and not settings: a file can't hold them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A `[models.NAME]` table: a name of the user's own for a provider, a model and how to reach it."""

    provider: str
    """Whose model it is: a name that `sandloop models` lists."""
    model: str | None = None
    """The model's name at the provider. Unset: the provider's default."""
    route: Route | None = None
    """Where its code runs, as in the setting `route`."""
    base_url: str | None = None
    """The server's address, for a provider that takes one."""
    key_variable: str | None = None
    """The environment variable that holds the key, or the name it is kept under by `sandloop keys set`; never the key itself."""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """Go into each request as they are, such as `temperature = 0`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How runs are made. None means that this layer says nothing."""

    model: str | None = None
    """A profile's name, `provider:model`, a provider for its default model, `local`, or `replay:PATH`."""
    route: Route | None = None
    """`auto`: native where the model runs code and the files fit, else local. `native` never falls back, `local` never uploads a
    file."""
    limits: Limits | None = None
    """What a run may use."""
    preview: bool | None = None
    """Tell the model columns, first rows and the like, made inside the sandbox."""
    show_pictures: bool | None = None
    """Show made pictures to a model that can see them."""
    sandbox: SandboxOptions | None = None
    """Where and how local code runs."""
    base_url: str | None = None
    """The server's address, for a provider that takes one."""
    models: Mapping[str, Profile] | None = None
    """Names of your own for models, to give as `model`."""
    prices: Mapping[str, Price] | None = None
    """What tokens cost, by a profile's name, `provider:model` or a model's own name."""
    runs: str | None = None
    """Where runs are kept: a folder's path, `on` for your own data folder, or `off`."""
    runs_kept: int | None = None
    """Runs kept; the oldest beyond it are removed when a new one starts."""
    notebook: bool | None = None
    """In Jupyter, draw below the cell what happens while it happens. Elsewhere nothing is drawn."""


NOTHING = Settings()
"""A layer that says nothing."""
DEFAULTS = Settings(
    model="claude",
    route="auto",
    limits=Limits(),
    preview=True,
    show_pictures=True,
    sandbox=SandboxOptions(),
    models={},
    prices={},
    runs="on",
    runs_kept=500,
    notebook=True,
)
TABLES = ("limits", "sandbox", "models", "prices")
"""The settings that are tables in a file."""
PLAIN = tuple(f.name for f in fields(Settings) if f.name not in TABLES)
LIMITS = {f.name: str(f.type) for f in fields(Limits)}
PROFILE = tuple(f.name for f in fields(Profile))
PRICE = tuple(f.name for f in fields(Price))

MAX_LIMIT = 1e15
"""A petabyte, or 30 million years: more than that, and infinity, is a slip, and not every clock can count it."""
MAX_RUNS = 1_000_000
MAX_PRICE = 1e6
"""Of a million tokens, in US dollars: a dollar a token. More is a slip."""
