"""Gemini's managed environments over a loopback server: files both ways, state between questions, and nothing left there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandloop import Session, Settings, analyze
from sandloop.errors import BadSetting, NativeUnavailable, Overloaded
from sandloop.settings import Profile
from wire.gemini_server import GeminiServer

STEPS = [
    {"type": "thought", "summary": [{"type": "text", "text": "hm"}]},
    {"type": "code_execution_call", "id": "c1", "arguments": {"code": "print(3)", "language": "python"}},
    {"type": "code_execution_result", "call_id": "c1", "result": "3\n"},
    {"type": "code_execution_call", "id": "c2", "arguments": {"code": "false", "language": "bash"}},
    {"type": "code_execution_result", "call_id": "c2", "result": [{"type": "text", "text": "no"}], "is_error": True},
    {"type": "brand_new"},
    {"type": "model_output", "content": [{"type": "text", "text": "It is 3."}]},
]
USAGE = {"total_input_tokens": 100, "total_tool_use_tokens": 20, "total_output_tokens": 30, "total_thought_tokens": 5}
ANSWER: dict[str, Any] = {
    "id": "i1",
    "status": "completed",
    "steps": STEPS,
    "usage": USAGE,
    "makes": {"workspace/out/made.csv": b"3\n"},
}


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("GEMINI_API_KEY", "AIza-secret")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server() -> Iterator[GeminiServer]:
    with GeminiServer() as one:
        yield one


def settings(server: GeminiServer, environment: Any = True) -> Settings:
    profile = Profile(provider="gemini", model="gemini-test", base_url=server.url, parameters={"environment": environment})
    return Settings(model="p", models={"p": profile}, route="native")


def test_files_go_in_and_come_back_and_the_environment_is_deleted(server: GeminiServer, tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"not text")
    server.interactions.append(ANSWER)
    result = analyze("How many?", [tmp_path / "a.xlsx"], settings=settings(server))

    assert result.text == "It is 3."
    assert [(s.code.language, s.ran.exit_code, s.ran.stdout, s.ran.stderr) for s in result.steps if s.ran] == [
        ("python", 0, "3\n", ""),
        ("bash", 1, "", "no"),
    ]
    assert {f.name: f.bytes() for f in result.files} == {"out/made.csv": b"3\n"}
    assert (result.usage.input_tokens, result.usage.output_tokens) == (120, 35)
    assert server.environments == {}
    made = next(r.json for r in server.requests if r.path == "/v1/environments")
    assert made["network"] == "disabled"
    assert made["sources"][0]["target"] == "workspace/a.xlsx"


def test_a_second_question_goes_on_in_the_same_environment(server: GeminiServer) -> None:
    server.interactions += [ANSWER, {**ANSWER, "id": "i2", "makes": {"workspace/out/made.csv": b"4\n", "workspace/b": b"b"}}]
    with Session(settings=settings(server)) as session:
        session.ask("One?")
        second = session.ask("Two?")

    assert {f.name: f.bytes() for f in second.files} == {"out/made.csv": b"4\n", "b": b"b"}
    first, again = (r.json for r in server.requests if r.path == "/v1/interactions")
    assert (again["environment"], again["previous_interaction_id"], again["input"]) == (first["environment"], "i1", "Two?")


def test_a_new_file_comes_in_a_new_environment_with_what_was_said(server: GeminiServer, tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("b\n")
    server.interactions += [ANSWER, ANSWER]
    with Session(settings=settings(server)) as session:
        session.ask("One?")
        session.ask("And this?", [tmp_path / "b.csv"])

    again = [r.json for r in server.requests if r.path == "/v1/interactions"][1]
    assert "previous_interaction_id" not in again
    assert "print(3)" in again["input"]
    assert len(server.deleted) == 2


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ({"http": 400, "error": {"message": "The agent does not support this tool"}}, NativeUnavailable),
        ({"http": 503, "error": {"message": "busy"}}, Overloaded),
        ({"id": "i", "status": "failed", "error": {"message": "it broke"}}, Overloaded),
    ],
)
def test_what_goes_wrong_has_its_class_is_asked_once_and_leaves_nothing(
    server: GeminiServer, answer: dict[str, Any], error: type[Exception]
) -> None:
    server.interactions.append(answer)
    with pytest.raises(error):
        analyze("?", settings=settings(server))
    assert sum(r.path == "/v1/interactions" for r in server.requests) == 1
    assert server.environments == {}


def test_the_setting_is_checked(server: GeminiServer) -> None:
    with pytest.raises(BadSetting, match=r"parameters\.environment"):
        analyze("?", settings=settings(server, 3))
