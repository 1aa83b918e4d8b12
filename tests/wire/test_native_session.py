"""The whole of sandloop on the native route, over a loopback Claude: sessions, both faces, failures, clean-up."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandloop import AsyncSession, LimitReached, Limits, Session, aanalyze, analyze, stream
from sandloop.errors import KeyRefused, NativeUnavailable, Refused, UsageError
from sandloop.events import Answered, CodeRan, CodeWritten, Failed, FileMade, RouteChosen, RunStarted
from wire.anthropic_script import Failure, Hold, Made, Reply, python, text
from wire.anthropic_server import AnthropicServer

PNG = b"\x89PNG\r\n\x1a\nchart"
ANSWERED = Reply([text("I look. "), *python("print(3)", "3\n", made=[Made("chart.png", PNG)]), text("It is 3.")])


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n2\n")
    return path


@pytest.fixture(autouse=True)
def settings_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.chdir(tmp_path)
    return


@pytest.fixture
def claude(monkeypatch: pytest.MonkeyPatch) -> Iterator[AnthropicServer]:
    with AnthropicServer() as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", server.key)
        yield server


def test_analyze_gives_answer_code_output_and_files_and_leaves_nothing_behind(claude: AnthropicServer, csv: Path) -> None:
    claude.script.append(ANSWERED)
    result = analyze("How many?", [csv], model="claude")
    assert result.text == "It is 3."
    assert result.route is not None
    assert (result.route.route, result.route.provider) == ("native", "anthropic")
    assert "runs the code itself" in result.route.reason
    (step,) = result.steps
    assert step.ran is not None
    assert (step.code.source, step.ran.stdout, step.code.origin) == ("print(3)", "3\n", "provider")
    assert result.files["chart.png"].bytes() == PNG
    assert result.usage.input_tokens == 100
    assert result.estimated_container_cost == pytest.approx(0.05 / 12)  # five minutes are billed at least
    assert claude.files == {}
    assert len(claude.deleted) == 2


async def test_it_works_inside_a_running_loop_and_the_twin_gives_the_same(claude: AnthropicServer, csv: Path) -> None:
    claude.script += [ANSWERED, ANSWERED]
    inside = analyze("How many?", [csv], model="claude")
    twin = await aanalyze("How many?", [csv], model="claude")
    assert [e.kind for e in inside.events] == [e.kind for e in twin.events]
    assert (inside.text, inside.files[0].sha256) == (twin.text, twin.files[0].sha256)


def test_the_events_come_in_order(claude: AnthropicServer, csv: Path) -> None:
    claude.script.append(ANSWERED)
    events = list(stream("How many?", [csv], model="claude"))
    order = [e for e in events if isinstance(e, RunStarted | RouteChosen | CodeWritten | CodeRan | FileMade | Answered)]
    assert [e.kind for e in order] == ["run_started", "route_chosen", "code_written", "code_ran", "file_made", "answered"]


def test_a_second_question_keeps_files_container_and_conversation(claude: AnthropicServer, csv: Path) -> None:
    claude.script += [ANSWERED, Reply([*python("print(x)", "3\n"), text("Still 3.")])]
    with Session("claude") as session:
        first = session.ask("How many?", [csv])
        second = session.ask("And now?")
    assert (first.text, second.text) == ("It is 3.", "Still 3.")
    assert next(e.kind for e in second.events) == "run_started"
    bodies = [r.json for r in claude.asked("POST", "/v1/messages")]
    assert bodies[1]["container"]
    assert len(bodies[1]["messages"]) == 3
    assert len(claude.asked("POST", "/v1/files")) == 1
    assert claude.files == {}


def test_a_paused_turn_goes_on(claude: AnthropicServer, csv: Path) -> None:
    claude.script += [Reply([*python("print(1)", "1\n")], stop="pause_turn"), Reply([text("One.")])]
    assert analyze("?", [csv], model="claude").text == "One."


def test_a_limit_ends_the_run_with_what_it_has(claude: AnthropicServer, csv: Path) -> None:
    claude.script += [Reply([*python("print(1)", "1\n")], stop="pause_turn")] * 3
    with pytest.raises(LimitReached) as raised:
        analyze("?", [csv], model="claude", limits=Limits(turns=2))
    assert raised.value.limit == "turns"
    assert raised.value.result is not None
    assert len(raised.value.result.steps) == 2
    assert isinstance(raised.value.result.events[-1], Failed)
    assert claude.files == {}


def test_a_model_that_hangs_meets_the_limit_of_seconds(claude: AnthropicServer, csv: Path) -> None:
    hold = Hold()
    claude.script.append(Reply([text("Wait"), hold, text(".")]))
    with pytest.raises(LimitReached) as raised:
        analyze("?", [csv], model="claude", limits=Limits(seconds=0.5))
    hold.go.set()
    assert raised.value.limit == "seconds"
    assert claude.files == {}


def test_a_refused_key_is_said_once_and_never_shown(claude: AnthropicServer, csv: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-wrong-secret")
    with pytest.raises(KeyRefused) as raised:
        analyze("?", [csv], model="claude")
    assert "sk-wrong-secret" not in str(raised.value)
    assert raised.value.result is not None
    assert "sk-wrong-secret" not in raised.value.result.to_json()


def test_a_refusal_is_an_error_with_the_reason(claude: AnthropicServer, csv: Path) -> None:
    details = {"category": "cyber", "explanation": "no"}
    claude.script.append(Reply([text("I can't.")], stop="refusal", details=details))
    with pytest.raises(Refused, match="cyber"):
        analyze("?", [csv], model="claude")


def test_native_never_falls_back(claude: AnthropicServer, csv: Path) -> None:
    claude.models = {**claude.models, "claude-sonnet-5-5": False}
    with pytest.raises(NativeUnavailable):
        analyze("?", [csv], model="claude", route="native")


async def test_a_cancelled_question_deletes_its_uploads_and_the_session_says_it_is_busy(claude: AnthropicServer, csv: Path) -> None:
    hold = Hold()
    claude.script.append(Reply([text("Wait"), hold, text(".")]))
    async with AsyncSession("claude") as session:
        task = asyncio.create_task(session.ask("?", [csv]))
        await asyncio.to_thread(hold.reached.wait, 10)
        with pytest.raises(UsageError, match="busy"):
            await session.ask("another")
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert session.result is not None
        assert not session.result.answered
        hold.go.set()
    assert claude.files == {}


def test_leaving_the_stream_early_stops_the_run_and_cleans_up(claude: AnthropicServer, csv: Path) -> None:
    hold = Hold()
    claude.script.append(Reply([text("Wait"), hold, text(".")]))
    for event in stream("?", [csv], model="claude"):
        if event.kind == "text":
            break
    hold.go.set()
    assert claude.files == {}


def test_what_the_code_made_is_deleted_also_when_the_reply_is_left_in_its_middle(claude: AnthropicServer, csv: Path) -> None:
    hold = Hold()
    claude.script.append(Reply([*python("print(3)", "3\n", made=[Made("chart.png", PNG)]), hold, text(".")]))
    for event in stream("?", [csv], model="claude"):
        if event.kind == "code_ran":
            break
    hold.go.set()
    assert claude.files == {}
    assert len(claude.deleted) == 2


def test_a_failing_server_is_one_error_after_the_sdk_has_tried_again(claude: AnthropicServer, csv: Path) -> None:
    claude.script += [Failure(529, type="overloaded_error", message="Overloaded"), ANSWERED]
    from sandloop.errors import Overloaded

    with pytest.raises(Overloaded) as raised:
        analyze("?", [csv], model="claude")
    assert raised.value.status == 529


def test_a_closed_session_says_that_it_is_closed(claude: AnthropicServer) -> None:
    session = Session(model="claude")
    session.close()
    with pytest.raises(UsageError, match="closed"):
        session.ask("More?")
