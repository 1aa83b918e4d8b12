"""OpenAI's Responses API over a stateful loopback server: its interpreter, files both ways, containers that end, faults."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sandloop import AsyncSession, Limits, Session, Settings, analyze
from sandloop.errors import BadSetting, KeyRefused, NativeUnavailable, Overloaded, RateLimited, Refused, SandloopError, Unreachable
from sandloop.events import CodeDelta, CodeRan, CodeWritten, Event, FellBack, FileMade, Noted, ReplyEnded, Retried, RunStarted, Text
from sandloop.ports import ModelChoice, Provider, Turn
from sandloop.prices import Price
from sandloop.settings import Profile, Route
from sandloop_providers.catalog import openai as factory
from wire.chat_server import ChatServer, say
from wire.responses_server import PNG, Reply, ResponsesServer, cell, function, message, reasoning, refusal, reply, shell

ANSWERED = reply(reasoning(), cell("print(3)", logs="3"), message("It is 3.", cites=["sum.csv"]), makes=[("sum.csv", b"3\n")])


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "a b.csv"
    path.write_text("a\n1\n2\n")
    return path


@pytest.fixture(autouse=True)
def settings_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-secret")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def openai() -> Iterator[ResponsesServer]:
    with ResponsesServer() as server:
        yield server


@pytest.mark.parametrize("name", ["p", "openai:gpt-test", "gpt-test", "GPT-Test"])
def test_a_price_of_the_users_own_is_taken(openai: ResponsesServer, name: str) -> None:
    openai.script.append(ANSWERED)
    own = Price(input=10, output=20, cached=2)
    result = analyze("How many?", settings=replace(settings(openai), prices={name: own, "other": Price(input=1e5, output=1e5)}))
    assert result.cost == pytest.approx((150 * 10 + 50 * 2 + result.usage.output_tokens * 20) / 1e6)


def settings(server: ResponsesServer, route: Route = "native", **parameters: Any) -> Settings:
    profile = Profile(provider="openai", model="gpt-test", base_url=server.url, parameters=parameters)
    return Settings(model="p", models={"p": profile}, route=route)


def test_the_answer_comes_with_code_output_and_files_and_nothing_is_left(openai: ResponsesServer, csv: Path) -> None:
    openai.script.append(ANSWERED)
    result = analyze("How many?", [csv], settings=settings(openai))

    assert result.text == "It is 3."
    (step,) = result.steps
    assert step.ran is not None
    assert (step.code.source, step.ran.stdout, step.ran.exit_code, step.code.origin) == ("print(3)", "3\n", None, "provider")
    assert result.files["sum.csv"].bytes() == b"3\n"
    assert (result.usage.input_tokens, result.usage.cached_tokens, result.usage.reasoning_tokens) == (200, 50, 20)
    assert (openai.uploads, openai.containers) == ({}, {})
    assert result.cost is None
    assert result.estimated_container_cost == pytest.approx(0.0075)  # five minutes are billed at least
    assert 0 < (result.usage.container_seconds or 0) < 60
    assert len(openai.deleted) == 2


def test_the_request_names_a_closed_container_and_where_the_files_are(openai: ResponsesServer, csv: Path) -> None:
    openai.script.append(ANSWERED)
    analyze("How many?", [csv], settings=settings(openai, reasoning={"effort": "low"}))

    made = next(r.json for r in openai.requests if r.path == "/v1/containers")
    assert made["network_policy"] == {"type": "disabled"}
    (asked,) = openai.asked
    assert asked.json["tools"][0]["container"].startswith("cntr_")
    assert asked.json["include"] == ["reasoning.encrypted_content", "code_interpreter_call.outputs"]
    assert (asked.json["store"], asked.json["reasoning"]) == (False, {"effort": "low"})
    assert '"a b.csv" is at "/mnt/data/file-' in asked.json["instructions"]
    assert asked.headers["authorization"] == "Bearer sk-test-secret"


def test_files_that_are_cited_not_cited_or_shown_come_back_once_each(openai: ResponsesServer) -> None:
    openai.script.append(
        reply(
            cell("plt.show()", picture=PNG),
            message("See.", cites=["named.txt"]),
            makes=[("cfile.png", PNG), ("named.txt", b"n"), ("silent.txt", b"s")],
        )
    )
    result = analyze("Draw.", settings=settings(openai))

    assert {f.name: f.bytes() for f in result.files} == {"figure-1.png": PNG, "named.txt": b"n", "silent.txt": b"s"}
    assert result.steps[0].files[0].name == "figure-1.png"


def test_a_cell_without_outputs_is_unknown_and_no_success(openai: ResponsesServer) -> None:
    openai.script.append(reply(cell("1/0"), cell("print(1)", logs="1"), cell("x", outputs=None), message("1.")))
    result = analyze("?", settings=settings(openai))

    ran = [s.ran for s in result.steps if s.ran]
    assert [(r.outcome, r.ok) for r in ran] == [("unknown", False), ("known", True), ("unknown", False)]


def test_a_printed_traceback_is_an_error(openai: ResponsesServer) -> None:
    trace = 'Traceback (most recent call last):\n  File "x", line 1, in <module>\nValueError: bad'
    openai.script.append(reply(cell("f()", logs=trace), message("It failed.")))
    (step,) = analyze("?", settings=settings(openai)).steps

    assert step.ran is not None
    assert step.ran.error is not None
    assert (step.ran.error.name, step.ran.error.value, step.ran.ok) == ("ValueError", "bad", False)


def test_a_second_question_goes_to_the_same_container_with_every_item_in_order(openai: ResponsesServer, csv: Path) -> None:
    openai.script += [ANSWERED, reply(cell("print(4)", logs="4"), message("4."))]
    with Session(settings=settings(openai)) as session:
        session.ask("How many?", [csv])
        second = session.ask("And now?")

    first, again = (r.json for r in openai.asked)
    assert again["tools"] == first["tools"]
    assert [i.get("type", i.get("role")) for i in again["input"]] == [
        "user",
        "reasoning",
        "code_interpreter_call",
        "message",
        "user",
    ]
    assert [f.name for f in second.files] == []
    assert sum(r.path == "/v1/containers" for r in openai.requests) == 1


def test_a_file_that_comes_later_goes_into_the_container_there_is(openai: ResponsesServer, csv: Path, tmp_path: Path) -> None:
    openai.script += [ANSWERED, reply(message("both"))]
    (tmp_path / "b.csv").write_text("b\n")
    with Session(settings=settings(openai)) as session:
        session.ask("How many?", [csv])
        session.ask("And this?", [tmp_path / "b.csv"])

    assert '"b.csv" is at' in openai.asked[1].json["instructions"]
    assert len([r for r in openai.requests if r.path == "/v1/files" and r.method == "POST"]) == 2


def test_an_expired_container_is_replaced_with_the_files_and_told_once(openai: ResponsesServer, csv: Path) -> None:
    openai.script += [ANSWERED, reply(cell("print(5)", logs="5"), message("5."))]
    with Session(settings=settings(openai)) as session:
        session.ask("How many?", [csv])
        openai.expire()
        second = session.ask("And now?")

    assert second.text == "5."
    (told,) = [e for e in second.events if isinstance(e, Retried)]
    assert "container was gone" in told.reason
    last = openai.asked[-1].json
    assert not any(i.get("type") == "code_interpreter_call" for i in last["input"])
    assert "print(3)" in str(last["input"])
    assert "gone" in str(last["input"])


def test_reasoning_that_can_not_be_given_back_is_left_out(csv: Path) -> None:
    with ResponsesServer([ANSWERED], encrypts=False) as server:
        result = analyze("How many?", [csv], settings=settings(server))
        assert result.text == "It is 3."
        assert "reasoning" in next(e.reason for e in result.events if isinstance(e, Retried))
        assert server.asked[-1].json["include"] == ["code_interpreter_call.outputs"]


def test_the_hosted_shell_says_how_it_ended(openai: ResponsesServer) -> None:
    openai.script.append(
        reply(
            *shell("ls", stdout="a\n"), *shell("false", stderr="no", exit_code=3), *shell("sleep 9", exit_code=None), message("ok")
        )
    )
    result = analyze("?", settings=settings(openai, tool="shell"))

    found = [(s.code.language, s.code.source, s.ran.exit_code, s.ran.stopped_by) for s in result.steps if s.ran]
    assert found == [("bash", "ls", 0, "itself"), ("bash", "false", 3, "itself"), ("bash", "sleep 9", 124, "time")]
    assert openai.asked[0].json["tools"][0]["environment"]["type"] == "container_reference"


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (refusal(401, "bad key sk-test-secret"), KeyRefused, "refused the key"),
        (refusal(429, "slow down", headers={"x-should-retry": "false"}), RateLimited, "takes no more"),
        (refusal(402, "insufficient_quota"), RateLimited, "takes no more"),
        (refusal(503, "down", headers={"x-should-retry": "false"}), Overloaded, "503"),
        (refusal(400, "Tool 'code_interpreter' is not supported with gpt-test."), NativeUnavailable, "code_interpreter"),
        (reply(message("I won't.", refuses=True)), Refused, "I won't"),
        (reply(message("x"), ends="incomplete", why="content_filter"), Refused, "declined"),
        (reply(ends="failed", why="it broke"), SandloopError, "it broke"),
        (reply(message("half an ans"), cut_after=3), Unreachable, "broke off"),
    ],
    ids=lambda v: v.__name__ if isinstance(v, type) else None,
)
def test_what_goes_wrong_has_its_class_and_sentence_and_leaves_nothing(
    openai: ResponsesServer, csv: Path, answer: Reply, error: type[SandloopError], says: str
) -> None:
    openai.script.append(answer)
    with pytest.raises(error, match=says) as raised:
        analyze("?", [csv], settings=settings(openai))

    assert "sk-test-secret" not in str(raised.value)
    assert raised.value.result is not None
    assert (openai.uploads, openai.containers) == ({}, {})


def test_a_stream_that_breaks_after_code_says_that_it_may_have_run(openai: ResponsesServer) -> None:
    openai.script.append(reply(cell("print(1)", logs="1"), message("late"), cut_after=7))
    with pytest.raises(Unreachable, match="may have run") as raised:
        analyze("?", settings=settings(openai))

    result = raised.value.result
    assert result is not None
    assert [s.ran.stdout for s in result.steps if s.ran] == ["1\n"]
    assert len(openai.asked) == 1


async def test_a_cancelled_reply_deletes_container_and_files(openai: ResponsesServer, csv: Path) -> None:
    hold = threading.Event()
    openai.script.append(reply(cell("print(1)", logs="1"), message("never"), hold=hold))
    try:
        async with AsyncSession(settings=settings(openai)) as session:
            async for event in session.stream("?", [csv]):
                if isinstance(event, CodeRan):
                    break
    finally:
        hold.set()
    assert (openai.uploads, openai.containers) == ({}, {})


def test_an_answer_in_one_piece_is_read_like_a_stream(openai: ResponsesServer) -> None:
    openai.script.append(reply(cell("print(1)", logs="1"), message("1."), whole=True))
    result = analyze("?", settings=settings(openai))

    assert (result.text, result.steps[0].code.source) == ("1.", "print(1)")
    assert "".join(e.text for e in result.events if isinstance(e, Text)) == "1."


class Nowhere:
    """No file is made on this route."""

    async def add(self, *_: Any, **__: Any) -> FileMade:
        raise AssertionError("nothing is downloaded on this route")

    def path(self, sha256: str) -> Path:
        return Path("none.png")


async def replied(provider: Provider, history: list[Event]) -> list[Event]:
    turn = Turn(native=False, files=(), sink=Nowhere(), limits=Limits())
    return [event async for event in provider.reply(history, turn)]


async def test_local_calls_go_through_responses_when_asked_and_are_answered(openai: ResponsesServer) -> None:
    openai.script += [reply(reasoning("secret"), function("print(1)")), reply(message("It is 1."))]
    choice = ModelChoice(provider="openai", model="m", base_url=openai.url, parameters={"api": "responses"})
    provider = factory(choice)
    history: list[Event] = [RunStarted(id="r", question="?", model="m")]
    first = await replied(provider, history)
    ended = first[-1]
    assert isinstance(ended, ReplyEnded)
    assert [(c.name, c.arguments) for c in ended.calls] == [("python", '{"code": "print(1)"}')]
    assert "".join(e.text for e in first if isinstance(e, CodeDelta)) == "print(1)"
    cell_written = CodeWritten(code_id="c1", language="python", source="print(1)", origin="tool_call", call_id="call_1")
    history += [*first, cell_written, CodeRan(code_id="c1", exit_code=0, stdout="1\n")]
    assert (await replied(provider, history))[-1].kind == "reply_ended"
    await provider.close()

    sent = openai.asked[1].json["input"]
    assert [i.get("type", i.get("role")) for i in sent] == ["user", "reasoning", "function_call", "function_call_output"]
    assert "1" in sent[-1]["output"]
    assert openai.asked[0].json["tools"][0]["name"] == "python"


async def test_a_server_without_the_api_is_asked_through_chat_completions(monkeypatch: pytest.MonkeyPatch) -> None:
    with ChatServer([say("hello")]) as server:
        provider = factory(ModelChoice(provider="openai", model="m", base_url=server.url, parameters={"api": "responses"}))
        events = await replied(provider, [RunStarted(id="r", question="?", model="m")])
        await provider.close()
    assert isinstance(events[0], Retried)
    assert isinstance(events[-1], ReplyEnded)
    assert events[-1].text == "hello"


@pytest.mark.parametrize(("name", "value"), [("api", "soap"), ("tool", "browser"), ("store", True), ("input", "x")])
def test_parameters_that_are_ours_are_refused(openai: ResponsesServer, name: str, value: Any) -> None:
    with pytest.raises(BadSetting, match=f"parameters.{name}"):
        analyze(
            "?", settings=replace(settings(openai), models={"p": Profile(provider="openai", model="m", parameters={name: value})})
        )


def test_a_file_that_is_gone_is_noted_and_stops_nothing(openai: ResponsesServer) -> None:
    answered = reply(cell("print(3)", logs="3"), message("It is 3.", cites=["sum.csv"]), makes=[("sum.csv", b"3\n" * 400_000)])
    openai.script.append(answered)
    result = analyze("?", settings=replace(settings(openai), limits=Limits(file_bytes=1000)))
    assert result.text == "It is 3."
    assert any("not brought back" in e.text for e in result.events if isinstance(e, Noted))
    assert not any(isinstance(e, FellBack) for e in result.events)
