"""What makes a run new, and what does not."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandloop.errors import UnknownModel, UsageError
from sandloop.events import InputFile
from sandloop.limits import Limits
from sandloop.options import SandboxOptions
from sandloop.settings import Profile, Settings
from sandloop.suite import Expectation, Question, Suite, SuiteModel
from sandloop.suite.chosen import check_size, chosen_models, chosen_questions, page_name, results_folder
from sandloop.suite.kept import Asked, Kept
from sandloop.suite.new import expected_hash, key_of, way_of

FILE = InputFile(name="a.csv", size=3, mime="text/csv", sha256="0" * 64)
QUESTION = Question(id="q", group="q", text="What?")
SUITE = Suite(path=Path("s.yaml"), questions=(QUESTION,))
PROFILE = Profile(provider="claude", model="m", base_url="http://127.0.0.1:9", key_variable="A", parameters={"temperature": 0})
SETTINGS = Settings(models={"p": PROFILE})


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", os.devnull)
    monkeypatch.chdir(tmp_path)


def key(**changed: Any) -> str:
    with_: dict[str, Any] = {"model": SuiteModel(model="p"), "suite": SUITE, "settings": SETTINGS, "limits": {}, **changed}
    way = way_of(with_["model"], with_["suite"], with_["settings"], with_["limits"])
    return key_of(with_.get("question", QUESTION), with_.get("files", [FILE]), way)


def profile(**changed: Any) -> Settings:
    return Settings(models={"p": replace(PROFILE, **changed)})


@pytest.mark.parametrize(
    "changed",
    [
        {"question": replace(QUESTION, text="What else?")},
        {"files": [replace(FILE, sha256="1" * 64)]},
        {"files": [replace(FILE, name="b.csv")]},
        {"files": []},
        {"model": SuiteModel(model="claude")},
        {"model": SuiteModel(model="p", route="local")},
        {"model": SuiteModel(model="p", limits={"turns": 3})},
        {"suite": replace(SUITE, route="local")},
        {"suite": replace(SUITE, limits={"seconds": 3})},
        {"suite": replace(SUITE, packages=("polars",))},
        {"limits": {"seconds": 3}},
        {"settings": profile(model="n")},
        {"settings": profile(base_url="http://127.0.0.1:8")},
        {"settings": profile(parameters={"temperature": 1})},
        {"settings": profile(route="local")},
        {"settings": replace(SETTINGS, preview=False)},
        {"settings": replace(SETTINGS, show_pictures=False)},
        {"settings": replace(SETTINGS, sandbox=SandboxOptions(engine="bubblewrap"))},
        {"settings": replace(SETTINGS, sandbox=SandboxOptions(unsafe_network=True))},
        {"settings": replace(SETTINGS, sandbox=SandboxOptions(unsafe_mounts=("/data:/data",)))},
    ],
    ids=lambda changed: ", ".join(changed),
)
def test_what_could_change_the_answer_makes_it_new(changed: dict[str, Any]) -> None:
    assert key(**changed) != key()


@pytest.mark.parametrize(
    "changed",
    [
        {"question": replace(QUESTION, id="other", group="other", note="x")},
        {"question": replace(QUESTION, expected=(Expectation(kind="equals", of=("4",)),))},
        {"settings": profile(key_variable="ANOTHER")},
        {"settings": replace(SETTINGS, runs="off")},
        {"settings": replace(SETTINGS, sandbox=SandboxOptions(warm="off", pool=3))},
        {"suite": replace(SUITE, repeat=5, description="x")},
        {"suite": replace(SUITE, limits={"seconds": Limits().seconds})},
    ],
    ids=lambda changed: ", ".join(changed),
)
def test_what_could_not_does_not(changed: dict[str, Any]) -> None:
    assert key(**changed) == key()


def test_files_count_in_any_order() -> None:
    other = replace(FILE, name="b.csv")
    assert key(files=[FILE, other]) == key(files=[other, FILE])


def test_other_expectations_are_judged_again() -> None:
    wanted = replace(QUESTION, expected=(Expectation(kind="equals", of=("4",)),))
    assert len({expected_hash(QUESTION), expected_hash(wanted), expected_hash(replace(wanted, variables={"a": 1}))}) == 3
    assert expected_hash(replace(wanted, note="x")) == expected_hash(wanted)


def test_the_call_wins_over_the_model_that_over_the_suite_that_over_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SANDLOOP_TURNS", "7")
    suite = replace(SUITE, route="native", limits={"seconds": 1, "code_runs": 2, "tokens": 3})
    model = SuiteModel(model="p", route="local", limits={"code_runs": 4, "tokens": 5})
    way = way_of(model, suite, SETTINGS, {"tokens": 6})

    assert (way.limits.turns, way.limits.seconds, way.limits.code_runs, way.limits.tokens) == (7, 1, 4, 6)
    assert way.route == "local"
    assert way_of(model, suite, replace(SETTINGS, route="auto"), {}).route == "auto"
    assert way_of(model, suite, replace(SETTINGS, limits=Limits(seconds=9)), {}).limits == Limits(seconds=9)


def test_the_facts_of_a_model_hold_no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A", "the-secret-itself")
    facts = way_of(SuiteModel(model="p"), SUITE, SETTINGS, {}).facts
    assert "the-secret-itself" not in facts
    assert '"temperature": 0' in facts


def test_a_recording_that_changed_is_another_model(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    path.write_text("{}")
    model = SuiteModel(model=f"replay:{path}")
    before = key(model=model)
    assert key(model=model) == before
    path.write_text("{} ")
    assert key(model=model) != before


@pytest.mark.parametrize("named", ["run", "20261128-081633-5005d5", "2026", "last"])
def test_a_recording_in_a_folder_that_changed_is_another_model(tmp_path: Path, named: str) -> None:
    runs = tmp_path / "runs"
    settings = replace(SETTINGS, runs=str(runs))
    folder = tmp_path / "run" if named == "run" else runs / "20261128-081633-5005d5"
    folder.mkdir(parents=True)
    (folder / "events.jsonl").write_text("{}")
    model = SuiteModel(model=f"replay:{named}")
    before = key(model=model, settings=settings)
    assert key(model=model, settings=settings) == before
    (folder / "events.jsonl").write_text("{} ")
    assert key(model=model, settings=settings) != before


def test_a_recording_is_the_same_model_wherever_it_is(tmp_path: Path) -> None:
    for name in ("one.jsonl", "other.jsonl"):
        (tmp_path / name).write_text("{}")
    assert key(model=SuiteModel(model="replay:one.jsonl")) == key(model=SuiteModel(model=f"replay:{tmp_path}/other.jsonl"))


def test_a_model_that_nobody_offers_is_known_before_anything_is_asked() -> None:
    with pytest.raises(UnknownModel, match="'cluade'"):
        way_of(SuiteModel(model="cluade"), SUITE, Settings(), {})


def test_what_is_run_is_what_the_call_names() -> None:
    suite = replace(SUITE, models=(SuiteModel(model="a", route="local"), SuiteModel(model="b")))
    assert chosen_models(suite, (), Settings(model="c")) == suite.models
    assert chosen_models(suite, ("c", "a", "a"), Settings()) == (SuiteModel(model="c"), SuiteModel(model="a", route="local"))
    assert chosen_models(SUITE, (), Settings(model="c")) == (SuiteModel(model="c"),)

    questions = tuple(Question(id=i, group=g, text="?") for i, g in (("a[x=1]", "a"), ("a[x=2]", "a"), ("b", "b")))
    suite = replace(SUITE, questions=questions)
    assert [q.id for q in chosen_questions(suite, ("a",))] == ["a[x=1]", "a[x=2]"]
    assert [q.id for q in chosen_questions(suite, ("b", "a[x=2]"))] == ["a[x=2]", "b"]
    assert chosen_questions(suite, ()) == questions
    with pytest.raises(UsageError, match=r"has no question 'a\[x=3\]'. Did you mean 'a\[x="):
        chosen_questions(suite, ("a[x=3]",))


def test_more_runs_than_anybody_means_are_refused() -> None:
    check_size(5, 1000, 1, None)
    with pytest.raises(UsageError, match="5001 runs"):
        check_size(3, 1667, 1, None)
    with pytest.raises(UsageError, match="repeat is 0"):
        check_size(1, 1, 0, None)
    with pytest.raises(UsageError, match="concurrency is 0"):
        check_size(1, 1, 1, 0)


def test_every_question_has_a_page_of_its_own_that_stays_in_the_folder() -> None:
    names = [page_name(i) for i in ("a", "a[x=1/2]", "a[x=1:2]", "a[x=../../etc]", "con", "é" * 200, "é" * 201)]
    assert names[0] == "reports/a.html"
    assert len(set(names)) == len(names)
    for name in names:
        assert name.startswith("reports/")
        assert name.count("/") == 1
    assert results_folder(replace(SUITE, path=Path("x/s.yaml"))) == Path("x/s-results")


def test_a_run_is_remembered_and_what_is_no_memory_is_none(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "results")
    kept.open()
    asked = Asked(run="20261127-101500-abcdef", seconds=1.5, at="x")
    kept.keep("k", 2, asked)

    assert kept.asked("k", 2) == asked
    assert kept.asked("k", 1) is None
    path = kept.folder / "asked/k-2.json"
    for text in ("", "{", "[]", "{}", '{"run": 3}', '{"run": "x", "seconds": "y"}', "[" * 100_000):
        path.write_text(text)
        assert kept.asked("k", 2) is None
    assert kept.result("20261127-101500-abcdef") is None
    assert kept.result("../../etc/passwd") is None


def test_an_outcome_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    assert kept.before() == {}
    bad: list[Callable[[], str]] = [lambda: "x", lambda: "[]", lambda: "{}", lambda: '{"questions": [{"id": 1}]}']
    for text in bad:
        (tmp_path / "results.json").write_text(text())
        assert kept.before() == {}


def test_an_outcome_that_is_a_pipe_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "results.json")
    assert Kept(tmp_path).before() == {}


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=r"can't be kept in .*file: .* Name another folder with -o"):
        Kept(tmp_path / "file").open()


@pytest.mark.parametrize("name", ["asked", "runs", "reports", "results.json", "report.html"])
def test_a_link_in_the_folder_is_not_followed(tmp_path: Path, name: str) -> None:
    (tmp_path / "of the user").write_text("mine")
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / name).symlink_to(tmp_path / "of the user")
    with pytest.raises(UsageError, match="is a link, so nothing was written there"):
        Kept(tmp_path / "results").open()
    assert (tmp_path / "of the user").read_text() == "mine"
