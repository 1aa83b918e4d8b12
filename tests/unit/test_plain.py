"""Streams that can't hold all of Unicode."""

from __future__ import annotations

import io

import pytest

from sandloop.terminal.plain import in_ascii, is_c_locale, is_utf8, make_readable


def streams(encoding: str) -> tuple[io.TextIOWrapper, io.TextIOWrapper]:
    return io.TextIOWrapper(io.BytesIO(), encoding), io.TextIOWrapper(io.BytesIO(), encoding)


def written(stream: io.TextIOWrapper, text: str) -> bytes:
    stream.write(text)
    stream.flush()
    assert isinstance(stream.buffer, io.BytesIO)
    return stream.buffer.getvalue()


def test_signs_have_ascii_ones_and_the_rest_its_escape() -> None:
    assert in_ascii("→ 3 × 4 … ✓ café 数") == "-> 3 x 4 ... ok caf\\xe9 \\u6570"


def test_a_stream_keeps_what_it_can_hold() -> None:
    stdout, stderr = streams("iso-8859-1")
    make_readable(stdout, stderr, {"LANG": "de_DE.ISO-8859-1"})
    assert written(stdout, "✓ café") == "ok café".encode("iso-8859-1")
    assert not is_utf8(stdout)


def test_a_locale_of_c_makes_the_messages_ascii_and_leaves_the_answer() -> None:
    stdout, stderr = streams("utf-8")
    make_readable(stdout, stderr, {"LC_ALL": "C"})
    assert written(stdout, "→ é") == "→ é".encode()
    assert written(stderr, "→ é") == b"-> \\xe9"


@pytest.mark.parametrize(
    ("environ", "c"),
    [
        ({}, False),
        ({"LANG": "C"}, True),
        ({"LC_ALL": "POSIX", "LANG": "en_GB.UTF-8"}, True),
        ({"LC_ALL": "", "LC_CTYPE": "C.UTF-8", "LANG": "C"}, False),
        ({"LANG": "C", "PYTHONIOENCODING": "utf-8"}, False),
        ({"LANG": "C", "PYTHONUTF8": "1"}, False),
    ],
)
def test_the_locale_is_the_first_that_is_named(environ: dict[str, str], c: bool) -> None:
    assert is_c_locale(environ) is c


def test_no_stream_at_all_is_no_failure() -> None:
    make_readable(None, None, {})
