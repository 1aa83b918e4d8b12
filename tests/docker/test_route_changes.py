"""From the provider's interpreter to the local sandbox in mid-conversation: text, code and files go along, and it is told once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from docker_runs import SMALL
from sandloop import AsyncSession
from sandloop.errors import NativeUnavailable
from sandloop.events import Event, FellBack, FileMade, Noted, RouteChosen
from sandloop.limits import Limits
from sandloop_providers.chat_client import open_client
from sandloop_sandbox.engine import Engine
from wire import anthropic_script as claude
from wire import chat_server as chat
from wire import gemini_server as gemini
from wire import mistral_server as mistral
from wire import responses_server as responses
from wire.families import ANSWER, CODE, FAMILIES, KEY, MADE, SAYS, Family

READS = "print('read:', open('made.csv').read().split())"
PNG = responses.PNG


@dataclass(frozen=True, kw_only=True)
class Change:
    """How a family's native route ends, and what it says locally then."""

    family: str
    refusals: Callable[[], list[Any]]
    local: Callable[[str], list[Any]]
    first: Callable[[], list[Any]] | None = None
    """In place of the family's scenario."""
    made: str = "made.csv"


CLAUDE, OPENAI, GEMINI, MISTRAL = (
    replace(next(f for f in FAMILIES if f.name == name), route="auto")
    for name in ("claude-native", "openai-native", "gemini-native", "mistral-native")
)
BY_NAME = {f.name: f for f in (CLAUDE, OPENAI, GEMINI, MISTRAL)}


def _claude_says(code: str) -> list[Any]:
    return [
        claude.Reply([claude.call("python", {"code": code}, "toolu_9")], stop="tool_use"),
        claude.Reply([claude.text("Done.")]),
    ]


def _chat_says(code: str) -> list[Any]:
    return [chat.call(code), chat.say("Done.")]


def _gemini_says(code: str) -> list[Any]:
    return [gemini.reply(gemini.function(code)), gemini.reply(gemini.text("Done."))]


def _gemini_drew() -> list[Any]:
    parts = [
        gemini.text(SAYS),
        gemini.code(CODE, call="a"),
        gemini.result("42\n", call="a"),
        gemini.picture(PNG),
        gemini.text(ANSWER),
    ]
    return [gemini.reply(*parts)]


CHANGES = [
    Change(
        family="claude-native",
        refusals=lambda: [claude.Failure(400, message="tools.0: this model does not support code_execution_20260521")],
        local=_claude_says,
    ),
    Change(
        family="claude-native",
        refusals=lambda: [claude.Failure(404, type="not_found_error", message="container not found: container_1")] * 2,
        local=_claude_says,
    ),
    Change(
        family="openai-native",
        refusals=lambda: [responses.refusal(400, "Tool 'code_interpreter' is not supported with this model.")],
        local=_chat_says,
    ),
    Change(family="openai-native", refusals=lambda: [responses.refusal(400, "Container is expired.")] * 2, local=_chat_says),
    Change(
        family="gemini-native",
        refusals=lambda: [gemini.refusal(400, "Code execution is not enabled for models/test-model")],
        local=_gemini_says,
        first=_gemini_drew,
        made="figure-1.png",
    ),
    Change(
        family="mistral-native",
        refusals=lambda: [mistral.Reply(status=400, body={"message": "Tool code_interpreter is not available for this model"})],
        local=_chat_says,
    ),
]


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: Engine) -> None:
    monkeypatch.setenv("SANDLOOP_CONFIG", "/dev/null")
    monkeypatch.setenv("KEY_OF_TEST", KEY)
    monkeypatch.setattr("sandloop_providers.plain_http.RETRIES", 0)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def chat_beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[chat.ChatServer]:
    """Where OpenAI's and Mistral's chat completions go: their native servers of the tests speak none."""
    with chat.ChatServer() as server:

        def elsewhere(address: str, key: str, *, keeps_environment: bool = False) -> Any:
            return open_client(server.url, key, keeps_environment=keeps_environment)

        monkeypatch.setattr("sandloop_providers.chat.open_client", elsewhere)
        yield server


