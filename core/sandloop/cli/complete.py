"""What Tab completes after options: names from this machine, without a request, without a vendor's package, and without a word.

A shell asks at each Tab, so a completion that can't be made is none, and says nothing.
"""

from __future__ import annotations

MOST_RUNS = 50


def models(incomplete: str) -> list[str]:
    """Profiles and providers."""
    try:
        from sandloop.plugins import PROVIDERS, named

        names = [*_profiles(), *named(PROVIDERS)]
    except Exception:
        return []
    return [name for name in dict.fromkeys(names) if name.startswith(incomplete)]


def several_models(incomplete: str) -> list[str]:
    """The last of names that commas part."""
    before, comma, last = incomplete.rpartition(",")
    return [f"{before}{comma}{name}" for name in models(last)]


def _profiles() -> list[str]:
    from sandloop.errors import SandloopError
    from sandloop.settings import resolve

    try:
        return list(resolve().models or {})
    except SandloopError:  # a config with a slip: its command says so
        return []


def run_ids(incomplete: str) -> list[str]:
    """Kept runs, the newest first."""
    try:
        from sandloop.runs.listing import run_names
        from sandloop.runs.place import runs_folder

        names = run_names(runs_folder())
    except Exception:
        return []
    return ["last", *reversed(names)][: MOST_RUNS + 1] if not incomplete else [n for n in names if n.startswith(incomplete)]
