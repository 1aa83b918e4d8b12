"""What of a made file a report shows, judged from its bytes: pictures, tables, pages; all else is a name."""

from __future__ import annotations

import re
import struct

import pytest

from report_samples import CSV, EVIL_PAGE, EVIL_SVG, PAGE, SVG, png
from sandloop.report.frames import Frame, frame, style_hash
from sandloop.report.pictures import MAX_BYTES, Picture, picture
from sandloop.report.tables import Cell, Table, read_table

JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00\xff\xc0\x00\x11\x08"
    + struct.pack(">HH", 48, 64)
    + b"\x03" * 20
)


def test_png_and_jpeg_show_with_their_size() -> None:
    shown, photo = picture(png(width=64, height=40)), picture(JPEG)
    assert isinstance(shown, Picture)
    assert (shown.width, shown.height) == (64, 40)
    assert shown.uri.startswith("data:image/png;base64,iVBOR")
    assert isinstance(photo, Picture)
    assert (photo.width, photo.height) == (64, 48)


def test_a_plain_drawing_shows_as_a_picture() -> None:
    shown = picture(SVG)
    assert isinstance(shown, Picture)
    assert shown.uri.startswith("data:image/svg+xml;base64,")


HUGE = png(width=12, height=8)[:16] + struct.pack(">II", 60_000, 60_000) + b"\0" * 20
NESTED = (
    b'<svg xmlns="http://www.w3.org/2000/svg"><g id="a"><rect/></g><g id="b"><use href="#a"/><use href="#a"/></g>'
    b'<g id="c"><use href="#b"/><use href="#b"/></g></svg>'
)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no picture"),
        (b"<html><svg></svg>", "no picture"),
        (b"\x89PNG\r\n\x1a\n", "not a whole"),
        (b"\xff\xd8\xff" + b"\xff" * 500, "not a whole"),
        (b"\xff\xd8\xff\xe0\x00\x00" * 9, "not a whole"),
        (HUGE, "60,000 × 60,000 pixels"),
        (png() + b"\0" * MAX_BYTES, "too large"),
        (b"GIF89a" + b"\0" * 50, "no picture"),
        (EVIL_SVG, "more than a plain drawing"),
        (NESTED, "use each other"),
        (b'<svg><path id="a"/><use href="https://e.example/#a"/></svg>', "use each other"),
        (b'<svg><path id="a"/><g id="a"><use href="#a"/></g></svg>', "use each other"),
        (b'<!DOCTYPE svg [<!ENTITY a "b">]><svg>&a;</svg>', "entities"),
        (b"<svg><foreignObject/></svg>", "<foreignObject>"),
        (b"<svg><filter/></svg>", "<filter>"),
        (b"<svg>" + b" " * 600_000 + b"</svg>", "too large"),
        (b"<svg>\xff</svg>", "not UTF-8"),
    ],
)
def test_what_is_no_picture_to_show_says_why(content: bytes, why: str) -> None:
    found = picture(content)
    assert isinstance(found, str)
    assert why in found


def table(content: bytes, *, tabs: bool = False, rows: int = 20, columns: int = 12) -> Table:
    found = read_table(content, tabs=tabs, rows=rows, columns=columns, cell=30)
    assert found is not None
    return found


def test_a_table_s_first_rows_with_numbers_to_the_right() -> None:
    found = table(CSV.encode(), rows=2)
    assert found.head[:2] == (Cell("month"), Cell("mean_temp_max"))
    assert found.rows[0] == (Cell("1", True), Cell("7.4", True), Cell("121", True), Cell("all, of 4 years"))
    assert (len(found.rows), found.more_rows, found.more_columns) == (2, True, 0)


@pytest.mark.parametrize(
    "content",
    [b"a;b\n1;2,5\n", b"a\tb\n1\t2,5\n", "\ufeffa;b\n1;2,5\n".encode(), "a;b\n1;2,5\n".encode("utf-16"), b"a|b\r\n1|2,5\r\n"],
)
def test_other_separators_and_encodings_are_seen(content: bytes) -> None:
    assert table(content) == Table(head=(Cell("a"), Cell("b")), rows=((Cell("1", True), Cell("2,5", True)),))


def test_a_table_without_headings_has_none() -> None:
    assert table(b"1,2\n3,4\n").head == ()


def test_wide_long_and_cut_tables_are_bounded() -> None:
    wide = table(b",".join(b"%d" % n for n in range(5000)) + b"\n" + b"x," * 9000)
    assert (len(wide.head), len(wide.rows[0]), wide.more_columns) == (0, 12, 8989)
    cell = table(b"a\n" + b"x" * 1000)
    assert cell.rows[0][0].text == "x" * 29 + "…"
    assert table(b"a,b\n" + b"1,2\n" * 100_000).more_rows
    assert table(b"a,b\n" + b'1,"' + b"x" * 100_000 + b'"\n' + b"y" * 300_000).more_rows


@pytest.mark.parametrize("content", [b"", b"\n\n", b'"' + b"x" * 200_000])
def test_what_is_no_table_is_none(content: bytes) -> None:
    assert read_table(content, tabs=False, rows=20, columns=12, cell=30) is None


def test_a_hostile_number_takes_no_time() -> None:
    assert not table(b"h\n" + b"1" * 100_000 + b"x\n").rows[0][0].number


def test_a_page_keeps_its_text_tables_and_styles() -> None:
    found = frame(PAGE)
    assert isinstance(found, Frame)
    assert '<td class="hot">26.1</td>' in found.document
    assert style_hash("td.hot{background:#ffd9b3}") in found.styles
    assert not found.scripts


def test_a_hostile_page_keeps_nothing_that_could_load_run_or_lead_away() -> None:
    found = frame(EVIL_PAGE)
    assert isinstance(found, Frame)
    body = found.document.partition("<body>")[2]
    assert "evil.example" not in body
    assert not re.search(r"<(script|link|meta|base|form|button|iframe|object|video|svg|style)\b|\bon\w+=|href=", body)
    assert "<h1>Hello</h1>" in body
    assert found.scripts


@pytest.mark.parametrize(
    "css", ["@import 'x'", "a{background:URL(x)}", r"a{background:\75rl(x)}", "a{background:image-set('x' 1x)}"]
)
def test_a_style_sheet_that_names_something_to_load_goes(css: str) -> None:
    found = frame(f"<style>{css}</style><p>text".encode())
    assert isinstance(found, Frame)
    assert css not in found.document
    assert len(found.styles) == 1


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "an empty page"),
        (b"<div id=plot></div><script>draw()</script>", "its scripts would fill"),
        (b"<p>" + b"x" * 400_000, "too large"),
    ],
)
def test_a_page_with_nothing_to_show_says_why(content: bytes, why: str) -> None:
    found = frame(content)
    assert isinstance(found, str)
    assert why in found
