"""Which files of a provider's code go along into the local sandbox, and how the model is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandloop.carry import carried_text, made_elsewhere
from sandloop.conversation import Asked, conversation
from sandloop.events import Event, FellBack, FileMade, FilesPreviewed, InputFile, Preview, ReplyEnded, RouteChosen, RunStarted, Text
from sandloop.files import Inputs

ASKED = RunStarted(id="1", question="Go on?", model="m")
NATIVE = RouteChosen(route="native", provider="p", model="m", reason="r")
LOCAL = RouteChosen(route="local", provider="p", model="m", reason="r")


def made(name: str, sha: str = "a", size: int = 5) -> FileMade:
    return FileMade(name=name, size=size, mime="text/csv", sha256=sha * 64)


@pytest.mark.parametrize(
    ("history", "names"),
    [
        ([], []),
        ([NATIVE, made("x.csv")], ["x.csv a"]),
        ([LOCAL, made("x.csv")], []),
        ([NATIVE, made("x.csv"), LOCAL, made("y.csv")], ["x.csv a"]),
        ([NATIVE, made("x.csv"), made("y.csv"), made("x.csv", "b")], ["y.csv a", "x.csv b"]),
        ([LOCAL, made("x.csv"), NATIVE, made("y.csv"), LOCAL], ["y.csv a"]),
    ],
)
def test_the_newest_of_each_name_that_the_provider_made(history: list[Event], names: list[str]) -> None:
    assert [f"{f.name} {f.sha256[0]}" for f in made_elsewhere(history)] == names


def test_each_is_taken_once_under_a_free_name_and_later_inputs_keep_clear_of_it() -> None:
    inputs, nowhere = Inputs(input_bytes=100), Path("nowhere")
    inputs.add([("a.csv", b"mine")])
    first = inputs.carry([(made("a.csv"), nowhere), (made("sub/b.csv"), nowhere)])
    again = inputs.carry([(made("a.csv"), nowhere), (made("a.csv", "b"), nowhere)])
    later = inputs.add([("b.csv", b"mine too")])

    assert [f.file.name for f in first.files] == ["a-2.csv", "b.csv"]
    assert [f.file.name for f in again.files] == ["a-3.csv"]
    assert [f.file.name for f in later.files] == ["b-2.csv"]
    assert [f.file.name for f in inputs.files] == ["a.csv", "b-2.csv"]


def test_one_over_the_room_is_named_once() -> None:
    inputs = Inputs(input_bytes=100)
    told = [inputs.carry([(made("big.csv", size=101), Path("nowhere"))]) for _ in range(2)]

    assert [len(t.notes) for t in told] == [1, 0]
    assert "'big.csv' was not put into the local sandbox: it is 101 bytes" in told[0].notes[0]


def test_the_model_is_told_their_names_here_and_what_they_hold() -> None:
    here = InputFile(name="a-2.csv", size=5, mime="text/csv", sha256="a" * 64)
    chosen = RouteChosen(route="local", provider="p", model="m", reason="r", carried=(here,))
    preview = FilesPreviewed(previews=(Preview(name="a-2.csv", text="columns: a"),))
    history: list[Event] = [
        ASKED,
        NATIVE,
        Text(text="Made."),
        made("a.csv"),
        ReplyEnded(stop="end", text="Made."),
        FellBack(reason="gone"),
        chosen,
        preview,
    ]
    *_, last = conversation(history)

    assert isinstance(last, Asked)
    assert "is gone" in last.text
    assert last.text.endswith(carried_text((here,), history, 6))
    assert "'a-2.csv' (5 bytes, text/csv, 'a.csv' before)\ncolumns: a" in last.text


def test_a_question_that_goes_local_by_choice_holds_them_in_its_own_message() -> None:
    here = InputFile(name="a.csv", size=5, mime="text/csv", sha256="a" * 64)
    chosen = RouteChosen(route="local", provider="p", model="m", reason="r", carried=(here,))
    (said,) = conversation([ASKED, chosen])

    assert isinstance(said, Asked)
    assert said.text.startswith("Go on?\n\nOf the files that your code made so far")
