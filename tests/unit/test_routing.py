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
SAYS_WHY_NOT = Capabilities(runs_code=False, runs_code_why="this model is too old")
PERHAPS = Capabilities(runs_code=True, runs_code_why="the server does not say, so it is tried")
ANY_SIZE = Capabilities(runs_code=True)
WELL = Capabilities(runs_code=True, file_bytes=100, auto_bytes=50)
PICTURES = Capabilities(runs_code=True, auto_types=("image/",))


def file(size: int) -> InputFile:
    return InputFile(name=f"f{size}.csv", size=size, mime="text/csv", sha256="0" * 64)


@pytest.mark.parametrize(
    ("setting", "can", "sizes", "failed", "route", "reason"),
    [
        ("auto", RUNS, [], None, "native", "P runs the code itself"),
        ("auto", RUNS, [100], None, "native", "the files fit"),
        ("auto", RUNS, [101], None, "local", "f101.csv is 101 bytes, and P takes files up to 100 bytes"),
        ("auto", RUNS, [90, 80], None, "local", "170 bytes together"),
        ("auto", RUNS, [100, 51], None, "local", "the files are 151 bytes together, and P takes 150 bytes"),
        ("auto", RUNS, [100, 50], None, "native", "the files fit"),
        ("auto", RUNS, [1], "its container died twice", "local", "its container died twice"),
        ("auto", RUNS, [], "its container died twice", "local", "its container died twice"),
        ("auto", RUNS, [101], "it died", "local", "it died"),
        ("auto", RUNS_NOT, [1], None, "local", "P runs no code itself"),
        ("auto", RUNS_NOT, [], None, "local", "P runs no code itself"),
        ("auto", SAYS_WHY_NOT, [1], None, "local", "this model is too old"),
        ("auto", ANY_SIZE, [10**12], None, "native", "the files fit"),
        ("auto", PERHAPS, [], None, "native", "P runs the code itself; the server does not say, so it is tried"),
        ("auto", WELL, [50], None, "native", "the files fit"),
        ("auto", WELL, [51], None, "local", "the files are 51 bytes together, and P works well up to 50 bytes"),
        ("auto", WELL, [30, 30], None, "local", "the files are 60 bytes together, and P works well up to 50 bytes"),
        ("auto", PICTURES, [1], None, "local", "f1.csv is text/csv, and P works well with text only"),
        ("local", RUNS, [1], None, "local", "you asked"),
        ("local", RUNS_NOT, [1], None, "local", "you asked"),
        ("local", RUNS, [101], None, "local", "you asked"),
        ("local", RUNS, [1], "it died", "local", "you asked"),
        ("native", RUNS, [1], None, "native", "you asked"),
        ("native", RUNS, [], None, "native", "you asked"),
        ("native", WELL, [51], None, "native", "you asked"),
        ("native", PICTURES, [1], None, "native", "you asked"),
    ],
)
def test_choose_route(setting: Route, can: Capabilities, sizes: list[int], failed: str | None, route: str, reason: str) -> None:
    chosen = choose_route(setting, can, [file(s) for s in sizes], provider="P", failed=failed)
    assert chosen.route == route
    assert reason in chosen.reason


@pytest.mark.parametrize(
    ("can", "sizes", "failed", "says"),
    [
        (RUNS_NOT, [1], None, "P runs no code itself"),
        (SAYS_WHY_NOT, [], None, "this model is too old"),
        (RUNS, [101], None, "f101.csv is 101 bytes"),
        (RUNS, [90, 80], None, "170 bytes together"),
        (RUNS, [1], "its container died twice", "its container died twice"),
    ],
)
def test_native_never_falls_back(can: Capabilities, sizes: list[int], failed: str | None, says: str) -> None:
    with pytest.raises(NativeUnavailable, match="route 'auto' or 'local'") as raised:
        choose_route("native", can, [file(s) for s in sizes], provider="P", failed=failed)
    assert says in str(raised.value)


CANS = (RUNS, RUNS_NOT, SAYS_WHY_NOT, PERHAPS, ANY_SIZE, WELL, PICTURES)


@pytest.mark.parametrize("setting", ["auto", "native", "local"])
@pytest.mark.parametrize("failed", [None, "it died"])
@pytest.mark.parametrize("can", CANS)
@pytest.mark.parametrize("sizes", [[], [1], [60, 60], [101], [90, 80]])
def test_every_combination_keeps_the_promises(setting: Route, failed: str | None, can: Capabilities, sizes: list[int]) -> None:
    """`local` is always local, `native` is native or an error, and `auto` is native only where nothing speaks against it."""
    files, fits = [file(s) for s in sizes], not failed and can.runs_code
    fits = fits and all(s <= (can.file_bytes or s) for s in sizes) and sum(sizes) <= (can.total_bytes or sum(sizes))
    well = fits and sum(sizes) <= (can.auto_bytes or sum(sizes)) and not (can.auto_types and sizes)
    if setting == "native" and not fits:
        with pytest.raises(NativeUnavailable):
            choose_route(setting, can, files, provider="P", failed=failed)
        return
    chosen = choose_route(setting, can, files, provider="P", failed=failed)
    assert chosen.route == {"local": "local", "native": "native", "auto": "native" if well else "local"}[setting]
    assert chosen.reason.strip()


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
