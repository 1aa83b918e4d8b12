"""The loop's decisions, as a table: history in, step out."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sandloop.events import (
    CodeRan,
    CodeWritten,
    Event,
    FellBack,
    InputFile,
    Reminded,
    ReplyEnded,
    RunStarted,
    Text,
    ToolCall,
    Usage,
)
from sandloop.limits import Limits
from sandloop.loop import CODE_FIRST, CUT_OFF, EMPTY, Ask, Decline, Finish, Halt, Remind, Run, Step, next_step

FILE = InputFile(name="a.csv", size=1, mime="text/csv", sha256="0" * 64)
ASKED = RunStarted(id="1", question="?", model="m", files=(FILE,), new_files=("a.csv",))
NO_FILES = RunStarted(id="1", question="?", model="m")
SAID = ReplyEnded(stop="end", text="The mean is 3.")
WROTE = ReplyEnded(stop="end", text="```python\nprint(1)\n```")
CALLED = ReplyEnded(stop="end", calls=(ToolCall(id="t", name="python", arguments=""),))
PAUSED = ReplyEnded(stop="pause")
CUT = ReplyEnded(stop="length", text="```python\nprin")
NOTHING = ReplyEnded(stop="end", text=" \n")
REFUSED = ReplyEnded(stop="refusal", text="cyber")
C1 = CodeWritten(code_id="c1", language="python", source="print(1)", origin="fenced")
C2 = CodeWritten(code_id="c2", language="python", source="print(2)", origin="fenced")
N1 = CodeWritten(code_id="n1", language="python", source="print(1)", origin="provider")
R1 = CodeRan(code_id="c1", exit_code=0, stdout="1\n")
R2 = CodeRan(code_id="c2", exit_code=0)
RN1 = CodeRan(code_id="n1", exit_code=0)
BAD1 = CodeRan(code_id="c1", exit_code=1)


def reminded(about: str) -> Reminded:
    return Reminded(about=about, text="")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("history", "step"),
    [
        ([ASKED], Ask()),
        ([ASKED, WROTE, C1], Run(C1)),
        ([ASKED, WROTE, C1, R1], Ask()),
        ([ASKED, WROTE, C1, C2, R1], Run(C2)),
        ([ASKED, WROTE, C1, C2, BAD1], Ask()),
        ([ASKED, WROTE, C1, C2, R1, R2], Ask()),
        ([ASKED, WROTE, C1, R1, SAID], Finish("The mean is 3.")),
        ([ASKED, SAID], Remind("no_code", CODE_FIRST)),
        ([ASKED, SAID, reminded("no_code")], Ask()),
        ([ASKED, SAID, reminded("no_code"), SAID], Finish("The mean is 3.")),
        ([NO_FILES, SAID], Finish("The mean is 3.")),
        ([ASKED, CALLED], Ask()),
        ([ASKED, replace(CALLED, stop="length")], Remind("cut_off", CUT_OFF)),
        ([ASKED, PAUSED], Ask()),
        ([ASKED, CUT], Remind("cut_off", CUT_OFF)),
        ([ASKED, CUT, reminded("cut_off"), CUT, reminded("cut_off"), CUT], Halt("reply_tokens", 16_000)),
        ([ASKED, NOTHING], Remind("empty", EMPTY)),
        ([ASKED, NOTHING, reminded("empty"), NOTHING], Finish("The model gave no answer.")),
        (
            [ASKED, WROTE, C1, R1, NOTHING, reminded("empty"), NOTHING],
            Finish("The model gave no answer. Its code printed:\n1"),
        ),
        ([ASKED, REFUSED], Decline("cyber")),
        ([ASKED, Text(text="So. "), N1, RN1, Text(text="It is 3."), SAID], Finish("It is 3.")),
        ([ASKED, Text(text="I will look."), N1, RN1, PAUSED, Text(text="It is 3."), SAID], Finish("The mean is 3.")),
        ([ASKED, Text(text="So"), N1, FellBack(reason="gone")], Ask()),
        ([ASKED, PAUSED, N1, FellBack(reason="gone")], Ask()),
        # thoughts that streamed as text before the provider knew better are no answer
        ([ASKED, WROTE, C1, R1, Text(text="Hm.</think>It is 3."), SAID], Finish("The mean is 3.")),
        # a second question: code of the first supports it, and its limits begin anew
        ([ASKED, WROTE, C1, R1, SAID, ASKED], Ask()),
        ([ASKED, WROTE, C1, R1, SAID, ASKED, SAID], Finish("The mean is 3.")),
    ],
)
def test_next_step(history: list[Event], step: Step) -> None:
    assert next_step(history, Limits()) == step


@pytest.mark.parametrize(
    ("limits", "seconds", "history", "step"),
    [
        (Limits(turns=1), 0, [ASKED, WROTE, C1, R1], Halt("turns", 1)),
        (Limits(turns=1), 0, [ASKED, WROTE, C1], Run(C1)),
        (Limits(turns=1), 0, [ASKED, WROTE, C1, R1, SAID], Finish("The mean is 3.")),
        (Limits(code_runs=1), 0, [ASKED, WROTE, C1, R1, WROTE, C2], Halt("code_runs", 1)),
        (Limits(code_runs=1), 0, [ASKED, WROTE, C1, R1], Ask()),
        (Limits(seconds=5), 5.0, [ASKED], Halt("seconds", 5)),
        (Limits(seconds=5), 9.0, [ASKED, WROTE, C1, R1, SAID], Finish("The mean is 3.")),
        (Limits(tokens=10), 0, [ASKED, Usage(model="m", input_tokens=9, output_tokens=1), WROTE, C1], Halt("tokens", 10)),
        (Limits(cost=0.5), 0, [ASKED, Usage(model="m", cost=0.6), WROTE, C1], Halt("cost", 0.5)),
        (Limits(cost=0.5), 0, [ASKED, Usage(model="m", cost=None), WROTE, C1], Run(C1)),
    ],
)
def test_a_limit_ends_the_run_but_never_takes_an_answer_away(
    limits: Limits, seconds: float, history: list[Event], step: Step
) -> None:
    assert next_step(history, limits, seconds=seconds) == step


def test_a_model_stuck_in_a_loop_is_stopped_before_its_limit_of_runs() -> None:
    history: list[Event] = [ASKED]
    for number in range(3):
        cell = CodeWritten(code_id=f"c{number}", language="python", source="1/0", origin="fenced")
        history += [WROTE, cell, CodeRan(code_id=cell.code_id, exit_code=1)]
    again = CodeWritten(code_id="c9", language="python", source="1/0", origin="fenced")
    other = CodeWritten(code_id="c9", language="python", source="1/1", origin="fenced")
    assert next_step([*history, WROTE, again], Limits()) == Halt("same_failures", 3)
    assert next_step([*history, WROTE, other], Limits()) == Run(other)


def test_a_model_that_writes_broken_code_for_ever_meets_the_limit_of_runs() -> None:
    history: list[Event] = [ASKED]
    for number in range(100):
        match next_step(history, Limits(code_runs=5)):
            case Ask():
                source = f"{number}/0"
                history += [WROTE, CodeWritten(code_id=f"c{number}", language="python", source=source, origin="fenced")]
            case Run(code=cell):
                history.append(CodeRan(code_id=cell.code_id, exit_code=1))
            case Halt() as halt:
                assert halt == Halt("code_runs", 5)
                return
            case other:
                pytest.fail(f"{other}")
    pytest.fail("never stopped")
