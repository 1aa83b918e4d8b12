"""The site of documents: every link leads somewhere, and nothing in it comes from elsewhere."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from built_site import ROOT, site

LOADS = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src", "object": "data"}
PICTURES = ("routes.svg", "sandbox.svg")


class Page(HTMLParser):
    """What a page links to, loads, and can be linked at."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links, self.loads, self.ids = set[str](), set[str](), set[str]()
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.ids.add(found.get("id", ""))
        if tag == "a" and "href" in found:
            self.links.add(found["href"])
        if tag in LOADS and LOADS[tag] in found and found.get("rel") not in ("canonical", "next", "prev"):
            self.loads.add(found[LOADS[tag]])


@cache
def page(path: Path) -> Page:
    return Page(path)


def pages() -> list[Path]:
    return [path for path in sorted(site().rglob("*.html")) if path.name != "404.html"]


def test_every_link_and_anchor_leads_somewhere() -> None:
    for path in pages():
        for link in page(path).links:
            parts = urlsplit(link)
            if parts.scheme in ("http", "https", "mailto"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.is_file(), f"{path.name}: {link}"
            if parts.fragment and target.suffix == ".html":
                assert unquote(parts.fragment) in page(target).ids | {"__toc", "__search", "__drawer"}, f"{path.name}: {link}"


def test_nothing_is_loaded_from_elsewhere() -> None:
    for path in pages():
        for loaded in page(path).loads:
            assert not urlsplit(loaded).netloc, f"{path.name} loads {loaded}"
    for style in site().rglob("*.css"):
        for loaded in re.findall(r"url\(\s*[\"']?([^)\"']+)", style.read_text("utf-8")):
            assert loaded.startswith(("data:", "#", "../", "./")) or "//" not in loaded, f"{style.name} loads {loaded}"


def test_every_page_and_every_decision_is_in_the_navigation() -> None:
    linked = page(site() / "index.html").links
    for source in (ROOT / "docs").rglob("*.md"):
        name = source.relative_to(ROOT / "docs").with_suffix(".html").as_posix()
        assert {name, "./" if name == "index.html" else name} & (linked | {"index.html"}), name
    assert "changelog.html" in linked


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_says_what_it_shows_and_knows_the_dark(name: str) -> None:
    drawn = (ROOT / "docs/pictures" / name).read_text("utf-8")
    assert 'role="img" aria-labelledby="t d"' in drawn
    assert len(re.findall(r"<title id=\"t\">.+</title>", drawn)) == 1
    (said,) = re.findall(r"<desc id=\"d\">(.+)</desc>", drawn)
    assert len(said) > 200
    light, dark = (dict(re.findall(r"(--[\w-]+): (#\w+)", block)) for block in drawn.split("prefers-color-scheme: dark", 1))
    assert light.keys() == dark.keys()
    assert "http://" not in drawn.replace("http://www.w3.org/2000/svg", "")


def test_texts_of_the_pictures_can_be_read_on_what_is_behind_them() -> None:
    """A contrast of 4.5, as WCAG asks of texts."""
    for name in PICTURES:
        drawn = (ROOT / "docs/pictures" / name).read_text("utf-8")
        for block in drawn.split("prefers-color-scheme: dark", 1):
            colours = dict(re.findall(r"(--[\w-]+): (#\w+)", block))
            behind = [
                colour for key, colour in colours.items() if key in ("--paper", "--box", "--native", "--local", "--ours", "--code")
            ]
            for ink in (colours["--ink"], colours["--soft"]):
                assert min(_contrast(ink, paper) for paper in behind) >= 4.5, (name, ink)


def _contrast(first: str, second: str) -> float:
    light, dark = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