def last_request(native: Any, beside: chat.ChatServer) -> str:
    """What the first local request said, as one string."""
    if beside.requests:
        return json.dumps(beside.requests[0].json)
    asked = native.replies_asked if hasattr(native, "replies_asked") else [seen.json for seen in native.asked]
    return json.dumps(asked[-2])


def each(events: list[Event], kind: type[Any]) -> list[Any]:
    return [e for e in events if isinstance(e, kind)]


@pytest.mark.parametrize("change", CHANGES, ids=lambda c: c.family)
async def test_a_second_question_goes_on_locally_with_text_code_and_files(change: Change, chat_beside: chat.ChatServer) -> None:
    family: Family = BY_NAME[change.family]
    code = READS if change.made == "made.csv" else f"print('read:', len(open({change.made!r}, 'rb').read()))"
    with family.server() as server:
        server.script += [*(change.first or family.scenario)(), *change.refusals()]
        (chat_beside if change.local is _chat_says else server).script += change.local(code)
        async with AsyncSession(settings=family.settings(server, limits=SMALL)) as session:
            first = await session.ask("What is the sum of b?")
            second = await session.ask("And what is in the file?")
            request = last_request(server, chat_beside)
            told = list(session.history)

    assert [e.route for e in each(told, RouteChosen)] == ["native", "native", "local"]
    assert len(each(told, FellBack)) == 1
    assert [f.name for f in each(told, RouteChosen)[-1].carried] == [change.made]
    assert [f.name for f in first.files] == [change.made]
    assert second.text == "Done."
    wanted = "read: ['b', '42']\n" if change.made == "made.csv" else f"read: {len(PNG)}\n"
    assert [s.ran.stdout for s in second.steps if s.ran] == [wanted]
    for kept in ("What is the sum of b?", SAYS, "print(42)", "42", ANSWER, "is gone", change.made):
        assert kept in request, kept


async def test_made_files_go_along_once_and_under_a_name_of_their_own() -> None:
    """The question wants a file, which this provider does not give: local by choice, without a failure."""
    with GEMINI.server() as server:
        server.script += [*_gemini_drew(), *_gemini_says("print(sorted(__import__('os').listdir()))"), *_gemini_says("print(1)")]
        async with AsyncSession(settings=GEMINI.settings(server, limits=SMALL)) as session:
            await session.ask("Draw it")
            second = await session.ask("Save it as out.csv", [("figure-1.png", b"mine"), ("b.csv", b"b\n1\n")])
            third = await session.ask("Save it as other.csv")
            asked = json.dumps(server.asked[-4].json)

    assert [s.ran.stdout for s in second.steps if s.ran] == ["['b.csv', 'figure-1-2.png', 'figure-1.png']\n"]
    assert not each(list(second.events), FellBack)
    assert "'figure-1-2.png'" in asked
    assert "'figure-1.png' before" in asked
    assert [[f.name for f in e.carried] for r in (second, third) for e in each(list(r.events), RouteChosen)] == [
        ["figure-1-2.png"],
        [],
    ]


async def test_a_made_file_over_the_room_for_inputs_is_named_and_left() -> None:
    with GEMINI.server() as server:
        server.script += [*_gemini_drew(), *_gemini_says("print(1)")]
        async with AsyncSession(settings=GEMINI.settings(server, limits=replace(SMALL, input_bytes=30))) as session:
            await session.ask("Draw it")
            second = await session.ask("Save it as out.csv")

    assert next(e.text for e in each(list(second.events), Noted) if "figure-1.png" in e.text).startswith(
        "'figure-1.png' was not put into the local sandbox"
    )


async def test_native_alone_never_goes_on_locally() -> None:
    family = replace(CLAUDE, route="native")
    with family.server() as server:
        server.script += [*family.scenario(), *CHANGES[0].refusals()]
        async with AsyncSession(settings=family.settings(server, limits=Limits())) as session:
            first = await session.ask("What is the sum of b?")
            with pytest.raises(NativeUnavailable):
                await session.ask("And again?")

    assert each(list(first.events), FileMade)[0].sha256
    assert first.files["made.csv"].bytes() == MADE
