"""What a report shows of a run and of a comparison, as plain data."""

from __future__ import annotations

from dataclasses import replace

import pytest

from report_samples import CODE, Making, cell, comparison, failed_run, good_run, many, native_run
from sandloop.comparing.comparison import Agreement, Entry
from sandloop.events import (
    Answered,
    CodeError,
    CodeRan,
    Event,
    Failed,
    FileMade,
    Noted,
    ReplyEnded,
    RunStarted,
    Text,
    Usage,
)
from sandloop.report.bounds import bounds
from sandloop.report.columns import comparison_shown
from sandloop.report.shown import Gap, Item, Mark, Note, RunShown, Said, StepShown
from sandloop.report.view import run_mark, run_shown
from sandloop.result import Result


def shown(*events: Event, steps: int = 1) -> RunShown:
    """A run of these events after its start."""
    result = Result(events=(RunStarted(id="r1", question="?", model="m"), *events), store=Making().store)
    return run_shown(result, key="run", limits=bounds(steps=steps))


def steps(run: RunShown) -> list[StepShown]:
    return [item for item in run.items if isinstance(item, StepShown)]


def in_words(items: tuple[Item, ...]) -> list[str]:
    """What stands in a timeline, an entry a word."""
    found: list[str] = []
    for item in items:
        match item:
            case StepShown(number=number):
                found.append(f"step {number}")
            case Said(text=text, thinking=thinking):
                found.append(("thought " if thinking else "said ") + text.head[:12])
            case Note(mark=mark):
                found.append(mark.word)
            case Gap(text=text):
                found.append(text)
    return found


def test_a_run_in_order_with_the_answer_apart() -> None:
    run = run_shown(good_run(), key="run", limits=bounds(steps=2))
    assert in_words(run.items) == [
        "thought The user wan",
        "said Let me look.",
        "step 1",
        "asked again",
        "said I group the ",
        "step 2",
    ]
    assert run.answer.head.startswith("**August is the warmest month**")
    assert (run.mark, run.cost, run.failure) == (Mark("✓", "answered", "good"), "$0.0164", "")
    assert run.route == "local · anthropic · claude-5-large"
    assert run.places[CODE.strip()].anchor == "run-s2"
    assert run.code_seconds == "1.73 s"


def test_words_around_native_code_stand_around_it() -> None:
    run = run_shown(native_run(), key="m1", limits=bounds())
    assert in_words(run.items) == ["said I’ll compute", "step 1"]
    assert (run.cost, run.container_cost) == ("unknown", "$0.0300")


def test_files_say_what_of_them_is_shown() -> None:
    files = {file.name: file for file in run_shown(good_run(), key="run", limits=bounds()).files}
    assert files["means.png"].picture is not None
    assert files["means.csv"].table is not None
    assert files["means.html"].frame is not None
    assert files["means.svg"].picture is not None
    workbook = files["means.xlsx"]
    assert (workbook.shown, workbook.why, workbook.size, workbook.mime) == (False, "", "15 bytes", "Excel workbook")
    assert workbook.origin == "new in step 2"


def test_files_whose_bytes_are_gone_or_not_what_they_say_are_named() -> None:
    loaded = Result.from_json(good_run().to_json())
    gone = {file.name: file.why for file in run_shown(loaded, key="run", limits=bounds()).files}
    assert gone["means.png"] == gone["means.csv"] == gone["means.html"] == "its bytes are not here"
    forged = FileMade(name="a.png", size=1, mime="image/png", sha256="../../etc/passwd")
    assert shown(forged).files[0].why == "its bytes are not here"


RAN = CodeRan(code_id="c1", exit_code=0)


@pytest.mark.parametrize(
    ("ran", "word", "tone"),
    [
        (RAN, "ran", "good"),
        (replace(RAN, exit_code=None), "ran", "good"),
        (replace(RAN, exit_code=2), "exit code 2", "bad"),
        (replace(RAN, error=CodeError(name="E", value="v", traceback="")), "failed", "bad"),
        (replace(RAN, stopped_by="time"), "stopped by its limit of time", "bad"),
        (replace(RAN, stopped_by="interrupt"), "interrupted", "bad"),
        (replace(RAN, stopped_by="provider"), "stopped by the provider", "bad"),
        (replace(RAN, outcome="unknown"), "ran; the provider does not say whether it went well", "warn"),
    ],
)
def test_how_a_step_ended(ran: CodeRan, word: str, tone: str) -> None:
    written, _ = cell(1, "1")
    (step,) = steps(shown(written, ran))
    assert (step.mark.word, step.mark.tone) == (word, tone)
    assert step.open == (tone != "bad")


def test_a_step_says_what_was_lost_with_it() -> None:
    run = shown(*cell(1, "1", stdout="a", stdout_cut=1234, state="lost", out_of_memory="child"))
    assert steps(run)[0].notes == (
        "1,234 bytes of its stdout were not kept",
        "a process that the code started was killed for memory",
        "variables were lost; files are still there",
    )


def test_a_step_that_never_ran_says_so() -> None:
    (step,) = steps(shown(cell(1, "1")[0]))
    assert step.mark.word == "did not run"


