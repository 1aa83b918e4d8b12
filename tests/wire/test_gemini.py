"""Gemini over a stateful loopback server: its code execution, files in, pictures out, faults, and the local route."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandloop import AsyncSession, Limits, Session, Settings, analyze
from sandloop.errors import (
    BadSetting,
    KeyRefused,
    ModelNotFound,
    NativeUnavailable,
    RateLimited,
    Refused,
    SandloopError,
    Unreachable,
)
from sandloop.events import CodeRan, CodeWritten, Event, FileMade, ReplyEnded, Retried, RunStarted, Text, Thinking
from sandloop.ports import ModelChoice, Provider, Turn
from sandloop.settings import Profile, Route
from sandloop_providers.gemini import gemini as factory
from wire.gemini_server import GeminiServer, Reply, code, function, picture, refusal, reply, result, text

PNG = b"\x89PNG\r\n\x1a\nchart"
TRACE = 'Traceback (most recent call last):\n  File "x"\nZeroDivisionError: division by zero'
ANSWERED = reply(
    text("hm", thought=True), text("I lo"), text("ok."), code("print(3)", call="a"), result("3\n", call="a"), text("It is 3.")
)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "a.csv"
    path.write_text("a\n1\n2\n")
    return path


@pytest.fixture(autouse=True)
def settings_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-secret")
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as one:
        yield one


def settings(server: GeminiServer, route: Route = "native", **parameters: Any) -> Settings:
    profile = Profile(provider="gemini", model="gemini-test", base_url=server.url, parameters=parameters)
    return Settings(model="p", models={"p": profile}, route=route)


def test_the_answer_comes_with_code_and_output(server: GeminiServer, csv: Path) -> None:
    server.script.append(ANSWERED)
    found = analyze("How many?", [csv], settings=settings(server))

    assert found.text == "It is 3."
    (step,) = found.steps
    assert step.ran is not None
    assert (step.code.source, step.ran.stdout, step.ran.exit_code) == ("print(3)", "3\n", 0)
    assert [e.text for e in found.events if isinstance(e, Thinking)] == ["hm"]
    assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.reasoning_tokens) == (120, 35, 5)
    (asked,) = server.asked
    assert asked.headers["x-goog-api-key"] == "AIza-secret"
    assert asked.path == "/v1/models/gemini-test:streamGenerateContent?alt=sse"
    assert asked.json["tools"] == [{"codeExecution": {}}]
    assert [sorted(p) for p in asked.json["contents"][0]["parts"]] == [["text"], ["inlineData"], ["text"]]


def test_pictures_come_back_with_their_step(server: GeminiServer) -> None:
    server.script.append(reply(code("plt.show()"), result(None), picture(PNG), text("See.")))
    found = analyze("Draw.", settings=settings(server))

    assert {f.name: f.bytes() for f in found.files} == {"figure-1.png": PNG}
    assert found.steps[0].files[0].name == "figure-1.png"


@pytest.mark.parametrize("call", ["x", None])
def test_results_find_their_code_with_and_without_ids(server: GeminiServer, call: str | None) -> None:
    other = f"{call}2" if call else None
    server.script.append(
        reply(
            code("1/0", call=call),
            result(TRACE, outcome="OUTCOME_FAILED", call=call),
            code("slow()", call=other),
            result("", outcome="OUTCOME_DEADLINE_EXCEEDED", call=other),
            text("no"),
        )
    )
    first, second = analyze("?", settings=settings(server)).steps

    assert first.ran is not None
    assert first.ran.error is not None
    assert (first.ran.error.name, first.ran.exit_code) == ("ZeroDivisionError", 1)
    assert second.ran is not None
    assert (second.ran.stopped_by, second.ran.exit_code) == ("time", 124)


def test_a_cell_whose_result_never_came_is_unknown(server: GeminiServer) -> None:
    server.script.append(reply(code("x"), text("well")))
    (step,) = analyze("?", settings=settings(server)).steps
    assert step.ran is not None
    assert (step.ran.outcome, step.ran.ok) == ("unknown", False)


def test_a_reply_goes_back_as_it_came_and_unknown_parts_too(server: GeminiServer) -> None:
    strange = {"brandNew": {"x": 1}, "thoughtSignature": "AA=="}
    server.script += [reply(*ANSWERED.parts, strange), reply(text("4"))]
    with Session(settings=settings(server)) as session:
        session.ask("One?")
        session.ask("Two?")

    back = server.asked[1].json["contents"][1]
    assert back["role"] == "model"
    assert back["parts"] == [
        text("hm", thought=True), text("I look."), code("print(3)", call="a"), result("3\n", call="a"), text("It is 3."), strange,
    ]  # fmt: skip


def test_a_large_file_is_uploaded_once_and_deleted(server: GeminiServer, tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(b"1,2\n" * 600_000)
    server.script += [ANSWERED, ANSWERED]
    with Session(settings=settings(server)) as session:
        session.ask("One?", [tmp_path / "big.csv"])
        assert len(server.files["files/f1"]["content"]) == 2_400_000
        session.ask("Two?")

    assert (server.files, server.deleted, server.looks) == ({}, ["files/f1"], 1)
    assert server.asked[1].json["contents"][0]["parts"][1]["fileData"]["fileUri"].endswith("/v1/files/f1")


@pytest.mark.parametrize(
    ("answer", "error", "says"),
    [
        (refusal(400, "API key not valid. AIza-secret"), KeyRefused, "refused the key"),
        (refusal(403, "denied"), KeyRefused, "refused the key"),
        (refusal(404, "models/gemini-test is not found"), ModelNotFound, "gemini-test"),
        (refusal(429, "quota", details=[{"@type": "x/google.rpc.RetryInfo", "retryDelay": "34.4s"}]), RateLimited, "34 s"),
        (refusal(400, "Code execution is not supported for this model"), NativeUnavailable, "not supported"),
        (reply(blocked="SAFETY"), Refused, "blocked"),
        (reply(text("x"), finish="SAFETY", said="no way"), Refused, "no way"),
        (reply(text("half"), finish=None), Unreachable, "broke off"),
    ],
    ids=lambda v: v.__name__ if isinstance(v, type) else None,
)
def test_what_goes_wrong_has_its_class_and_sentence(
    server: GeminiServer, monkeypatch: pytest.MonkeyPatch, answer: Reply, error: type[SandloopError], says: str
) -> None:
    monkeypatch.setattr("sandloop_providers.plain_http.RETRIES", 0)
    server.script.append(answer)
    with pytest.raises(error, match=says) as raised:
        analyze("?", settings=settings(server))
    assert "AIza-secret" not in str(raised.value)
    assert raised.value.result is not None


def test_an_overloaded_server_is_asked_again_and_that_is_told(server: GeminiServer) -> None:
    server.script += [refusal(503, "busy", headers={"retry-after": "0.01"}), ANSWERED]
    found = analyze("?", settings=settings(server))
    assert found.text == "It is 3."
    assert [e for e in found.events if isinstance(e, Retried)]


def test_a_stream_that_breaks_after_code_is_not_asked_again(server: GeminiServer) -> None:
    server.script.append(reply(code("print(1)"), result("1\n"), finish=None))
    with pytest.raises(Unreachable, match="may have run") as raised:
        analyze("?", settings=settings(server))
    assert raised.value.result is not None
    assert [s.ran.stdout for s in raised.value.result.steps if s.ran] == ["1\n"]
    assert len(server.asked) == 1


async def test_a_cancelled_reply_leaves_nothing(server: GeminiServer, tmp_path: Path) -> None:
    (tmp_path / "big.csv").write_bytes(b"1,2\n" * 600_000)
    hold = threading.Event()
    server.script.append(reply(text("I"), text("never"), hold=hold))
    try:
        async with AsyncSession(settings=settings(server)) as session:
            async for event in session.stream("?", [tmp_path / "big.csv"]):
                if isinstance(event, Text):
                    break
    finally:
        hold.set()
    assert server.files == {}


def test_an_answer_in_one_piece_is_read_like_a_stream(server: GeminiServer) -> None:
    server.script.append(reply(*ANSWERED.parts, whole=True))
    assert analyze("?", settings=settings(server)).text == "It is 3."


class Nowhere:
    """No file is made on this route."""

    async def add(self, *_: Any, **__: Any) -> FileMade:
        raise AssertionError("nothing is downloaded on this route")

    def path(self, sha256: str) -> Path:
        return Path("none.png")


async def replied(provider: Provider, history: list[Event]) -> list[Event]:
    turn = Turn(native=False, files=(), sink=Nowhere(), limits=Limits())
    return [event async for event in provider.reply(history, turn)]


@pytest.mark.parametrize("call", ["c1", None])
async def test_local_calls_are_answered_and_keep_their_signature(server: GeminiServer, call: str | None) -> None:
    server.script += [reply(function("print(1)", call=call)), reply(text("It is 1."))]
    provider = factory(ModelChoice(provider="gemini", model="m", base_url=server.url))
    history: list[Event] = [RunStarted(id="r", question="?", model="m")]
    history += await replied(provider, history)
    ended = history[-1]
    assert isinstance(ended, ReplyEnded)
    (made,) = ended.calls
    history.append(CodeWritten(code_id="c1", language="python", source="print(1)", origin="tool_call", call_id=made.id))
    history.append(CodeRan(code_id="c1", exit_code=0, stdout="1\n"))
    await replied(provider, history)
    await provider.close()

    sent = server.asked[1].json["contents"]
    assert sent[1]["parts"] == [function("print(1)", call=call)]
    answer = sent[2]["parts"][0]["functionResponse"]
    assert ("1" in answer["response"]["output"], answer.get("id")) == (True, call)
    assert server.asked[0].json["tools"][0]["functionDeclarations"][0]["name"] == "python"


async def test_a_model_without_tools_is_asked_for_fenced_blocks(server: GeminiServer) -> None:
    server.script += [refusal(400, "Function calling is not enabled for models/gemma"), reply(text("```python\n1\n```"))]
    provider = factory(ModelChoice(provider="gemini", model="gemma", base_url=server.url))
    events = await replied(provider, [RunStarted(id="r", question="?", model="m")])
    await provider.close()
    assert isinstance(events[0], Retried)
    assert "tools" not in server.asked[1].json


def test_a_parameter_that_is_ours_is_refused_and_others_go_along(server: GeminiServer) -> None:
    server.script.append(ANSWERED)
    analyze("?", settings=settings(server, generationConfig={"temperature": 0}))
    assert server.asked[0].json["generationConfig"] == {"maxOutputTokens": 16_000, "temperature": 0}
    with pytest.raises(BadSetting, match=r"parameters\.contents"):
        analyze("?", settings=settings(server, contents=[]))
