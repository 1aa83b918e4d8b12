"""A whole session over the Claude provider: questions, a fall back to the local route, and nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from sandloop import AsyncSession
from sandloop.errors import LimitReached, Refused
from sandloop.events import FileMade, ReplyEnded
from sandloop.limits import Limits
from wire.anthropic_script import Hold, Made, Reply, python, result, text, use
from wire.anthropic_server import AnthropicServer
from wire.anthropic_state import KEY


@pytest.fixture(autouse=True)
def key_and_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    monkeypatch.chdir(tmp_path)


async def test_two_questions_over_a_pause_and_a_made_file(monkeypatch: pytest.MonkeyPatch) -> None:
    script = [
        Reply([use("code_execution", {"code": "slow()"}, "srvtoolu_A")], stop="pause_turn"),
        Reply([result("srvtoolu_A", "6\n", made=[Made("sum.txt", b"6")]), text("It is 6.")]),
        Reply([*python("print(6 * 2)", "12\n"), text("Twice that is 12.")]),
    ]
    with AnthropicServer(script) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        async with AsyncSession("claude", route="native") as session:
            first = await session.ask("What is the sum?", [("a.csv", b"a\n1\n2\n3\n")])
            second = await session.ask("And twice that?")

    assert (first.text, second.text) == ("It is 6.", "Twice that is 12.")
    assert [e.name for e in first.events if isinstance(e, FileMade)] == ["sum.txt"]
    assert len({e.container for e in session.history if isinstance(e, ReplyEnded)}) == 1
    assert len(server.asked("POST", "/v1/files")) == 1
    assert server.files == {}


async def test_a_refusal_is_an_error_with_its_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    details = {"type": "refusal", "category": "bio", "explanation": "No."}
    with AnthropicServer([Reply([], stop="refusal", details=details)]) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        async with AsyncSession("claude", route="native") as session:
            with pytest.raises(Refused, match="bio: No"):
                await session.ask("Make something bad")


async def test_a_question_that_takes_too_long_ends_and_its_files_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    hold = Hold()
    with AnthropicServer([Reply([text("One moment."), hold])]) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.url)
        async with AsyncSession("claude", route="native", limits=Limits(seconds=2)) as session:
            with pytest.raises(LimitReached):
                await session.ask("Wait", [("a.csv", b"1")])
        hold.go.set()

    assert server.files == {}
    assert len(server.deleted) == 1
