"""Mistral over a loopback server: its interpreter for questions without files, made files, faults."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandloop import Session, Settings, analyze
from sandloop.errors import BadReply, KeyRefused, NativeUnavailable, Overloaded, RateLimited, SandloopError, Unreachable
from sandloop.events import Noted, Thinking
from sandloop.ports import ModelChoice
from sandloop.routing import choose_route
from sandloop.settings import Profile
from sandloop_providers.catalog import mistral as factory
from wire.mistral_server import MistralServer, Reply, chunk, ran, reply, says


@pytest.fixture(autouse=True)
def settings_of_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("MISTRAL_API_KEY", "mistral-secret")
    monkeypatch.setattr("sandloop_providers.plain_http.RETRIES", 0)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[MistralServer]:
    with MistralServer() as one:
        yield one


def settings(server: MistralServer, **parameters: Any) -> Settings:
    profile = Profile(provider="mistral", model="mistral-test", base_url=server.url, parameters=parameters)
    return Settings(model="p", models={"p": profile})


@pytest.mark.parametrize("arguments", [True, False])
def test_a_question_without_files_is_answered_by_its_interpreter(server: MistralServer, arguments: bool) -> None:
    thought = chunk(type="thinking", thinking=[{"type": "text", "text": "hm"}])
    server.script.append(reply(thought, ran("print(3)", "3\n", arguments=arguments), says("It is 3.")))
    found = analyze("What is 1 + 2?", settings=settings(server, temperature=0))

    assert found.text == "It is 3."
    assert found.route is not None
    assert found.route.route == "native"
    (step,) = found.steps
    assert step.ran is not None
    assert (step.code.source, step.ran.stdout, step.ran.exit_code, step.ran.ok) == ("print(3)", "3\n", None, True)
    assert (found.usage.input_tokens, found.usage.output_tokens) == (120, 30)
    assert [e.text for e in found.events if isinstance(e, Thinking)] == ["hm"]
    (asked,) = server.requests
    assert asked.headers["authorization"] == "Bearer mistral-secret"
    assert asked.json["tools"] == [{"type": "code_interpreter"}]
    assert (asked.json["store"], asked.json["completion_args"]) == (False, {"max_tokens": 16_000, "temperature": 0})


def test_an_answer_in_one_piece_with_entries_nobody_knows_is_read(server: MistralServer) -> None:
    outputs = [
        {"type": "tool.execution", "name": "code_interpreter", "info": {"code": "1/0", "code_output": ""}},
        {"type": "brand.new", "x": 1},
        {
            "type": "message.output",
            "content": [{"type": "text", "text": "It "}, {"type": "odd"}, {"type": "text", "text": "failed."}],
        },
    ]
    server.script.append(Reply(body={"object": "conversation.response", "outputs": outputs, "usage": {"prompt_tokens": 1}}))
    found = analyze("?", settings=settings(server))

    assert found.text == "It failed."
    assert [s.ran.outcome for s in found.steps if s.ran] == ["unknown"]


def test_made_files_come_back_and_are_deleted_there(server: MistralServer) -> None:
    server.files["f1"] = b"png"
    named, gone = (
        chunk(type="tool_file", tool="code_interpreter", file_id=i, file_name="plot", file_type="png") for i in ("f1", "f2")
    )
    server.script.append(reply(ran("plot()", "ok"), named, gone, says("See.")))
    found = analyze("Draw.", settings=settings(server))

    assert {f.name: f.bytes() for f in found.files} == {"plot.png": b"png"}
    assert server.files == {}
    assert [e.text for e in found.events if isinstance(e, Noted)] != []


def test_a_second_question_tells_what_was_run_before(server: MistralServer) -> None:
    server.script += [reply(ran("print(3)", "3\n"), says("It is 3.")), reply(says("Still 3."))]
    with Session(settings=settings(server)) as session:
        session.ask("One?")
        session.ask("Two?")

    inputs = server.requests[1].json["inputs"]
    assert [i["role"] for i in inputs] == ["user", "assistant", "user"]
    assert "print(3)" in inputs[1]["content"]


def test_small_texts_go_along_when_native_is_asked_for(server: MistralServer, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n7\n")
    server.script.append(reply(ran("print(7)", "7"), says("7")))
    found = analyze("?", [tmp_path / "a.csv"], settings=settings(server), route="native")
    assert found.text == "7"
    assert "a.csv:\na\n7" in server.requests[0].json["inputs"][0]["content"]


async def test_files_go_to_the_local_route() -> None:
    from sandloop.events import InputFile

    can = await factory(ModelChoice(provider="mistral", key="k")).capabilities()
    file = InputFile(name="a.csv", size=3, mime="text/csv", sha256="0")
    assert choose_route("auto", can, [file], provider="mistral").route == "local"
    assert choose_route("auto", can, [], provider="mistral").route == "native"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (Reply(status=401, body={"message": "no mistral-secret"}), KeyRefused),
        (Reply(status=429, body={"message": "slow"}), RateLimited),
        (Reply(status=503, body={"message": "down"}), Overloaded),
        (Reply(status=422, body={"detail": [{"msg": "code_interpreter not available"}]}), NativeUnavailable),
        (reply([{"type": "conversation.response.error", "message": "overloaded", "code": 503}], done=False), Overloaded),
        (reply(says("half"), done=False), Unreachable),
        (Reply(body=[1]), BadReply),
    ],
    ids=lambda v: v.__name__ if isinstance(v, type) else None,
)
def test_what_goes_wrong_has_its_class(server: MistralServer, answer: Reply, error: type[SandloopError]) -> None:
    server.script.append(answer)
    with pytest.raises(error) as raised:
        analyze("?", settings=settings(server), route="native")
    assert "mistral-secret" not in str(raised.value)


def test_what_ran_before_a_break_is_kept_and_said(server: MistralServer) -> None:
    server.script.append(reply(ran("print(1)", "1\n"), done=False))
    with pytest.raises(Unreachable, match="may have run") as raised:
        analyze("?", settings=settings(server))
    assert raised.value.result is not None
    assert len(raised.value.result.steps) == 1
