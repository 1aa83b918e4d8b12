"""What a pool decides, from its shelves and the clock alone."""

from __future__ import annotations

import pytest

from sandloop_sandbox.stock import AGE, FIRST_PAUSE, KINDS, LONGEST_PAUSE, PATIENCE, QUIET, Plan, Shelf, plan

NOW = 10_000.0


def decide(shelves: dict[str, Shelf], *, opening: int = 0, opening_since: float = 0.0) -> Plan[str]:
    return plan(shelves, opening=opening, opening_since=opening_since, now=NOW)


def shelf(size: int = 1, asked: float = 10.0, **more: object) -> Shelf:
    """One that was last asked for so many seconds ago, and is short since then."""
    return Shelf(**{"size": size, "asked": NOW - asked, "short": NOW - asked, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kept", "starts"),
    [
        pytest.param(shelf(), True, id="too few"),
        pytest.param(shelf(ready=(NOW - 1,)), False, id="enough"),
        pytest.param(shelf(size=2, ready=(NOW - 1,)), True, id="one of two"),
        pytest.param(shelf(ready=(NOW - AGE,)), True, id="too old, so a fresh one"),
        pytest.param(shelf(asked=QUIET / 2), False, id="a session has just opened"),
        pytest.param(shelf(asked=QUIET), True, id="it has had its first steps"),
        pytest.param(shelf(asked=QUIET / 2, short=NOW - PATIENCE - QUIET), True, id="sessions open all the time"),
        pytest.param(shelf(failures=1, failed=NOW - FIRST_PAUSE / 2), False, id="the last start failed just now"),
        pytest.param(shelf(failures=1, failed=NOW - FIRST_PAUSE), True, id="it failed a while ago"),
        pytest.param(shelf(failures=4, failed=NOW - FIRST_PAUSE * 7), False, id="four failed in a row"),
        pytest.param(shelf(failures=10_000, failed=NOW - LONGEST_PAUSE), True, id="it is tried again for ever"),
        pytest.param(shelf(asked=AGE), False, id="nobody asks any more"),
    ],
)
def test_a_container_is_started_when_there_are_too_few_and_nobody_is_kept_waiting(kept: Shelf, starts: bool) -> None:
    assert decide({"a": kept}).start == ("a" if starts else None)


def test_sessions_that_are_just_starting_go_first_but_not_for_ever() -> None:
    assert decide({"a": shelf()}, opening=1, opening_since=NOW - 0.1).start is None
    assert decide({"a": shelf()}, opening=50, opening_since=NOW - PATIENCE).start == "a"


def test_the_kind_last_asked_for_is_filled_first() -> None:
    assert decide({"a": shelf(asked=20.0), "b": shelf(asked=10.0), "c": shelf(asked=30.0)}).start == "b"


def test_a_full_shelf_does_not_keep_others_empty() -> None:
    assert decide({"a": shelf(asked=10.0, ready=(NOW - 1,)), "b": shelf(asked=20.0)}).start == "b"


def test_the_old_and_the_too_many_are_ended() -> None:
    old, young = NOW - AGE, NOW - 1
    assert decide({"a": shelf(size=3, ready=(old, old, young))}).end == {"a": 2}
    assert decide({"a": shelf(size=1, ready=(young, young, young))}).end == {"a": 2}
    assert decide({"a": shelf(size=1, ready=(young,))}).end == {}


def test_kinds_that_nobody_asks_for_and_more_than_a_few_are_dropped() -> None:
    many = {f"k{number}": shelf(asked=float(number)) for number in range(KINDS + 2)}
    assert set(decide(many).drop) == {f"k{KINDS}", f"k{KINDS + 1}"}
    assert decide({"a": shelf(asked=AGE, ready=(NOW - 1,))}).drop == ("a",)


def test_it_looks_again_when_something_falls_due_and_otherwise_sleeps() -> None:
    assert decide({}).look_again is None
    assert decide({"a": shelf(asked=100.0, ready=(NOW - 50,))}).look_again == pytest.approx(AGE - 100)
    assert decide({"a": shelf(size=2, asked=100.0, ready=(NOW - 200, NOW - 1))}).look_again == pytest.approx(AGE - 200)
    assert decide({"a": shelf(asked=QUIET / 2)}).look_again == pytest.approx(QUIET / 2)
    failed = decide({"a": shelf(asked=100.0, failures=20, failed=NOW - 1)})
    assert failed.look_again == pytest.approx(LONGEST_PAUSE - 1)


def test_what_is_planned_is_reached() -> None:
    """From any number there to the number wanted, in as many plans as there are containers to start or end."""
    for there in range(5):
        for size in range(1, 5):
            ready = tuple(NOW - 1 - n for n in range(there))
            for _ in range(10):
                todo = decide({"a": shelf(size=size, ready=ready)})
                ready = ready[todo.end.get("a", 0) :] + ((NOW,) if todo.start else ())
            assert len(ready) == size
