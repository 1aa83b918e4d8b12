"""The whole of sandloop on the local route: a loopback model, a real container, through the public calls."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from docker_runs import SMALL
from sandloop import AsyncSession, LimitReached, Limits, Session, Settings, analyze
from sandloop.codec import lines
from sandloop.errors import SandboxLost
from sandloop.events import Event, FellBack, FileMade, FilesPreviewed, Noted, Output, RouteChosen
from sandloop.result import Result
from sandloop_sandbox.engine import Engine
from wire.anthropic_script import Failure, Scripted
from wire.anthropic_script import Reply as ClaudeReply
from wire.anthropic_script import call as claude_call
from wire.anthropic_script import python as claude_python
from wire.anthropic_script import text as claude_text
from wire.anthropic_server import AnthropicServer
from wire.chat_server import ChatServer, call, say

FENCED = "I will look.\n\n```python\nimport pandas as pd\ndf = pd.read_csv('a.csv')\nprint(df['b'].sum())\n```\n"
CHART = "import matplotlib.pyplot as plt\nplt.plot(df['a'], df['b'])\nplt.show()"
SETTINGS = Settings(limits=SMALL)


@pytest.fixture(autouse=True)
def settings_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: Engine) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("a,b\n1,10\n2,32\n")
    return path


@pytest.fixture
def serving() -> Iterator[ChatServer]:
    with ChatServer([]) as server:
        yield server


def settings(server: ChatServer, **limits: float) -> Settings:
    return Settings(model="compatible:m", base_url=server.url, limits=replace(SMALL, **limits))  # type: ignore[arg-type]


def test_a_fenced_block_runs_in_the_sandbox_and_its_output_goes_back(serving: ChatServer, csv: Path) -> None:
    serving.script += [say(FENCED), say("The sum is 42.")]
    result = analyze("What is the sum of b?", [csv], settings=settings(serving))
    assert result.text == "The sum is 42."
    (step,) = result.steps
    assert step.ran is not None
    assert (step.ran.stdout, step.ran.exit_code, step.code.origin) == ("42\n", 0, "fenced")
    assert csv.read_text() == "a,b\n1,10\n2,32\n"
    sent = serving.requests[1].json["messages"][-1]["content"]
    assert "Output:\n42" in (sent if isinstance(sent, str) else json.dumps(sent))


def test_the_model_is_told_the_columns_from_inside_the_sandbox(serving: ChatServer, csv: Path) -> None:
    serving.script += [say(FENCED), say("42")]
    result = analyze("What is the sum of b?", [csv], settings=settings(serving))
    (previewed,) = [e for e in result.events if isinstance(e, FilesPreviewed)]
    assert "b" in previewed.previews[0].text
    assert previewed.previews[0].text.strip() in json.dumps(serving.requests[0].json["messages"]).encode().decode("unicode_escape")


def test_a_tool_call_gives_the_same_result_as_a_fenced_block(serving: ChatServer, csv: Path) -> None:
    source = FENCED.split("```python\n")[1].split("\n```")[0]
    serving.script += [call(source), say("The sum is 42."), say(FENCED), say("The sum is 42.")]
    called, fenced = (analyze("What is the sum of b?", [csv], settings=settings(serving)) for _ in range(2))
    assert called.text == fenced.text
    assert [s.ran.stdout for s in called.steps if s.ran] == [s.ran.stdout for s in fenced.steps if s.ran] == ["42\n"]
    assert called.steps[0].code.source.strip() == fenced.steps[0].code.source.strip()
    assert {e.kind for e in fenced.events} <= {e.kind for e in called.events} | {"text"}


def test_an_answer_that_its_own_code_disproves_is_told_number_by_number(serving: ChatServer, csv: Path) -> None:
    code, second = call(FENCED.split("```python\n")[1].split("\n```")[0]), call("open('made.csv', 'w').write('x\\n77')\nNone")
    serving.script += [code, say("The sum is 43, of 2 rows."), second, say("It was 42, and is 77, in 12 parts.")]
    with Session(settings=settings(serving)) as session:
        first = session.ask("What is the sum of b?", [csv])
        later = session.ask("And then?")

    assert [(check.number, check.where) for check in first.checks] == [("43", "The sum is 43, of 2 rows.")]
    assert [check.number for check in later.checks] == ["12"]
    assert Result.from_json(first.to_json()).checks == first.checks


def test_a_second_question_still_has_variables_files_and_conversation(serving: ChatServer, csv: Path) -> None:
    serving.script += [call(FENCED.split("```python\n")[1].split("\n```")[0]), say("42"), call(CHART), say("Here is the chart.")]
    with Session(settings=settings(serving)) as session:
        session.ask("What is the sum of b?", [csv])
        second = session.ask("Draw it.")
    (chart,) = second.files
    assert chart.bytes().startswith(b"\x89PNG")
    assert [s.ran.ok for s in second.steps if s.ran] == [True]
    assert "What is the sum of b?" in json.dumps(serving.requests[2].json)


def test_output_is_live_and_files_come_back_with_their_step(serving: ChatServer, csv: Path) -> None:
    serving.script += [call("import time\nprint('first', flush=True)\ntime.sleep(0.4)\nopen('x/y.txt', 'w')"), say("no")]
    serving.script[0] = call(
        "import os, time\nprint('first', flush=True)\ntime.sleep(0.4)\nos.mkdir('x')\nopen('x/y.txt', 'w').write('hi')"
    )
    seen: list[tuple[float, Event]] = []
    with Session(settings=settings(serving)) as session:
        seen += [(time.monotonic(), event) for event in session.stream("?", [csv])]
        result = session.result
    live_at = next(at for at, e in seen if isinstance(e, Output) and "first" in e.text)
    made_at, made = next((at, e) for at, e in seen if isinstance(e, FileMade))
    assert made_at - live_at > 0.3
    assert result is not None
    assert (made.name, made.code_id, result.files["x/y.txt"].bytes()) == ("x/y.txt", result.steps[0].code.code_id, b"hi")


def test_broken_code_for_ever_ends_with_what_it_has(serving: ChatServer, csv: Path) -> None:
    serving.script += [call("1/0")] * 10
    with pytest.raises(LimitReached) as raised:
        analyze("?", [csv], settings=settings(serving))
    assert raised.value.limit == "same_failures"
    assert raised.value.result is not None
    errors = [s.ran.error for s in raised.value.result.steps if s.ran]
    assert [e.name for e in errors if e] == ["ZeroDivisionError"] * 3


def test_an_answer_without_code_is_sent_back_once(serving: ChatServer, csv: Path) -> None:
    serving.script += [say("I guess 3."), call("print(42)"), say("42")]
    result = analyze("?", [csv], settings=settings(serving))
    assert [e.kind for e in result.events].count("reminded") == 1
    assert result.text == "42"


def test_code_that_never_ends_meets_the_limit_of_the_step_and_the_run_goes_on(serving: ChatServer, csv: Path) -> None:
    serving.script += [call("x = 1\nwhile True: pass"), call("print(x)"), say("1")]
    result = analyze("?", [csv], settings=settings(serving, step_seconds=1))
    first, second = (s.ran for s in result.steps)
    assert first is not None
    assert second is not None
    assert (first.stopped_by, first.state, second.stdout) == ("time", "kept", "1\n")


def test_the_wall_time_of_a_question_stops_even_running_code(serving: ChatServer, csv: Path, ours: Callable[[], set[str]]) -> None:
    serving.script += [call("import time; time.sleep(60)")]
    began = time.monotonic()
    with pytest.raises(LimitReached) as raised:
        analyze("?", [csv], settings=settings(serving, seconds=3))
    assert raised.value.limit == "seconds"
    assert time.monotonic() - began < 10
    wait_until(lambda: not ours())


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not come true in time"
        time.sleep(0.05)


async def test_a_cancelled_question_leaves_no_container(serving: ChatServer, csv: Path, ours: Callable[[], set[str]]) -> None:
    serving.script += [call("print('on', flush=True)\nimport time; time.sleep(60)")]
    running = asyncio.Event()

    async def ask() -> None:
        async with AsyncSession(settings=settings(serving)) as session:
            async for event in session.stream("?", [csv]):
                if isinstance(event, Output):
                    running.set()

    task = asyncio.create_task(ask())
    await asyncio.wait_for(running.wait(), 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(task, 5)
    await asyncio.to_thread(wait_until, lambda: not ours())


def test_a_container_removed_under_our_feet_is_an_error_with_all_that_was_done_and_the_next_question_works(
    serving: ChatServer, csv: Path, engine: Engine, ours: Callable[[], set[str]]
) -> None:
    serving.script += [call("print(1)"), call("print('on', flush=True)\nimport time; time.sleep(60)"), call("print(2)"), say("2")]
    with Session(settings=settings(serving)) as session:
        with pytest.raises(SandboxLost) as raised:  # noqa: PT012 - the removal must happen in the middle of the run
            for event in session.stream("?", [csv]):
                if isinstance(event, Output) and "on" in event.text:
                    for container in ours():
                        engine.client.remove_container(container, force=True)
        assert raised.value.result is not None
        assert [s.ran.stdout for s in raised.value.result.steps if s.ran] == ["1\n"]
        assert session.ask("Again?").text == "2"


def test_eight_threads_at_once_all_get_their_own_answer(csv: Path) -> None:
    answers: dict[int, str] = {}

    def one(number: int) -> None:
        with ChatServer([call(f"print({number} * 2)"), say(f"It is {number * 2}.")]) as server:
            result = analyze("?", [csv], settings=settings(server))
            answers[number] = f"{result.text} {result.steps[0].ran.stdout.strip() if result.steps[0].ran else ''}"

    threads = [threading.Thread(target=one, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert answers == {n: f"It is {n * 2}. {n * 2}" for n in range(8)}


def test_claude_falls_back_in_mid_conversation_with_its_text_code_and_files(csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script: list[Scripted] = [
        ClaudeReply([claude_text("I look. "), *claude_python("print(7)", "7\n")], stop="pause_turn"),
        Failure(400, message="tools.0: this model does not support code_execution_20260521"),
        ClaudeReply([claude_call("python", {"code": "print(open('a.csv').read())"}, "toolu_1")], stop="tool_use"),
        ClaudeReply([claude_text("Done.")]),
    ]
    with AnthropicServer(script) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
        result = analyze("?", [csv], model="claude", settings=SETTINGS)
        went_on = json.dumps(server.replies_asked[2])
        assert server.files == {}
    assert [e.route for e in result.events if isinstance(e, RouteChosen)] == ["native", "local"]
    assert len([e for e in result.events if isinstance(e, FellBack)]) == 1
    assert result.text == "Done."
    assert [s.ran.stdout for s in result.steps if s.ran] == ["7\n", "a,b\n1,10\n2,32\n\n"]
    (previewed,) = [e for e in result.events if isinstance(e, FilesPreviewed)]
    for kept in ("I look.", "print(7)", "is gone", json.dumps(previewed.previews[0].text.strip())[1:-1]):
        assert kept in went_on


def test_a_recording_answers_and_its_code_runs_for_real(serving: ChatServer, csv: Path, tmp_path: Path) -> None:
    serving.script += [say(FENCED), say("The sum is 42.")]
    recorded = analyze("What is the sum of b?", [csv], settings=settings(serving))
    (tmp_path / "events.jsonl").write_text("".join(lines(recorded.events)))
    same = analyze("What is the sum of b?", [csv], model=f"replay:{tmp_path}", limits=SMALL)
    assert (same.text, same.steps[0].ran and same.steps[0].ran.stdout) == ("The sum is 42.", "42\n")
    assert not [e for e in same.events if isinstance(e, Noted) and e.about == "replay"]
    csv.write_text("a,b\n1,1\n")
    other = analyze("What is the sum of b?", [csv], model=f"replay:{tmp_path}", limits=SMALL)
    (note,) = [e for e in other.events if isinstance(e, Noted) and e.about == "replay"]
    assert "-42\n+1" in note.text


def test_more_files_than_the_limit_are_named_and_left(serving: ChatServer, csv: Path) -> None:
    serving.script += [call("for i in range(5): open(f'{i}.txt', 'w').write(str(i))"), say("5 files")]
    result = analyze("?", [csv], settings=settings(serving, files=3))
    assert len(result.files) == 3
    assert any(isinstance(e, Noted) and "2 more files" in e.text for e in result.events)


def test_an_empty_question_of_files_needs_no_code(serving: ChatServer) -> None:
    serving.script += [say("Hello.")]
    assert analyze("Say hello", settings=settings(serving)).text == "Hello."


def test_limits_are_told_in_the_error(serving: ChatServer, csv: Path) -> None:
    serving.script += [call("print(1)")] * 3
    with pytest.raises(LimitReached, match=r"Limits\.code_runs"):
        analyze("?", [csv], settings=replace(settings(serving), limits=Limits(code_runs=1)))


def test_files_over_their_number_and_size_are_named_and_the_rest_come_back(serving: ChatServer, csv: Path) -> None:
    source = "for i in range(5): open(f'{i}.txt', 'w').write('x')\nopen('0.bin', 'wb').write(bytes(2_000_000))"
    serving.script += [say(f"```python\n{source}\n```"), say("Done.")]
    result = analyze("Make files.", [csv], settings=settings(serving, files=4, file_bytes=1_000_000))

    notes = [event.text for event in result.events if isinstance(event, Noted) and event.about == "file"]
    assert sorted(file.name for file in result.files) == ["0.txt", "1.txt", "2.txt"]
    assert any("0.bin was not brought back" in note and "Limits.file_bytes" in note for note in notes)
    assert any("2 more files were not brought back: over Limits.files = 4" in note for note in notes)
