"""How different pictures look, from what was seen of them inside the sandbox."""

from __future__ import annotations

from compared_runs import run
from sandloop.comparing.inside.looks import SIDE
from sandloop.comparing.made import Made, made_files
from sandloop.comparing.pictures import distance, picture_rows
from sandloop.comparing.said import Look

WIDE = SIDE + 1


def look(light: int = 255, *, bars: tuple[int, ...] = (), width: int = 640, height: int = 480) -> Look:
    """A plain picture with dark bars at these columns."""
    return Look(width, height, tuple(20 if x in bars else light for _ in range(SIDE) for x in range(WIDE)))


def test_a_picture_is_no_distance_from_itself_and_blank_ones_differ_by_their_light() -> None:
    assert distance(look(), look()) == 0.0
    assert distance(look(bars=(3, 7)), look(bars=(3, 7))) == 0.0
    assert distance(look(0), look(255)) > 0.5


def test_other_bars_are_farther_than_another_shade_and_both_ways_are_as_far() -> None:
    bars, shade, other = look(bars=(3, 7)), look(250, bars=(3, 7)), look(bars=(5, 11))
    assert 0 < distance(bars, shade) < distance(bars, other) <= 1
    assert distance(bars, other) == distance(other, bars)


def test_another_shape_is_a_distance() -> None:
    assert 0.1 < distance(look(), look(width=480, height=640)) < 0.5


def pictures(*entries: dict[str, bytes]) -> list[Made]:
    return made_files([run(f"m{i}", "1", files=files) for i, files in enumerate(entries)])[0]


def png(content: bytes) -> bytes:
    return b"\x89PNG\r\n\x1a\n" + content


def test_pictures_are_matched_by_name_then_by_looks_and_never_said_to_differ() -> None:
    first = {"a.png": png(b"1"), "b.png": png(b"2")}
    second = {"b.png": png(b"3"), "z.png": png(b"4"), "more.png": png(b"5")}
    made = pictures(first, second)
    looks = {0: look(bars=(3,)), 1: look(bars=(9,)), 2: look(bars=(9, 10)), 3: look(bars=(3,)), 4: look(0)}
    entries = [run("claude", "1", files=first), run("gpt", "1", files=second)]
    rows = picture_rows(made, looks, entries, {4: "it has 90,000,000 pixels"})
    assert [row.names for row in rows] == [("a.png", "z.png"), ("b.png", "b.png"), (None, "more.png")]
    assert [row.same for row in rows] == [None, None, None]
    assert rows[0].distances == (0.0, 0.0)
    assert rows[1].distances[0] == 0.0
    assert (rows[1].distances[1] or 0) > 0
    assert rows[2].differences == ("only gpt made it", "gpt: not looked at, it has 90,000,000 pixels")


def test_pictures_of_the_same_bytes_are_the_same() -> None:
    made = pictures({"a.png": png(b"1")}, {"other.png": png(b"1")})
    (row,) = picture_rows(made, {}, [run("a", "1"), run("b", "1")], {})
    assert (row.same, row.distances, row.differences) == (True, (0.0, 0.0), ())