@pytest.mark.parametrize(
    ("answered", "error", "word"),
    [
        (True, "", "answered"),
        (False, "LimitReached", "stopped by a limit"),
        (False, "ProviderError", "failed"),
        (False, "", "did not end"),
    ],
)
def test_how_a_run_ended(answered: bool, error: str, word: str) -> None:
    assert run_mark(answered=answered, error=error).word == word


def test_a_failed_run_shows_its_sentence_and_what_was_said_last() -> None:
    run = run_shown(failed_run(), key="run", limits=bounds(steps=8))
    assert run.failure.startswith("The run reached its limit of code_runs = 8.")
    assert (run.answered, run.answer.head) == (False, "I could not find the value.")
    assert run.weaknesses == ("weakened by no_seccomp", "the disk is not limited here")
    assert [step.open for step in steps(run)] == [False] * 7 + [True]


def test_of_many_steps_the_first_and_the_last_stand_there() -> None:
    run = shown(*(event for n in range(1, 1001) for event in cell(n, f"print({n})")), steps=1000)
    words = in_words(run.items)
    assert (words[0], words[39:42], words[-1]) == ("step 1", ["step 40", "880 steps left out here", "step 921"], "step 1000")
    assert run.step_count == 1000
    assert [step.number for step in steps(run) if step.open] == [1000]


def test_progress_is_no_part_of_a_report_and_notes_are_bounded() -> None:
    notes = (*(Noted(about="progress", text=f"{n} %") for n in range(100)), *(Noted(about="file", text="n") for _ in range(500)))
    words = in_words(shown(*notes).items)
    assert len(words) == 201
    assert words[66] == "300 notes left out here"


def test_a_run_without_an_answer_shows_its_last_words_once() -> None:
    run = shown(Text(text="Sorry."), ReplyEnded(stop="refusal", text="Sorry."), Failed(error="Refused", message="It refused."))
    assert run.answer.head == "Sorry."
    assert in_words(run.items) == []


def test_an_empty_run_is_shown_too() -> None:
    run = run_shown(Result(events=(), store=Making().store), key="run", limits=bounds())
    assert (run.mark.word, run.items, run.files, run.cost, run.label) == ("did not end", (), (), "unknown", "")


def test_a_comparison_marks_what_differs() -> None:
    found = comparison_shown(comparison())
    assert found.mark == Mark("≠", "they differ", "bad")
    assert found.labels == ("claude", "gpt", "ollama/qwen3")
    assert found.numbers[0].values == (("26.1", False), ("25.9", True), (None, False))
    picture, table = found.files
    assert [(label, file is not None, distance) for label, file, distance in picture.pictures] == [
        ("claude", True, ""),
        ("gpt", True, "distance 0.18 to claude’s, of 0 (alike) to 1"),
    ]
    assert (table.mark.word, table.differences) == ("differ", ("gpt: B8 is 25.9, claude has 26.1",))
    assert found.opinion is not None
    assert found.opinion[1].word == "holds that they differ"
    assert [run.mark.word for run in found.runs] == ["answered", "answered", "stopped by a limit"]
    assert [run.seconds for run in found.runs] == ["14.2 s", "9.80 s", "71.4 s"]


@pytest.mark.parametrize(("agree", "word"), [(True, "they agree"), (False, "they differ"), (None, "nothing to compare")])
def test_the_verdict_has_a_word(agree: bool | None, word: str) -> None:
    found = comparison_shown(replace(comparison(), agreement=Agreement(verdict="v", agree=agree)))
    assert found.mark.word == word


def test_rows_with_too_few_or_too_many_values_harm_nothing() -> None:
    base = comparison()
    row = base.agreement.numbers[0]
    rows = (replace(row, values=("1",), differs=(True,)), replace(row, values=("1",) * 9, differs=(False,) * 9))
    picture = replace(base.agreement.files[0], names=("means.png",) * 9, distances=())
    found = comparison_shown(replace(base, agreement=replace(base.agreement, numbers=rows, files=(picture,))))
    assert [len(row.values) for row in found.numbers] == [3, 3]
    assert len(found.files[0].names) == 3


def test_of_very_many_runs_the_first_have_columns() -> None:
    found = comparison_shown(many(80))
    assert (found.entry_count, len(found.runs), found.columns) == (80, 60, 24)


def test_an_answer_that_repeats_its_words_is_not_said_twice() -> None:
    run = shown(Text(text="It is 4.\n"), ReplyEnded(stop="end", text="It is 4.\n"), Answered(text="It is 4."))
    assert in_words(run.items) == []


def test_a_model_that_tells_no_tokens_is_said_to_tell_none() -> None:
    assert shown(Usage(model="m")).tokens == ()
    assert shown(Usage(model="m", output_tokens=5)).tokens == (("in", "0"), ("out", "5"))


def test_a_run_that_never_began_has_no_cost_and_took_no_time() -> None:
    base = comparison()
    missing = Entry(model="claude", label="claude", error="MissingKey", message="No key is set. Set one.")
    run = comparison_shown(replace(base, entries=(missing, *base.entries))).runs[0]
    assert (run.cost, run.seconds, run.tokens, run.mark.word) == ("", "", (), "failed")


def test_the_cost_of_containers_has_a_place_where_one_is_estimated() -> None:
    assert comparison_shown(comparison()).containers
    assert not comparison_shown(many(3)).containers
