"""Events go to JSON and come back equal, whatever is in them."""

from __future__ import annotations

import json
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandloop import codec, events
from sandloop.errors import UsageError
from sandloop.events import Answered, CodeError, CodeRan, Event, RunStarted

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
st.register_type_strategy(float, NUMBERS)
ANY_EVENT = st.one_of(*(st.from_type(kind) for kind in get_args(Event)))


@given(ANY_EVENT)
def test_an_event_comes_back_equal(event: Event) -> None:
    clean = codec.scrub(event)
    assert codec.from_json(codec.to_json(event)) == clean
    assert codec.from_plain(codec.to_plain(clean)) == clean


@given(ANY_EVENT)
def test_an_event_is_one_line(event: Event) -> None:
    (line,) = codec.lines([event])
    assert line.count("\n") == 1
    assert json.loads(line)["kind"] == event.kind


def test_every_event_has_its_own_kind() -> None:
    kinds = [cls.__dataclass_fields__["kind"].default for cls in get_args(Event)]
    assert len(set(kinds)) == len(kinds)


def test_every_event_of_the_module_is_in_the_union() -> None:
    with_kind = {c for c in vars(events).values() if isinstance(c, type) and "kind" in getattr(c, "__dataclass_fields__", {})}
    assert with_kind == set(get_args(Event))


def test_lone_surrogates_are_replaced_also_deep_inside() -> None:
    ran = CodeRan(code_id="c1", exit_code=1, error=CodeError(name="E", value="\ud800x", traceback="ok"))
    clean = codec.scrub(ran)
    assert isinstance(clean, CodeRan)
    assert clean.error is not None
    assert clean.error.value == "\ufffdx"


@pytest.mark.parametrize("line", ["", "{}", "[]", "nonsense", '{"kind": "answered"}', '{"kind": "other", "text": "x"}'])
def test_what_is_no_event_is_refused_with_a_sentence(line: str) -> None:
    with pytest.raises(UsageError, match="not an event"):
        codec.from_json(line)


def test_unicode_stays_readable() -> None:
    assert "東京" in codec.to_json(Answered(text="東京"))


def test_a_tuple_of_files_keeps_its_order() -> None:
    files = tuple(events.InputFile(name=n, size=1, mime="text/csv", sha256="0" * 64) for n in "ba")
    started = RunStarted(id="1", question="?", model="m", files=files)
    assert codec.from_json(codec.to_json(started)) == started
