"""A compare file over loopback servers: only what is new is asked, what is kept is judged, and no answer is lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from sandloop import codec
from sandloop.events import Event, ReplyEnded, Text
from sandloop.settings import Profile, Settings
from sandloop.suite import SuiteOutcome, arun_suite
from wire.anthropic_script import Failure, Hold, Made, Reply, Scripted, python, text
from wire.anthropic_server import AnthropicServer

SANDLOOP = str(Path(sys.executable).with_name("sandloop"))
KEY = "a-secret-key-of-the-user"
SUITE = """\
models: [one]
questions:
  - id: first
    question: What is the first?
    files: [a.csv]
    expected: [{approx: 1, tolerance: 0}]
  - id: second
    question: What is the second?
    files: [b.csv]
    expected: [{approx: 2, tolerance: 0, name: the second}, {makes: "*.png"}]
"""


def answer(said: str) -> Reply:
    return Reply([*python("print(3)", "3\n", made=[Made("chart.png", b"\x89PNG\r\n\x1a\n")]), text(said)])


def asked(server: AnthropicServer) -> int:
    """How many replies were asked for."""
    return sum(request.method == "POST" and request.path.startswith("/v1/messages") for request in server.requests)


@pytest.fixture
def server() -> Iterator[AnthropicServer]:
    with AnthropicServer(key=KEY, models={"test-model": True}) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SANDLOOP_CONFIG", os.devnull)
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    monkeypatch.setenv("KEY_OF_TEST", KEY)
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text(f"{name[0]}\n1\n")
    (tmp_path / "suite.yaml").write_text(SUITE)
    return tmp_path


async def run(server: AnthropicServer, *script: Scripted, **more: Any) -> SuiteOutcome:
    """The suite once, the server answering with the script."""
    server.script[:] = script
    profile = Profile(provider="claude", model="test-model", base_url=server.url, key_variable="KEY_OF_TEST")
    settings = Settings(models=dict.fromkeys(("one", "two"), profile))
    options: dict[str, Any] = {"settings": settings, "concurrency": 1, **more}
    return await arun_suite("suite.yaml", **options)


def statuses(outcome: SuiteOutcome) -> list[tuple[str, str, bool]]:
    return [(v.question, v.status, v.asked) for v in outcome.verdicts]


async def test_a_second_run_asks_nothing_and_comes_to_the_same(server: AnthropicServer, folder: Path) -> None:
    first = await run(server, answer("It is 1."), answer("It is 3."))
    assert statuses(first) == [("first", "passed", True), ("second", "failed", True)]
    assert [o.sentence for o in first.verdicts[1].failed] == ["the second: expected the number 2, found 3"]
    requests = len(server.requests)
    second = await run(server)

    assert statuses(second) == [("first", "passed", False), ("second", "failed", False)]
    assert len(server.requests) == requests
    for before, after in zip(first.verdicts, second.verdicts, strict=True):
        assert (before.run, before.answer, before.outcomes, before.seconds) == (
            after.run,
            after.answer,
            after.outcomes,
            after.seconds,
        )
    for name in ("first", "second"):
        assert (folder / f"suite-results/reports/{name}.html").is_file()


async def test_only_a_question_whose_file_or_text_changed_is_asked_again(server: AnthropicServer, folder: Path) -> None:
    await run(server, answer("It is 1."), answer("It is 2."))
    (folder / "b.csv").write_text("b\n5\n")
    assert statuses(await run(server, answer("It is 2."))) == [("first", "passed", False), ("second", "passed", True)]
    (folder / "suite.yaml").write_text(SUITE.replace("What is the first?", "Which is the first?"))
    assert statuses(await run(server, answer("It is 1."))) == [("first", "passed", True), ("second", "passed", False)]
    assert asked(server) == 4


async def test_other_expectations_are_held_against_kept_answers(server: AnthropicServer, folder: Path) -> None:
    await run(server, answer("It is 1."), answer("It is 2."))
    (folder / "suite.yaml").write_text(SUITE.replace("approx: 1", "approx: 7").replace("*.png", "chart.*"))
    assert statuses(await run(server)) == [("first", "failed", False), ("second", "passed", False)]
    assert asked(server) == 2


async def test_what_failed_or_all_is_asked_again_when_that_is_wanted(server: AnthropicServer, folder: Path) -> None:
    await run(server, answer("It is 1."), answer("It is 3."))
    failed = await run(server, answer("It is 2."), rerun="failed")
    assert statuses(failed) == [("first", "passed", False), ("second", "passed", True)]
    assert statuses(await run(server, rerun="failed")) == [("first", "passed", False), ("second", "passed", False)]
    again = await run(server, answer("It is 1."), answer("It is 2."), rerun="all")
    assert statuses(again) == [("first", "passed", True), ("second", "passed", True)]
    assert asked(server) == 5


async def test_a_run_that_is_gone_is_made_again(server: AnthropicServer, folder: Path) -> None:
    first = await run(server, answer("It is 1."), answer("It is 2."))
    shutil.rmtree(folder / "suite-results/runs" / first.verdicts[0].run)
    (folder / "suite-results/results.json").unlink()
    assert statuses(await run(server, answer("It is 1."))) == [("first", "passed", True), ("second", "passed", False)]


async def test_an_error_is_no_answer_and_the_run_is_made_again(server: AnthropicServer, folder: Path) -> None:
    first = await run(server, Failure(529, "overloaded_error"), answer("It is 2."))
    assert statuses(first) == [("first", "error", True), ("second", "passed", True)]
    assert first.verdicts[0].error == "Overloaded"
    assert statuses(await run(server, answer("It is 1."))) == [("first", "passed", True), ("second", "passed", False)]


async def test_a_refused_key_is_not_tried_with_each_question(server: AnthropicServer, folder: Path) -> None:
    refusal = Failure(401, "authentication_error", "bad key", times=9)
    await run(server, refusal, only=["first"])
    requests = len(server.requests)
    outcome = await run(server, refusal)
    assert [(v.status, v.error) for v in outcome.verdicts] == [("error", "KeyRefused")] * 2
    assert len(server.requests) == 2 * requests


async def test_a_missing_key_stops_no_other_model(server: AnthropicServer, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    outcome = await run(server, answer("It is 1."), answer("It is 2."), models=["claude", "one"])
    assert [(v.model, v.status, v.error) for v in outcome.verdicts] == [
        ("claude", "error", "MissingKey"),
        ("one", "passed", ""),
    ] * 2
    assert statuses(await run(server, models=["one"])) == [("first", "passed", False), ("second", "passed", False)]


async def test_a_refusal_of_the_model_is_a_failure_that_is_kept(server: AnthropicServer, folder: Path) -> None:
    outcome = await run(server, Reply([text("No.")], stop="refusal"), answer("It is 2."))
    assert (outcome.verdicts[0].status, outcome.verdicts[0].error) == ("failed", "Refused")
    again = await run(server)
    assert (again.verdicts[0].status, again.verdicts[0].error, again.verdicts[0].asked) == ("failed", "Refused", False)


async def test_repeats_are_runs_of_their_own_and_one_more_asks_one_more(server: AnthropicServer, folder: Path) -> None:
    two = await run(server, answer("It is 1."), answer("It is 3."), repeat=2, only=["first"])
    assert sorted((v.label, v.status) for v in two.verdicts) == [("one #1", "passed"), ("one #2", "failed")]
    three = await run(server, answer("It is 1."), repeat=3, only=["first"])
    assert [v.asked for v in three.verdicts] == [False, False, True]


async def test_answers_of_several_models_are_held_against_each_other(server: AnthropicServer, folder: Path) -> None:
    outcome = await run(server, answer("The first is 1."), answer("The first is 3."), models=["one", "two"], only=["first"])
    (question,) = outcome.questions
    assert question.agree is False
    assert question.agreement
    page = (folder / "suite-results" / question.report).read_text()
    assert "The first is 3." in page
    again = (await run(server, models=["one", "two"], only=["first"])).questions[0]
    assert (again.agree, again.agreement, again.report) == (False, question.agreement, question.report)


async def test_answers_are_compared_again_where_it_is_to_be_done_in_another_way(server: AnthropicServer, folder: Path) -> None:
    said = [answer("The mean is 100.0 mm."), answer("The mean is 101.0 mm.")]
    two: dict[str, Any] = {"models": ["one", "two"], "only": ["first"]}
    assert (await run(server, *said, **two)).questions[0].agree is False
    assert (await run(server, **two, tolerance=0.1)).questions[0].agree is True
    assert (await run(server, **two)).questions[0].agree is False


async def test_a_judge_may_be_a_profile_and_is_asked_once(server: AnthropicServer, folder: Path) -> None:
    said = [answer("The first is 1."), answer("The first is 3."), Reply([text("AGREE: no, they differ.")])]
    two: dict[str, Any] = {"models": ["one", "two"], "only": ["first"], "judge": "one"}
    (question,) = (await run(server, *said, **two)).questions
    assert "AGREE: no, they differ." in (folder / "suite-results" / question.report).read_text()
    assert (await run(server, **two)).questions[0].report == question.report
    assert asked(server) == 3


async def test_answers_that_could_not_be_compared_are_compared_the_next_time(
    server: AnthropicServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("no room")

    two: dict[str, Any] = {"models": ["one", "two"], "only": ["first"]}
    with monkeypatch.context() as patch:
        patch.setattr("sandloop.comparing.agreement.agreement", broken)
        (question,) = (await run(server, answer("The first is 1."), answer("The first is 3."), **two)).questions
    assert (question.agree, question.agreement) == (None, "the answers could not be compared: RuntimeError: no room")
    assert (await run(server, **two)).questions[0].agree is False


async def test_a_folder_of_any_name_holds_the_suite_and_its_files(server: AnthropicServer, folder: Path) -> None:
    odd = folder / "[ab]*"
    odd.mkdir()
    (odd / "suite.yaml").write_text(SUITE.replace("[a.csv]", '["a*.csv"]'))
    for name in ("a.csv", "b.csv"):
        (folder / name).rename(odd / name)
    server.script[:] = [answer("It is 1."), answer("It is 2.")]
    profile = Profile(provider="claude", model="test-model", base_url=server.url, key_variable="KEY_OF_TEST")
    outcome = await arun_suite(odd / "suite.yaml", settings=Settings(models={"one": profile}), concurrency=1)
    assert outcome.all_as_expected


async def test_a_page_that_is_a_link_is_replaced_and_not_followed(server: AnthropicServer, folder: Path) -> None:
    (folder / "mine").write_text("mine")
    (folder / "suite-results/reports").mkdir(parents=True)
    (folder / "suite-results/reports/first.html").symlink_to(folder / "mine")
    await run(server, answer("It is 1."), only=["first"])
    assert (folder / "mine").read_text() == "mine"
    assert "It is 1." in (folder / "suite-results/reports/first.html").read_text()


async def test_no_key_is_in_what_is_left(server: AnthropicServer, folder: Path) -> None:
    await run(server, answer("It is 1."), answer("It is 3."))
    left = [path for path in (folder / "suite-results").rglob("*") if path.is_file()]
    assert len(left) > 8
    assert not any(KEY.encode() in path.read_bytes() for path in left)


def command(folder: Path, server: AnthropicServer, *arguments: str) -> list[str]:
    (folder / "config.toml").write_text(
        f'[models.one]\nprovider = "claude"\nmodel = "test-model"\nbase_url = "{server.url}"\nkey_variable = "KEY_OF_TEST"\n'
    )
    return [SANDLOOP, "compare", "-f", "suite.yaml", *arguments]


def environment(folder: Path) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if k in ("PATH", "LANG", "PYTHONPATH", "DOCKER_HOST", "KEY_OF_TEST")}
    return kept | {"HOME": str(folder), "SANDLOOP_CONFIG": str(folder / "config.toml"), "SANDLOOP_RUNS": "off"}


def sandloop(folder: Path, server: AnthropicServer, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(folder, server, *arguments),
        cwd=folder,
        env=environment(folder) | variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_shows_the_verdicts_and_ends_with_whether_all_is_as_expected(server: AnthropicServer, folder: Path) -> None:
    server.script += [answer("It is 1."), answer("It is 3.")]
    done = sandloop(folder, server, "--concurrency", "1", "-o", "out", "--junit", "ci/junit.xml")
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[0] == "1 of 2 runs as expected: 1 model on 2 questions."
    assert "the second: expected the number 2, found 3" in done.stdout
    assert "first, one" in done.stderr
    assert "saved out: report.html, results.json, and the runs" in done.stderr
    assert {path.name for path in (folder / "out").iterdir()} == {"asked", "reports", "report.html", "results.json", "runs"}
    document = ElementTree.parse(folder / "ci/junit.xml").getroot()
    assert [document.get(name) for name in ("tests", "failures", "errors")] == ["2", "1", "0"]

    server.script += [answer("It is 2.")]
    done = sandloop(folder, server, "-o", "out", "--rerun", "failed", "--json")
    assert done.returncode == 0, done.stderr
    plain = json.loads(done.stdout)
    assert plain["models"][0]["passed"] == 2
    assert json.loads((folder / "out/results.json").read_text()) == plain
    assert asked(server) == 3


def test_a_kept_run_of_the_user_is_a_model_of_a_suite(server: AnthropicServer, folder: Path) -> None:
    """Its recording is found, and all that is missing here is the sandbox."""
    reply: list[Event] = [Text(text="It is 1."), ReplyEnded(stop="end", text="It is 1.", model="m", family="f")]
    kept = folder / "runs/20261128-081633-5005d5"
    kept.mkdir(parents=True)
    (kept / "events.jsonl").write_text("".join(codec.to_json(event) + "\n" for event in reply))
    (folder / "suite.yaml").write_text(SUITE.replace("[one]", "['replay:last', 'replay:20261128']"))
    done = sandloop(folder, server, "--json", SANDLOOP_RUNS=str(folder / "runs"))
    assert {v["error"] for q in json.loads(done.stdout)["questions"] for v in q["verdicts"]} == {"EngineUnavailable"}


@pytest.mark.parametrize(
    ("arguments", "suite", "says"),
    [
        (["--rerun", "faild"], SUITE, "--rerun is 'faild'. Did you mean 'failed'?"),
        (["--only", "frist"], SUITE, "has no question 'frist'. Did you mean 'first'?"),
        (["-m", "cluade"], SUITE, "no model or provider 'cluade'"),
        (["--repeat", "0"], SUITE, "repeat is 0"),
        (["--tolerance", "nan"], SUITE, "tolerance is nan, and must be from 0 up to 1"),
        (["-m", ""], SUITE, "-m was given without a name"),
        (["--only", " ,"], SUITE, "--only was given without a name"),
        (["--html", "x.html"], SUITE, "--html was given beside the compare file"),
        (["-o", "a.csv"], SUITE, "is not a folder"),
        ([], SUITE.replace("a.csv", "none.csv"), "none.csv' does not exist"),
        ([], SUITE.replace("approx", "aprox", 1), "suite.yaml, line 6: questions[1].expected[1].aprox does not exist"),
        ([], "- x", "suite.yaml, line 1: the file is no table"),
    ],
)
def test_bad_input_is_a_sentence_and_nothing_is_left_behind(
    server: AnthropicServer, folder: Path, arguments: list[str], suite: str, says: str
) -> None:
    (folder / "suite.yaml").write_text(suite)
    before = sorted({*folder.iterdir(), folder / "config.toml"})
    done = sandloop(folder, server, *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert sorted(folder.iterdir()) == before
    assert server.requests == []


def test_a_page_of_the_whole_that_is_a_link_is_refused(server: AnthropicServer, folder: Path) -> None:
    (folder / "mine").write_text("mine")
    (folder / "suite-results").mkdir()
    (folder / "suite-results/report.html").symlink_to(folder / "mine")
    done = sandloop(folder, server)
    assert (done.returncode, done.stdout) == (2, "")
    assert "report.html is a link, so nothing was written there" in done.stderr
    assert (folder / "mine").read_text() == "mine"
    assert server.requests == []


def test_what_was_done_before_a_signal_is_kept_and_not_asked_again(server: AnthropicServer, folder: Path) -> None:
    hold = Hold()
    server.script += [answer("It is 1."), Reply([text("It "), hold, text("is 2.")])]
    with subprocess.Popen(
        command(folder, server, "--concurrency", "1"),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert hold.reached.wait(30)
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=20)
    hold.go.set()
    assert process.returncode == 130, stderr
    assert "Traceback" not in stderr
    assert stdout.splitlines()[0] == "1 of 2 runs as expected: 1 model on 2 questions."
    results = json.loads((folder / "suite-results/results.json").read_text())
    assert [v["status"] for q in results["questions"] for v in q["verdicts"]] == ["passed", "not_run"]
    assert server.files == {}

    server.script[:] = [answer("It is 2.")]
    done = sandloop(folder, server)
    assert done.returncode == 0, done.stderr
    assert asked(server) == 3


def test_a_process_that_is_killed_loses_no_answer_that_was_there(server: AnthropicServer, folder: Path) -> None:
    hold = Hold()
    server.script += [answer("It is 1."), Reply([text("It "), hold, text("is 2.")])]
    with subprocess.Popen(
        command(folder, server, "--concurrency", "1"),
        cwd=folder,
        env=environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        assert hold.reached.wait(30)
        process.kill()
    hold.go.set()
    server.script[:] = [answer("It is 2.")]
    done = sandloop(folder, server)
    assert done.returncode == 0, done.stderr
    assert asked(server) == 3
