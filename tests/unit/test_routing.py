"""The route as a table: what the provider can do x files x setting x what failed."""

from __future__ import annotations

import pytest

from sandloop.errors import NativeUnavailable
from sandloop.events import InputFile
from sandloop.ports import Capabilities
from sandloop.routing import choose_route
from sandloop.settings import Route

RUNS = Capabilities(runs_code=True, file_bytes=100, total_bytes=150)
RUNS_NOT = Capabilities(runs_code=False)


def file(size: int) -> InputFile:
    return InputFile(name=f"f{size}.csv", size=size, mime="text/csv", sha256="0" * 64)


@pytest.mark.parametrize(
    ("setting", "can", "sizes", "failed", "route", "reason"),
    [
        ("auto", RUNS, [], None, "native", "P runs the code itself"),
        ("auto", RUNS, [100], None, "native", "the files fit"),
        ("auto", RUNS, [101], None, "local", "f101.csv is 101 bytes, and P takes files up to 100 bytes"),
        ("auto", RUNS, [90, 80], None, "local", "170 bytes together"),
        ("auto", RUNS, [1], "its container died twice", "local", "its container died twice"),
        ("auto", RUNS_NOT, [1], None, "local", "P runs no code itself"),
        ("local", RUNS, [1], None, "local", "you asked"),
        ("native", RUNS, [1], None, "native", "you asked"),
    ],
)
def test_choose_route(setting: Route, can: Capabilities, sizes: list[int], failed: str | None, route: str, reason: str) -> None:
    chosen = choose_route(setting, can, [file(s) for s in sizes], provider="P", failed=failed)
    assert chosen.route == route
    assert reason in chosen.reason


@pytest.mark.parametrize(("can", "sizes"), [(RUNS_NOT, [1]), (RUNS, [101])])
def test_native_never_falls_back(can: Capabilities, sizes: list[int]) -> None:
    with pytest.raises(NativeUnavailable, match="route 'auto' or 'local'"):
        choose_route("native", can, [file(s) for s in sizes], provider="P")
