"""The page of a report: escaped whatever it holds, bounded whatever the run holds, with colours that can be read."""

from __future__ import annotations

import hashlib
import re
import stat
import time
from dataclasses import replace
from importlib import resources
from pathlib import Path

import pytest

from report_samples import EVIL, Making, cell, comparison, good_run, hostile_comparison, hostile_run, png
from sandloop.comparing.comparison import Comparison, Entry
from sandloop.errors import UsageError
from sandloop.events import Answered, Event, FileMade, RunStarted
from sandloop.report import REPORT_BYTES, comparison_report, run_report, write_report
from sandloop.report.page import breakable
from sandloop.result import Result

CSS = (resources.files("sandloop.report") / "templates" / "report.css").read_text("utf-8")


def test_a_report_is_one_page_with_a_policy_that_allows_its_own_styles_and_inner_pictures_alone() -> None:
    page = run_report(good_run())
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', page)
    directives = dict(part.split(" ", 1) for part in policy.replace("&#39;", "'").split("; "))
    assert directives.keys() == {"default-src", "style-src", "img-src", "base-uri", "form-action"}
    assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"
    assert directives["img-src"] == "data:"
    assert all(re.fullmatch(r"'sha256-[\w+/=]+'", source) for source in directives["style-src"].split())
    assert page.index("Content-Security-Policy") < page.index("<style>")


def test_a_report_of_a_run_says_how_long_it_took_where_that_is_known() -> None:
    assert "<dt>Time</dt><dd>12.3 s" in run_report(good_run(), seconds=12.3)
    assert "<dt>Time</dt>" not in run_report(good_run())


def test_a_long_name_with_a_path_may_go_on_in_the_next_line_and_stays_text() -> None:
    assert breakable("m:a/<b>/\u202ec") == "m:<wbr>a/<wbr>&lt;b&gt;/<wbr>\\u202ec"


@pytest.mark.parametrize("page", [run_report(hostile_run()), comparison_report(hostile_comparison())])
def test_nothing_hostile_becomes_markup(page: str) -> None:
    assert "<script" not in page
    assert not re.search(r"<img(?! src=\"data:image/)", page)
    assert not re.search(r"<iframe(?! sandbox=\"\")", page)
    assert not {"\u202e", "\x1b"} & set(page)
    assert page.count("<style>") == 1
    assert "{{" not in page.replace("{{ 7*7 }}", "")


def test_a_comparison_shows_the_verdict_the_sign_and_the_word() -> None:
    page = comparison_report(comparison())
    assert "They differ.</span> 1 of 2 says August, 26.1 °C; gpt says July" in page
    assert '<span class="sign" aria-hidden="true">≠</span> <strong>25.9</strong> <span class="word">differs</span>' in page
    assert "not evidence. It cost $0.0020." in page
    assert ">unknown</td>" in page
    assert "≈ $0.0300" in page


def huge(number: int) -> Result:
    """More than any report may hold: a long answer, a thousand steps that print ten megabytes, two hundred pictures."""
    making = Making()
    picture = png()
    events: list[Event] = [RunStarted(id=f"r{number}", question="?" * 5_000_000, model="m")]
    odd = '"\u202e<&' * 2500
    for n in range(1, 1001):
        events += cell(n, f"x = '{odd}'\n" if n % 2 else f"1+{n}\n" * 3000, stdout=odd, stderr=odd)
    for n in range(200):
        content = picture + n.to_bytes(2, "big") * 60_000
        events.append(making.file(f"chart-{n}.png", content, "image/png", "c9"))
    events += [making.file(f"t{n}.csv", f'{odd},"{n}"\n'.encode() * 30, "text/csv", "c9") for n in range(20)]
    events += [replace(made, name=f"{odd}{n}") for n in range(5000) if isinstance(made := events[-1], FileMade)]
    events.append(Answered(text='**"<a&b>"** 1\n\n' * 330_000))
    return Result(events=tuple(events), store=making.store)


def test_a_report_has_an_end_whatever_the_runs_hold() -> None:
    run = huge(1)
    started = time.perf_counter()
    page = run_report(run)
    assert len(page.encode()) < REPORT_BYTES
    for words in ("880 steps left out here", "characters left out here", "more files left out here", "of code left out here"):
        assert words in page
    entries = tuple(Entry(model=f"m{n}", label=f"m{n}", result=run, seconds=1.0) for n in range(30))
    agreement = comparison().agreement
    side = replace(agreement.files[0], names=("chart-1.png",) * 30, distances=(0.0,) * 30, differences=("d" * 10_000,) * 500)
    number = replace(agreement.numbers[0], values=('"' * 10_000,) * 30, differs=(True,) * 30)
    agreement = replace(agreement, files=(side,) * 100, numbers=(number,) * 1000)
    whole = comparison_report(Comparison(id="c", question="?" * 100_000, files=(), entries=entries, agreement=agreement))
    assert len(whole.encode()) < REPORT_BYTES
    assert "6 more runs stand in the tables above only" in whole
    assert time.perf_counter() - started < 60


def test_a_report_is_written_whole_for_this_user_alone_and_replaces_an_older_one(tmp_path: Path) -> None:
    target = tmp_path / "new" / "report.html"
    assert write_report(target, "<p>old") == target
    write_report(target, "<p>é")
    assert target.read_bytes() == "<p>é".encode()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["report.html"]


def test_a_report_goes_through_a_link_and_replaces_no_device(tmp_path: Path) -> None:
    (tmp_path / "kept.html").write_text("old")
    (tmp_path / "link.html").symlink_to(tmp_path / "kept.html")
    write_report(tmp_path / "link.html", "new")
    assert (tmp_path / "link.html").is_symlink()
    assert (tmp_path / "kept.html").read_text() == "new"
    write_report("/dev/null", "gone")
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("name", ["", "file/report.html", "x" * 300])
def test_a_report_that_cannot_be_written_says_why_and_what_to_do(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(UsageError, match=r"can't be written to .+: .+\. Give another path\."):
        write_report(tmp_path / name, "x")


def colours(part: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6})\b", part))


def luminance(colour: str) -> float:
    digits = colour[1:] if len(colour) == 7 else "".join(c * 2 for c in colour[1:])
    parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
    red, green, blue = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


LIGHT, DARK = (colours(part) for part in (CSS.partition("@media")[0], CSS.partition("dark) {")[2].partition("}\n}")[0]))
INKS = ("ink", "dim", "accent", "good", "bad", "warn", "keyword", "string", "number", "comment", "name")


@pytest.mark.parametrize("palette", [LIGHT, DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("paper", "inks"),
    [
        ("paper", INKS),
        ("card", INKS),
        ("good-paper", ("ink", "good")),
        ("bad-paper", ("ink", "bad", "dim")),
        ("warn-paper", ("ink", "warn", "dim")),
    ],
)
def test_every_ink_can_be_read_on_its_paper(palette: dict[str, str], paper: str, inks: tuple[str, ...]) -> None:
    for ink in inks:
        dark, light = sorted((luminance(palette[ink]), luminance(palette[paper])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper)


def test_the_same_run_gives_the_same_page() -> None:
    assert hashlib.sha256(run_report(good_run()).encode()).digest() == hashlib.sha256(run_report(good_run()).encode()).digest()


def test_a_name_that_looks_like_a_template_is_not_run() -> None:
    assert "{{ 7*7 }}" in run_report(hostile_run())
    assert EVIL not in run_report(hostile_run())
