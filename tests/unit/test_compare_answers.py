"""What a comparison leaves: what is printed, the exit code, which runs wait for each other, and JSON that can be trusted."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sandloop.cli.compare import exit_code
from sandloop.cli.compare_answers import answers
from sandloop.cli.complete import several_models
from sandloop.comparing.comparison import Agreement, Comparison, Entry, FileRow, Judgement, NumberRow, labels
from sandloop.comparing.lanes import HERE, Lane, lane_of
from sandloop.comparing.stored import folder_name
from sandloop.errors import UsageError
from sandloop.events import Answered, Check, Checked, CodeRan, CodeWritten, Failed, RouteChosen, RunStarted, Usage
from sandloop.result import Result
from sandloop.settings import Profile, Settings, resolve
from sandloop.store import FileStore

STORE = FileStore(file_bytes=1)
ROUTE = RouteChosen(route="native", provider="p", model="m", reason="because")
CODE = CodeWritten(code_id="c1", language="python", source="1", origin="provider")


def entry(label: str, text: str = "", *, cost: float | None = 0.0123, error: str = "") -> Entry:
    started = RunStarted(id="1", question="?", model=label)
    usage = Usage(model="m", input_tokens=4_000, output_tokens=210, cost=cost)
    last = Failed(error=error, message="It broke. Mend it.") if error else Answered(text=text)
    result = Result(events=(started, ROUTE, CODE, usage, last), store=STORE)
    return Entry(model=label, label=label, result=result, error=error, message="It broke. Mend it." if error else "", seconds=8.24)


NUMBERS = NumberRow(what="mean", unit="°C", values=("12.4", "11.9", None), differs=(False, True, False))
AGREEMENT = Agreement(verdict="1 of 2 agree: 12.4; gpt says 11.9", agree=False, groups=(("claude",), ("gpt",)), numbers=(NUMBERS,))
THREE = Comparison(
    id="20260101-000000-abcdef",
    question="?",
    files=(),
    entries=(entry("claude", "It is 12.4 °C."), entry("gpt", "It is 11.9 °C, not 111.9.", cost=None), entry("x", error="Refused")),
    agreement=AGREEMENT,
)


def test_the_verdict_the_answers_the_figures_and_where_they_differ() -> None:
    lines = [" ".join(line.split()) for line in answers(THREE, width=80).splitlines()]
    assert lines == [
        "1 of 2 agree: 12.4; gpt says 11.9",
        "",
        "claude",
        "It is 12.4 °C.",
        "",
        "gpt ≠",
        "It is 11.9 °C, not 111.9.",
        "",
        "x",
        "Refused: It broke. Mend it.",
        "",
        "model route steps files tokens cost time",
        "claude native 1 0 4,210 $0.0123 8.2 s",
        "gpt native 1 0 4,210 unknown 8.2 s",
        "x native 1 0 4,210 $0.0123 8.2 s",
        "",
        "Where they differ",
        "mean: claude 12.4 °C · gpt 11.9 °C ≠",
    ]


def test_steps_that_failed_numbers_never_seen_and_how_far_pictures_look_apart_are_told() -> None:
    ran = CodeRan(code_id="c1", exit_code=1)
    checked = Checked(checks=(Check(number="11.9", where="It is 11.9"),))
    second = THREE.entries[1]
    assert second.result is not None
    result = Result(events=(*second.result.events[:3], ran, checked, second.result.events[-1]), store=STORE)
    entries = (THREE.entries[0], dataclasses.replace(second, result=result), THREE.entries[2])
    pictures = FileRow(
        kind="picture", names=("a.png", "b.png", None), same=None, differences=("for the eye",), distances=(0.0, 0.25, None)
    )
    whole = dataclasses.replace(THREE, entries=entries, agreement=Agreement(verdict="", agree=None, files=(pictures,)))
    for width in (60, 100):
        lines = [" ".join(line.split()) for line in answers(whole, width=width).splitlines()]
        assert "! in no output, file or question: 11.9" in lines
        assert "model route steps failed files tokens cost time" in lines
        assert "gpt native 1 1 0 - unknown 8.2 s" in lines
        assert "gpt: looks 0.25 away from claude's, from 0 (the" in "\n".join(lines)


def test_the_figures_stand_below_their_models_where_a_terminal_is_too_narrow_for_a_table() -> None:
    unreached = Entry(model="far", label="far", result=None, error="Unreachable", message="It can't be reached.")
    lines = answers(dataclasses.replace(THREE, entries=(*THREE.entries[:2], unreached)), width=30).splitlines()
    figures = lines[lines.index("Where they differ") - 10 : lines.index("Where they differ") - 1]
    assert figures == [
        *("claude", "  native · steps 1 · files 0 ·", "  tokens 4,210 · cost $0.0123", "  · 8.2 s"),
        *("gpt", "  native · steps 1 · files 0 ·", "  tokens 4,210 · cost unknown", "  · 8.2 s"),
        "far",
    ]


def test_who_says_what_has_a_line_each_where_one_line_is_too_short_for_all() -> None:
    entries = [entry(f"replay:examples/recordings/{name}.jsonl", "5") for name in ("xlsx", "csv")]
    row = NumberRow(what="days", unit="", values=("73", "26"), differs=(False, True))
    tables = FileRow(
        kind="table", names=("a.csv", "a.csv"), same=False, differences=("gpt: B4 is 5092.44, " + "claude has 1 " * 3,)
    )
    whole = dataclasses.replace(
        THREE, entries=tuple(entries), agreement=Agreement(verdict="", agree=False, numbers=(row,), files=(tables,))
    )
    lines = answers(whole, width=50).splitlines()
    assert lines[lines.index("Where they differ") + 1 :] == [
        "  days:",
        "    replay:examples/recordings/xlsx.jsonl 73",
        "    replay:examples/recordings/csv.jsonl 26 ≠",
        "  a.csv",
        "    gpt: B4 is 5092.44, claude has 1 claude has 1",
        "    claude has 1",
    ]
    line = "  days: replay:examples/recordings/xlsx.jsonl 73 · replay:examples/recordings/csv.jsonl 26 ≠"
    assert line in answers(whole, width=len(line)).splitlines()


def test_files_of_which_the_same_is_to_be_told_have_one_line_with_their_count() -> None:
    first = FileRow(kind="table", names=("f0.csv",) * 3, same=False, differences=("gpt: B2 is 1, claude has 2",))
    again = [
        FileRow(kind="table", names=(f"f{n}.csv",) * 3, same=False, differences=("the same differences as in f0.csv",))
        for n in range(1, 31)
    ]
    alone = FileRow(kind="other", names=(None, "z.txt", None), same=None, differences=("only gpt made it",))
    agreement = dataclasses.replace(AGREEMENT, numbers=(), files=(first, *again, alone))
    shown = answers(dataclasses.replace(THREE, agreement=agreement), width=80)
    assert [" ".join(line.split()) for line in shown.split("Where they differ\n")[1].splitlines()] == [
        "f0.csv",
        "gpt: B2 is 1, claude has 2",
        "f1.csv and 29 more",
        "the same differences as in f0.csv",
        "z.txt",
        "only gpt made it",
    ]


def test_only_the_number_that_differs_is_marked_in_the_answer() -> None:
    shown = answers(THREE, width=80, colour=True)
    assert "\x1b[1;31m11.9\x1b[0m °C, not 111.9." in shown
    assert "\x1b" not in answers(THREE, width=80)


@pytest.mark.parametrize("width", [40, 60, 100])
def test_what_others_wrote_fits_and_moves_no_cursor(width: int) -> None:
    hostile = "\x1b[2J\u202e" + "[bold red]" + "word " * 2_000
    files = FileRow(kind="table", names=(hostile, None), same=False, differences=(hostile,) * 50)
    numbers = NumberRow(what=hostile, unit=hostile, values=(hostile, "(1"), differs=(True, True))
    whole = Comparison(
        id="1",
        question=hostile,
        files=(),
        entries=(entry(hostile, hostile), entry("b", "(1 and more")),
        agreement=Agreement(
            verdict=hostile,
            agree=False,
            numbers=(numbers,) * 50,
            files=(files,),
            judged=Judgement(model="j", text=hostile, agree=None),
        ),
    )
    shown = answers(whole, width=width)
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "[bold red]" in shown
    assert "and 30 more numbers" in shown
    assert "and 44 more" in shown
    assert max(len(line) for line in shown.splitlines()) <= max(width, 60)


def failed(*errors: str) -> Comparison:
    entries = tuple(Entry(model="m", label=str(number), error=error, message="") for number, error in enumerate(errors))
    return Comparison(id="1", question="?", files=(), entries=entries, agreement=Agreement(verdict="none", agree=None))


@pytest.mark.parametrize(
    ("found", "fails", "code"),
    [
        (THREE, False, 0),
        (THREE, True, 1),
        (dataclasses.replace(THREE, agreement=Agreement(verdict="", agree=None)), True, 0),
        (failed("MissingKey", "KeyRefused"), False, 3),
        (failed("UnknownModel", "UnknownModel"), False, 2),
        (failed("EngineUnavailable"), False, 4),
        (failed("LimitReached", "LimitReached"), True, 5),
        (failed("MissingKey", "EngineUnavailable"), False, 1),
        (failed("Cancelled", "RuntimeError"), False, 1),
        (None, False, 1),
    ],
)
def test_the_exit_code_is_0_when_anything_answered_else_that_of_the_error_all_had(
    found: Comparison | None, fails: bool, code: int
) -> None:
    assert exit_code(found, fail_on_disagreement=fails) == code


@pytest.mark.parametrize(
    ("model", "lane"),
    [
        ("ollama:qwen3", Lane(HERE, 1)),
        ("vllm:m", Lane(HERE, 1)),
        ("local", Lane(HERE, 1)),
        ("local:small", Lane(HERE, 1)),
        ("far", Lane("sandloop_providers.catalog:ollama http://gpu.example:11434/v1", 4)),
        ("proxy", Lane("sandloop_providers.catalog:compatible http://localhost:4000/v1", 4)),
        ("claude", Lane("sandloop_providers.anthropic:anthropic", 4)),
        ("anthropic:claude-x", Lane("sandloop_providers.anthropic:anthropic", 4)),
        ("gpt", Lane("sandloop_providers.catalog:openai", 4)),
        ("replay:a.jsonl", Lane("sandloop_providers.replay:replay", 4)),
    ],
)
def test_models_on_this_machine_go_one_by_one_and_those_of_one_account_a_few_at_once(
    model: str, lane: Lane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OLLAMA_HOST", raising=False)
    profiles = {
        "far": Profile(provider="ollama", model="m", base_url="http://gpu.example:11434/v1"),
        "proxy": Profile(provider="compatible", model="m", base_url="http://localhost:4000/v1"),
    }
    settings = resolve(Settings(models=profiles), environ={"SANDLOOP_CONFIG": "/dev/null"}, cwd=tmp_path)
    assert lane_of(model, settings) == lane


def test_a_model_that_is_named_twice_is_numbered_on_and_has_a_folder_of_its_own() -> None:
    made = [label for _, _, label in labels(["a", "b:c/d", "a"], 2)]
    assert made == ["a #1", "a #2", "b:c/d #1", "b:c/d #2", "a #3", "a #4"]
    assert folder_name(Entry(model="b", label="b:c/d #2")) == "b_c_d-2"
    assert folder_name(Entry(model="b", label="../../etc")) == "__.._etc"


def test_json_and_back() -> None:
    whole = dataclasses.replace(
        THREE,
        agreement=dataclasses.replace(
            AGREEMENT,
            files=(FileRow(kind="picture", names=("a.png", None, None), same=None, distances=(0.0, None, None)),),
            judged=Judgement(model="j", text="yes", agree=True),
        ),
    )
    again = Comparison.from_json(whole.to_json())
    assert again.agreement == whole.agreement
    assert again.to_json() == whole.to_json()
    assert again.entry("x").error == "Refused"


def changed(change: Callable[[dict[str, Any]], object]) -> str:
    plain = json.loads(THREE.to_json())
    change(plain)
    return json.dumps(plain)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "EOF"),
        ("[]", "object"),
        ("null", "object"),
        ("{}", "required"),
        ("[" * 100_000, "recursion"),
        (changed(lambda p: p.pop("agreement")), "agreement"),
        (changed(lambda p: p.update(entries={})), "entries"),
        (changed(lambda p: p.update(files=[{"name": "a", "size": "big", "mime": "", "sha256": ""}])), "files.0.size"),
        (changed(lambda p: p["entries"][0].update(label="x")), "same label"),
        (changed(lambda p: p["entries"][0].update(seconds=float("nan"))), "no time"),
        (changed(lambda p: p["entries"][0].update(seconds=-1)), "no time"),
        (changed(lambda p: p["entries"][0].update(result=[])), "result"),
        (changed(lambda p: p["entries"][0]["result"].update(events=[{"kind": "nonsense"}])), "not an event"),
        (changed(lambda p: p["entries"][0]["result"].update(content={"../x": ""})), "not a result"),
        (changed(lambda p: p["agreement"]["numbers"][0].update(values=["1"])), "one value for each entry"),
        (changed(lambda p: p["agreement"].update(agree="perhaps")), "agreement.agree"),
    ],
)
def test_what_is_no_comparison_is_refused_with_the_place(text: str, says: str) -> None:
    with pytest.raises(UsageError, match=r"not a comparison that sandloop wrote.*Give the output of Comparison.to_json") as raised:
        Comparison.from_json(text)
    assert says in str(raised.value)
    assert len(str(raised.value)) < 600


@pytest.mark.parametrize(
    ("typed", "offered"),
    [("claud", {"claude"}), ("claude,gp", {"claude,gpt"}), ("a,b,oll", {"a,b,ollama"}), ("claude,nobody", set[str]())],
)
def test_tab_completes_the_last_of_the_models(typed: str, offered: set[str]) -> None:
    assert set(several_models(typed)) == offered
