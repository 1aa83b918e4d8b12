"""Made pictures on terminals that can show them: which terminals, and the very bytes."""

from __future__ import annotations

import base64
import re
import struct
import zlib

import pytest

from sandloop.picture_size import jpeg_size, png_size
from sandloop.terminal.pictures import MAX_BYTES, Way, Window, escapes, way_of


def png(width: int = 10, height: int = 5, more: int = 0) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"tEXt", b"k\0" + b"x" * more) + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    frame = struct.pack(">BBHBHHB", 0xFF, 0xC0, 8, 8, height, width, 0)
    return b"\xff\xd8" + b"\xff\xe0" + struct.pack(">H", 16) + b"JFIF\0" + bytes(9) + frame + b"\xff\xd9"


@pytest.mark.parametrize(
    ("environ", "way"),
    [
        ({"TERM": "xterm-256color"}, None),
        ({"TERM": "xterm-kitty"}, "kitty"),
        ({"TERM": "xterm-256color", "KITTY_WINDOW_ID": "1"}, "kitty"),
        ({"TERM_PROGRAM": "ghostty"}, "kitty"),
        ({"TERM_PROGRAM": "iTerm.app"}, "iterm"),
        ({"TERM_PROGRAM": "WezTerm"}, "iterm"),
        ({"TERM_PROGRAM": "Apple_Terminal"}, None),
        ({"LC_TERMINAL": "iTerm2"}, "iterm"),
        ({"TERM_PROGRAM": "iTerm.app", "TMUX": "/tmp/tmux-0/default,1,0"}, None),
        ({"KITTY_WINDOW_ID": "1", "TERM": "screen-256color"}, None),
        ({"KITTY_WINDOW_ID": "1", "STY": "1.pts"}, None),
        ({}, None),
    ],
)
def test_a_terminal_is_known_by_its_environment(environ: dict[str, str], way: Way | None) -> None:
    assert way_of(environ) == way


def test_kitty_gets_the_bytes_as_they_are_in_chunks_and_is_asked_not_to_answer() -> None:
    content = png(more=10_000)
    written = list(escapes(content, "kitty", Window(columns=80)))
    pieces = [re.fullmatch(r"\x1b_G([^;]*);([A-Za-z0-9+/=]*)\x1b\\", piece) for piece in written[:-1]]
    heads, payloads = zip(*(piece.groups() for piece in pieces if piece), strict=True)
    assert len(heads) == len(pieces) == 4
    assert heads == ("a=T,f=100,q=2,m=1", "q=2,m=1", "q=2,m=1", "q=2,m=0")
    assert all(len(payload) <= 4096 for payload in payloads)
    assert base64.b64decode("".join(payloads)) == content
    assert written[-1] == "\n"


def test_iterm_gets_them_in_one_piece() -> None:
    content = png()
    (written,) = escapes(content, "iterm", Window(columns=80))
    head, payload = written.removesuffix("\x07\n").split(":")
    assert head == f"\x1b]1337;File=inline=1;size={len(content)};width=auto;preserveAspectRatio=1"
    assert base64.b64decode(payload) == content


def test_a_picture_wider_than_the_terminal_is_made_to_fit() -> None:
    assert ",c=80," in next(escapes(png(width=1000), "kitty", Window(columns=80)))
    assert ",c=" not in next(escapes(png(width=1000), "kitty", Window(columns=80, width=1600)))
    assert ";width=100%;" in next(escapes(png(width=1000), "iterm", Window(columns=80)))


@pytest.mark.parametrize(
    ("content", "way"),
    [
        (b"", "kitty"),
        (b"\x89PNG\r\n\x1a\n", "kitty"),
        (b"\x1b]0;title\x07", "iterm"),
        (b"<svg/>", "iterm"),
        (png(width=0), "kitty"),
        (png(width=2**31, height=2**31), "kitty"),
        (png(more=MAX_BYTES), "kitty"),
        (jpeg(65_535, 65_535), "iterm"),
        (jpeg(10, 10)[:20], "iterm"),
        (jpeg(10, 10), "kitty"),
    ],
)
def test_what_is_no_picture_or_too_large_a_one_is_not_shown(content: bytes, way: Way) -> None:
    assert list(escapes(content, way, Window(columns=80))) == []


def test_headers_say_the_size() -> None:
    assert png_size(png(7, 9)) == (7, 9)
    assert jpeg_size(jpeg(7, 9)) == (7, 9)
    assert jpeg_size(b"\xff\xd8\xff" + b"\xff" * 100) is None
    assert len(list(escapes(jpeg(7, 9), "iterm", Window(columns=80)))) == 1
