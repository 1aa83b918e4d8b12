"""The protocol: what is sent comes out, in whatever pieces; what nobody sends is refused, never believed, never a hang."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandloop_image import frames
from sandloop_image.frames import FROM_SUPERVISOR, MAX_PAYLOAD, Decoder, Frame, Malformed, frame, parse_record, parse_texts, record
from sandloop_sandbox.stream import Demultiplexer

KINDS = st.sampled_from([bytes([kind]) for kind in FROM_SUPERVISOR])
FRAMES = st.lists(st.tuples(KINDS, st.binary(max_size=200)), max_size=10)


def in_pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """The data, cut at those places."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@given(FRAMES, st.lists(st.integers(min_value=0), max_size=20))
def test_frames_come_out_as_they_went_in_whatever_the_pieces(sent: list[Frame], cuts: list[int]) -> None:
    decoder, got = Decoder(FROM_SUPERVISOR), list[Frame]()
    for piece in in_pieces(b"".join(frame(*one) for one in sent), cuts):
        got += decoder.feed(piece)

    assert got == sent
    assert decoder.empty


@given(FRAMES, st.lists(st.integers(min_value=0), max_size=20))
def test_frames_that_are_passed_on_keep_their_bytes_their_place_and_their_empty_ones(sent: list[Frame], cuts: list[int]) -> None:
    decoder, got = Decoder(FROM_SUPERVISOR, passed=frames.DATA), list[Frame]()
    for piece in in_pieces(b"".join(frame(*one) for one in sent), cuts):
        came = list(decoder.feed(piece))
        assert sum(len(payload) for kind, payload in came if kind == frames.DATA) <= len(piece)
        got += came

    assert joined(got) == joined(sent)
    assert got.count((frames.DATA, b"")) == sent.count((frames.DATA, b""))
    assert decoder.empty


def joined(several: list[Frame]) -> list[Frame]:
    """With data frames that follow each other as one."""
    put_together = list[Frame]()
    for kind, payload in several:
        if kind == frames.DATA and put_together and put_together[-1][0] == frames.DATA:
            put_together[-1] = kind, put_together[-1][1] + payload
        else:
            put_together.append((kind, payload))
    return put_together


@given(st.lists(st.binary(max_size=300), max_size=10))
def test_any_bytes_are_frames_or_refused(pieces: list[bytes]) -> None:
    decoder = Decoder(FROM_SUPERVISOR)
    try:
        for piece in pieces:
            for kind, payload in decoder.feed(piece):
                assert kind in FROM_SUPERVISOR
                assert len(payload) <= MAX_PAYLOAD
    except Malformed:
        pass


@pytest.mark.parametrize("data", [b"Z\0\0\0\0", b"A\x00\x10\x00\x01", b"A\xff\xff\xff\xff", b"\0\0\0\0\0"])
def test_a_header_that_nobody_sends_is_refused_before_its_payload(data: bytes) -> None:
    with pytest.raises(Malformed):
        list(Decoder(FROM_SUPERVISOR).feed(data))


def test_a_frame_over_the_limit_is_not_made() -> None:
    with pytest.raises(Malformed):
        frame(frames.DATA, bytes(MAX_PAYLOAD + 1))
    assert len(frame(frames.DATA, bytes(MAX_PAYLOAD))) == MAX_PAYLOAD + 5


TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)


@given(st.dictionaries(TEXT, TEXT, max_size=10))
def test_a_record_comes_out_as_it_went_in(fields: dict[str, str]) -> None:
    if fields:
        assert parse_record(record(fields)) == fields


@given(st.binary(max_size=300))
def test_any_bytes_are_a_record_or_refused(payload: bytes) -> None:
    try:
        fields = parse_record(payload)
    except Malformed:
        return
    assert len(fields) <= frames.MAX_FIELDS


def test_what_a_record_cant_hold_becomes_a_mark() -> None:
    assert parse_record(record({"a": "x\0y\ud800", "n": 5})) == {"a": "x\ufffdy?", "n": "5"}


@pytest.mark.parametrize("payload", [b"a", b"a\0b\0c", b"a\x001\0a\x002", b"\xff\0x", b"\0".join([b"%d" % i for i in range(200)])])
def test_a_record_with_odd_repeated_too_many_or_unreadable_fields_is_refused(payload: bytes) -> None:
    with pytest.raises(Malformed):
        parse_record(payload)


def test_no_bytes_are_no_texts() -> None:
    assert parse_texts(b"") == []
    assert parse_texts(b"a\0\0b") == ["a", "", "b"]


PIECES = st.lists(st.tuples(st.sampled_from(["stdout", "stderr"]), st.binary(min_size=1, max_size=100)), max_size=10)


@given(PIECES, st.lists(st.integers(min_value=0), max_size=20))
def test_the_engines_stream_comes_apart_whatever_the_pieces(sent: list[tuple[str, bytes]], cuts: list[int]) -> None:
    numbers = {"stdout": 1, "stderr": 2}
    wire = b"".join(bytes([numbers[name], 0, 0, 0]) + len(data).to_bytes(4, "big") + data for name, data in sent)
    streams = Demultiplexer()
    got: dict[str, bytes] = {"stdout": b"", "stderr": b""}
    for piece in in_pieces(wire, cuts):
        for stream, data in streams.feed(piece):
            got[stream] += data

    for name, whole in got.items():
        assert whole == b"".join(data for other, data in sent if other == name)


@given(st.lists(st.binary(max_size=100), max_size=10))
def test_any_bytes_are_the_engines_stream_or_refused(pieces: list[bytes]) -> None:
    streams = Demultiplexer()
    try:
        for piece in pieces:
            assert sum(len(data) for _, data in streams.feed(piece)) <= len(piece)
    except Malformed:
        pass


def test_an_empty_piece_of_the_engines_stream_is_nothing() -> None:
    assert list(Demultiplexer().feed(b"\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\1x")) == [("stderr", b"x")]
