"""Settings in layers, the nearest first: the call, the environment, `sandloop.toml` found upwards, the user's file, defaults.

A command's options stand in the place of the call. Keys of vendors are never settings: `sandloop.keys` finds them.
"""

from sandloop.settings.fields import DEFAULTS, OTHER_VARIABLES, PREFIX, Profile, Route, Settings
from sandloop.settings.layers import Layer, Origin, merged, origins, read_layers, resolve
from sandloop.settings.near import nearest
from sandloop.settings.values import checked_limit, route_named

__all__ = [
    "DEFAULTS",
    "OTHER_VARIABLES",
    "PREFIX",
    "Layer",
    "Origin",
    "Profile",
    "Route",
    "Settings",
    "checked_limit",
    "merged",
    "nearest",
    "origins",
    "read_layers",
    "resolve",
    "route_named",
]
