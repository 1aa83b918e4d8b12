"""Values for every setting, from its fields: different ones that are right, and many that may be wrong."""

from __future__ import annotations

import json
from typing import Any, cast

from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.settings import Settings
from sandloop.settings.places import Place
from sandloop.settings.values import kind_of

ROUTES, WARM = ("native", "local", "auto", "native"), ("process", "shared", "off", "auto")


def sample(place: Place, number: int) -> Any:
    """A value that is right, as a file would have it; for truths every second one is the same."""
    match place:
        case ("route",):
            return ROUTES[number % 4]
        case ("base_url",):
            return f"http://localhost:{8000 + number}/v1"
        case ("runs",):
            return f"/runs/{number}"
        case ("sandbox", "warm"):
            return WARM[number % 4]
        case ("sandbox", "unsafe_capabilities"):
            return ["NET_RAW", "ABCD"[number % 4] * 3]
        case ("sandbox", "unsafe_mounts"):
            return [f"/here/{number}:/there:rw"]
        case _:
            pass
    match kind_of(place):
        case "truth":
            return number % 2 == 0
        case "whole":
            return number + 1
        case "number":
            return number + 1.5
        case "texts":
            return [f"name{number}", f"other=={number}"]
        case _:
            return f"name{number}"


def in_file(place: Place, value: Any) -> str:
    """A file of settings with that value alone."""
    return f"{'.'.join(place)} = {json.dumps(value)}\n"


def in_environment(value: Any) -> str:
    """The text of its variable."""
    if isinstance(value, list):
        return ",".join(cast("list[str]", value))
    return str(value).lower() if isinstance(value, bool) else str(value)


def in_call(place: Place, value: Any) -> Settings:
    """A call with that value alone in its table."""
    given: Any = tuple(cast("list[str]", value)) if isinstance(value, list) else value
    match place:
        case ("limits", name):
            return Settings(limits=Limits(**{name: given}))
        case ("sandbox", name):
            return Settings(sandbox=SandboxOptions(**{name: given}))
        case _:
            return Settings(**{place[0]: given})


def value_of(settings: Settings, place: Place) -> Any:
    """As a file would have it."""
    found: Any = settings
    for name in place:
        found = getattr(found, name)
    return list(cast("tuple[str, ...]", found)) if isinstance(found, tuple) else found


PROBES: tuple[Any, ...] = (
    *(
        True,
        False,
        0,
        1,
        -1,
        2,
        64,
        65,
        500,
        1_000_000,
        1_000_001,
        10**15,
        10**18,
        0.0,
        1.0,
        1.5,
        -0.5,
        1e300,
        999_999_999_999_999.0,
    ),
    *(
        "",
        " ",
        "none",
        "on",
        "off",
        "of",
        "auto",
        "native",
        "local",
        "Local",
        "shared",
        "true",
        "5",
        "docker",
        "a b",
        "a/b",
        "-e .",
    ),
    *("./runs", "~", "~/runs", "/runs", "C:\\runs", "a\nb", "docker\n", "/x\n", "claude:x", "x" * 64, "x" * 65, "ü"),
    *(
        "http://localhost:8000/v1",
        "https://mine.example",
        "http://",
        "http://a b",
        "ftp://x",
        "http://[::1]:1/",
        "http://[",
        "http://:1",
    ),
    *("https://user:pass@mine.example/v1?x=1", "http://x\n", "HTTP://x", "http://x:123456", "MY_KEY", "my-key", "1KEY", "K\n"),
    *([], ["a"], ["a", "b==1"], [3], ["a b"], [""], ["NET_RAW"], ["/a:/b"], ["/a:/b:rx"], ["a", None], [["a"]], ["git+https://x"]),
    *({}, {"a": 1}, {"x": {"y": [1]}}),
)
"""Right for some settings and wrong for others."""
