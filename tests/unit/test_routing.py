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


NO_FILES_BACK = Capabilities(runs_code=True, auto_bytes=1_000, auto_types=("text/", "application/json"), returns_files=False)


@pytest.mark.parametrize(
    ("question", "files", "route", "says"),
    [
        ("How many rows are there?", [("a.csv", 10, "text/csv")], "native", "the files fit"),
        ("How many rows are in a.csv?", [("a.csv", 10, "text/csv")], "native", "the files fit"),
        ("Save the rows as a CSV file.", [("a.csv", 10, "text/csv")], "local", "gives only pictures back"),
        ("Write it to out.xlsx", [], "local", "out.xlsx"),
        ("Make a report as a PDF please", [], "local", "only pictures"),
        ("Draw a chart of it", [], "native", "runs the code itself"),
        ("How many?", [("a.csv", 2_000, "text/csv")], "local", "works well up to"),
        ("How many?", [("a.xlsx", 10, "application/vnd.ms-excel")], "local", "works well with text only"),
    ],
)
def test_a_provider_that_gives_no_files_back(question: str, files: list[tuple[str, int, str]], route: str, says: str) -> None:
    inputs = [InputFile(name=name, size=size, mime=mime, sha256="0") for name, size, mime in files]
    chosen = choose_route("auto", NO_FILES_BACK, inputs, provider="gemini", question=question)
    assert (chosen.route, says in chosen.reason) == (route, True), chosen
    assert choose_route("native", NO_FILES_BACK, inputs, provider="gemini", question=question).route == "native"
