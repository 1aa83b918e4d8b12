"""Output is kept at both ends and counted in between, on both sides of the line, within a bound."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandloop_image.capture import Capture
from sandloop_image.frames import Malformed
from sandloop_sandbox.output import Heard


@given(st.lists(st.binary(max_size=50), max_size=40), st.integers(min_value=4, max_value=100))
def test_what_is_printed_is_kept_whole_or_at_both_ends(pieces: list[bytes], kept: int) -> None:
    capture, told = Capture(kept), list[str]()
    heard = Heard(kept, told.append)
    for piece in pieces:
        heard.live(capture.take(piece))
    heard.tail(capture.tail())
    text, cut = heard.finish(capture.total)
    whole = b"".join(pieces)

    assert capture.total == len(whole)
    assert cut == max(0, len(whole) - kept)
    assert "".join(told) == text
    if not cut:
        assert text == whole.decode("utf-8", "replace")


def test_the_cut_is_marked_where_it_is() -> None:
    told: list[str] = []
    heard, capture = Heard(8, told.append), Capture(8)
    heard.live(capture.take(b"0123456789abcdef"))
    heard.tail(capture.tail())

    assert heard.finish(capture.total) == ("012345\n[8 bytes left out]\nef", 8)


def test_a_character_split_by_the_cut_is_no_garbage_at_the_tail() -> None:
    capture, heard = Capture(8), Heard(8, lambda text: None)
    heard.live(capture.take("ääääää€€€".encode()))
    heard.tail(capture.tail())
    text, cut = heard.finish(capture.total)

    assert cut == 13
    assert text == "äää\n[13 bytes left out]\n"


@pytest.mark.parametrize("size", [9, 100_000])
def test_more_than_was_asked_for_is_refused(size: int) -> None:
    with pytest.raises(Malformed):
        Heard(8, lambda text: None).live(bytes(size))


def test_a_count_below_what_came_is_refused() -> None:
    heard = Heard(8, lambda text: None)
    heard.live(b"12345")
    with pytest.raises(Malformed):
        heard.finish(4)


def test_a_flood_of_tiny_writes_keeps_only_its_ends() -> None:
    capture = Capture(1000)
    sent = sum(len(capture.take(b"x")) for _ in range(10_000))

    assert (sent, len(capture.tail()), capture.total) == (750, 250, 10_000)
