"""Long conversations: what is old is shortened with a note, what is new stays whole."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from sandloop.context import CHARS_PER_TOKEN, fitted, size
from sandloop.conversation import Asked, CallResult, Message, Ran, Said
from sandloop.events import ToolCall


def exchange(question: str, *, steps: int, output: int) -> list[Message]:
    messages: list[Message] = [Asked(text=question)]
    for number in range(steps):
        call = ToolCall(id=f"{question}-{number}", name="python", arguments="{}")
        messages.append(Said(text="", narrated=f"code {number}", calls=(call,), family="f", wire="w" * 500))
        messages.append(Ran(results=(CallResult(call_id=call.id, text="x" * output + "end"),)))
    return [*messages, Said(text=f"answer to {question}", narrated=f"answer to {question}")]


def test_what_fits_is_left_alone() -> None:
    messages = exchange("one", steps=3, output=1_000)
    assert fitted(messages, 10_000) == tuple(messages)


def test_ten_questions_with_long_outputs_fit_and_nothing_is_dropped() -> None:
    messages = [m for number in range(10) for m in exchange(f"q{number}", steps=5, output=8_000)]
    messages += [Asked(text="the last")]
    short = fitted(messages, 20_000)

    assert len(short) == len(messages)
    assert size(short) <= 20_000 * CHARS_PER_TOKEN
    old = next(m for m in short if isinstance(m, Ran)).results[0]
    assert "left out here" in old.text
    assert old.text.endswith("end")
    assert [m.text for m in short if isinstance(m, Asked)] == [*(f"q{n}" for n in range(10)), "the last"]
    assert "answer to q0" in [m.text for m in short if isinstance(m, Said)]


def test_outputs_of_old_questions_go_before_anything_of_the_question_at_hand() -> None:
    messages = [*exchange("old", steps=4, output=8_000), *exchange("new", steps=4, output=8_000)[:-1]]
    short = fitted(messages, 12_500)
    new = [m for m in short if isinstance(m, Ran)][4:]

    assert all(m.results[0].text == "x" * 8_000 + "end" for m in new)


def test_the_last_two_outputs_stay_whole_even_when_it_does_not_fit() -> None:
    messages = exchange("only", steps=6, output=50_000)[:-1]
    runs = [m for m in fitted(messages, 10_000) if isinstance(m, Ran)]

    assert [len(m.results[0].text) > 50_000 for m in runs] == [False] * 4 + [True] * 2


@example([(3, 78)], 1)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5_000)), max_size=6), st.integers(1, 5_000))
def test_it_never_grows_nor_loses_a_message(questions: list[tuple[int, int]], tokens: int) -> None:
    messages = [m for i, (steps, output) in enumerate(questions) for m in exchange(f"q{i}", steps=steps, output=output)]
    short = fitted(messages, tokens)

    assert len(short) == len(messages)
    assert size(short) <= max(size(messages), tokens * CHARS_PER_TOKEN)
    assert fitted(short, tokens) == short or size(short) > tokens * CHARS_PER_TOKEN
