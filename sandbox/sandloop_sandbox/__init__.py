"""Where code that nobody has read runs: a closed place on this machine, with state. Works without any model:

    from sandloop_sandbox import Sandbox

    with Sandbox() as sandbox:
        sandbox.put("weather.csv")
        print(sandbox.run("import pandas; pandas.read_csv('weather.csv').describe()").stdout)

Names are loaded when first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandloop_sandbox.alone import AsyncSandbox, Sandbox

__all__ = ["AsyncSandbox", "Sandbox"]


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'sandloop_sandbox' has no attribute {name!r}")
    from sandloop_sandbox import alone

    return getattr(alone, name)


def __dir__() -> list[str]:
    return __all__
